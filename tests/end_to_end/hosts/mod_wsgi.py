"""Apache 2.4 with mod_wsgi, which asks Django itself: the peer of mod_authnz_external."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django_site import HERE, DjangoSite, python_of
from processes import free_port, give_away

from .apache import Apache
from .httpd import MODULES, configuration, httpd

LOADED = "mpm_prefork authn_core authz_core authz_user auth_basic dir mime".split()

# Django's own handler ("Authenticating against Django's user database from Apache"). The settings
# must be there before it is imported.
HANDLER = """
import os, sys
sys.path[:0] = [{tests!r}, {directory!r}]
os.environ.update(DJANGO_SETTINGS_MODULE="website.settings", SITE_DIRECTORY={directory!r})
import django
django.setup()
from django.contrib.auth.handlers.modwsgi import check_password, groups_for_user
"""

CONFIGURATION = """
MaxKeepAliveRequests 0
LoadModule wsgi_module {wsgi}
WSGIPythonHome {home}
# Before the first request, and not within it.
WSGIImportScript {directory}/handler.py process-group=%{{GLOBAL}} application-group=%{{GLOBAL}}
StartServers 8
MinSpareServers 8
DocumentRoot "{directory}/www"
<Directory "{directory}/www">
    Require all granted
</Directory>
<LocationMatch "^/(members|agents|wsgi)/">
    AuthType Basic
    AuthName "Shop account"
    AuthBasicProvider wsgi
    WSGIAuthUserScript {directory}/handler.py application-group=%{{GLOBAL}}
    WSGIAuthGroupScript {directory}/handler.py application-group=%{{GLOBAL}}
</LocationMatch>
<LocationMatch "^/(members|wsgi)/">
    Require valid-user
</LocationMatch>
<Location "/agents/">
    Require wsgi-group secret-agents
</Location>
"""


@contextmanager
def mod_wsgi(directory: Path, site: DjangoSite) -> Iterator[Apache]:
    """Runs Apache in `directory`; below `www` there is a page in a folder for each location."""
    port = free_port()
    for location in ("members", "agents", "wsgi"):
        page = directory / "www" / location / "page.txt"
        page.parent.mkdir(parents=True)
        page.write_text(f"the page of /{location}/\n")
    give_away(directory)
    names = {"tests": str(HERE), "directory": str(site.directory)}
    (directory / "handler.py").write_text(HANDLER.format(**names))
    wsgi = CONFIGURATION.format(
        directory=directory,
        wsgi=next(MODULES.glob("mod_wsgi.so-*"), MODULES / "mod_wsgi.so"),
        home=python_of(site.version).parent.parent.resolve(),
    )
    for name in ("hallpass-error.log", "server-error.log"):
        (directory / name).touch()
        give_away(directory / name)
    environment = {"PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"}
    text = configuration(directory, port, LOADED) + wsgi
    with httpd(directory, port, text, env=environment):
        yield Apache(directory, port)
