"""Real sites that are not Django's, driven over HTTP."""
