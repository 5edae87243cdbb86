"""The real servers ("hosts") that ask Hallpass, started privately on loopback.

Each runs the configuration of its folder in `examples/`, with names, paths and
ports of the moment put in (`example.py`), as a user without privileges.
"""
