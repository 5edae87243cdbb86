"""Settings of the tests' Django site: a small real site, fast to start and to log in at.

The file `settings.json` of the site's own directory has the last word.
"""

import json
import os
from pathlib import Path

from django.contrib.auth import hashers

HERE = Path(os.environ["SITE_DIRECTORY"])

SECRET_KEY = "a secret key of the tests, not long but long enough"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "website.urls"
LOGIN_REDIRECT_URL = "/whoami/"
USE_TZ = True
TIME_ZONE = "UTC"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(HERE / "db.sqlite3")}}
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "OPTIONS": {
            "loaders": [
                (
                    "django.template.loaders.locmem.Loader",
                    {"form.html": '<form method="post">{% csrf_token %}{{ form }}</form>'},
                )
            ]
        },
    }
]
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]

# Every hasher that this Django has; the first, in use for new passwords, is a fast one.
PASSWORD_HASHERS = ["website.hashers.FastPBKDF2PasswordHasher"] + [
    f"django.contrib.auth.hashers.{name}"
    for name in (
        "PBKDF2SHA1PasswordHasher",
        "Argon2PasswordHasher",
        "BCryptSHA256PasswordHasher",
        "BCryptPasswordHasher",
        "ScryptPasswordHasher",
        "MD5PasswordHasher",
        "SHA1PasswordHasher",
        "UnsaltedMD5PasswordHasher",
        "UnsaltedSHA1PasswordHasher",
        "CryptPasswordHasher",
    )
    if hasattr(hashers, name)
]

globals().update(json.loads((HERE / "settings.json").read_text()))
