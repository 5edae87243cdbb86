"""`hallpass doctor` on Apache: faults planted one at a time in a configuration that `apachectl -t`
accepts. Those that let everybody in are tried in a running Apache."""

import re
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from doctor_faults import Fault, names
from hosts import web
from hosts.apache import LOADED
from hosts.httpd import configuration, httpd
from processes import LOOPBACK, free_port, give_away
from programs import toml
from test_doctor import Doctor, site  # noqa: F401: a fixture

MODULES = [*LOADED, "authn_file", "authn_anon", "authz_host", "access_compat", "macro", "authz_groupfile", "authnz_fcgi"]

HEALTHY = """
<Directory "DIRECTORY/www">
    Require all granted
</Directory>
AuthnzFcgiDefineProvider authn hallpass-fcgi fcgi://127.0.0.1:FASTCGI/
<VirtualHost 127.0.0.1:PORT>
    ServerName files.example.org
    DocumentRoot DIRECTORY/www
    DefineExternalAuth  hallpass pipe "PROGRAM auth --config CONFIG"
    DefineExternalGroup hallpass-groups pipe "PROGRAM group --config CONFIG"
    # before
    <Location "/members/">
        AuthType Basic
        AuthName "Shop account"
        AuthBasicProvider external
        AuthExternal hallpass
        Require valid-user
    </Location>
    <Location "/editors/">
        AuthType Basic
        AuthName "Shop account"
        AuthBasicProvider external
        AuthExternal hallpass
        GroupExternal hallpass-groups
        Require external-group editors "two words"
    </Location>
    <Directory "DIRECTORY/www/directory">
        AuthType Basic
        AuthName "Shop account"
        AuthBasicProvider external
        AuthExternal hallpass
        Require valid-user
    </Directory>
    <Location "/session/">
        AuthType hallpass-fcgi
        AuthName "Shop account"
        AuthnzFcgiCheckAuthnProvider hallpass-fcgi Authoritative On RequireBasicAuth Off UserExpr "%{reqenv:REMOTE_USER_NAME}"
        Require valid-user
        # fastcgi
    </Location>
    # after
</VirtualHost>
"""
MEMBERS = "Require valid-user\n    </Location>"
EDITORS = 'Require external-group editors "two words"\n'
INSIDE = HEALTHY[HEALTHY.index('    <Location "/editors/">') : HEALTHY.index(EDITORS) + len(EDITORS)]
OUTSIDE = '    <Location "/editors">\n        GroupExternal hallpass-groups\n    </Location>\n' + INSIDE.replace(
    "        GroupExternal hallpass-groups\n", ""
)
PROVIDER = "AuthBasicProvider external\n"
GIVES = "everybody gets in without a password"
PAGE = "/members/page.txt"


def fault(words, old, new, check, status, mend, seen="", lets_in=None) -> Fault:
    return Fault("Apache", words, old, new, check, status, mend, seen, lets_in)


def in_members(words, rule, check, status, mend, seen="", lets_in=None) -> Fault:
    """Another rule for the members' pages."""
    return fault(words, MEMBERS, rule + "\n    </Location>", check, status, mend, seen, lets_in)


def after(words, text, check, status, mend, seen="", lets_in=None) -> Fault:
    return fault(words, "# after", text, check, status, mend, seen, lets_in)


ALL = "Require valid-user\nRequire all granted"
OPEN = '<Location "/">\nRequire all granted\n</Location>'
FAULTS = [
    # Who gets in without a user
    in_members("`Require all granted` beside `Require valid-user`", ALL, "apache-require", "problem",
               "take Require all granted away", GIVES, PAGE),
    in_members("the same in `<RequireAny>`", f"<RequireAny>\n{ALL}\n</RequireAny>", "apache-require",
               "problem", "take Require all granted away", GIVES, PAGE),
    fault("`Require all granted` with mod_authnz_fcgi", "# fastcgi", "Require all granted", "apache-require",
          "problem", "take Require all granted away", GIVES, "/session/page.txt"),
    in_members("nothing is required", "", "apache-require", "problem", "write Require valid-user",
               "lets everybody in", PAGE),
    after("a later `<Location>` takes the place of what is required", OPEN.replace("/", "/members", 1),
          "apache-require", "problem", "write it before Location /members/", GIVES, PAGE),
    after("a `<Location>` takes the place of what a `<Directory>` requires",
          OPEN.replace('"/"', '"/directory"'), "apache-require", "problem", "write it before Directory", GIVES,
          "/directory/page.txt"),
    in_members("`AuthMerging Or` with an open section", "AuthMerging Or\nRequire valid-user", "apache-require",
               "problem", "take Require all granted away", GIVES, PAGE),
    in_members("`Satisfy Any`", "Satisfy Any\nRequire valid-user", "apache-require", "problem",
               "take Satisfy Any away", "everybody", PAGE),
    in_members("`<If true>` grants all", 'Require valid-user\n<If "true">\nRequire all granted\n</If>',
               "apache-require", "problem", "write it before", GIVES, PAGE),
    in_members("an `<If>` grants all", "Require valid-user\n<If \"req('X-A') == 'a'\">\nRequire all granted\n</If>",
               "apache-unresolved", "warning", "Require all granted", "cannot tell"),
    in_members("an address is enough", "Require valid-user\nRequire local", "apache-require", "warning",
               "<RequireAll>", "Require local", PAGE),
    in_members("an expression is enough", "Require valid-user\nRequire expr \"%{HTTP:X-A} == 'a'\"",
               "apache-require", "warning", "<RequireAll>", "whoever makes a request"),
    after("an `Alias` leads to the files of a `<Location>`", 'Alias "/open" "DIRECTORY/www/members"',
          "apache-alias", "problem", "<Directory>", "are at /open, too", "/open/page.txt"),
    after("a `<FilesMatch>` grants files of a `<Directory>`",
          '<FilesMatch "\\.txt$">\nRequire all granted\n</FilesMatch>', "apache-files", "problem",
          "inside of the directories", "after Directory", "/directory/page.txt"),
    after("a `<FilesMatch>` grants pictures of a `<Directory>`",
          '<FilesMatch "\\.(png|svg)$">\nRequire all granted\n</FilesMatch>', "apache-files", "warning",
          "inside of the directories", "after Directory"),
    in_members("`<Limit>` leaves other methods out", "<Limit GET>\nRequire valid-user\n</Limit>",
               "apache-limit", "problem", "<LimitExcept>", "<Limit GET>"),
    # Nobody gets in
    in_members("rules that nobody meets", "<RequireAll>\nRequire valid-user\nRequire all denied\n</RequireAll>",
               "apache-require", "problem", "Require all denied", "nobody gets in"),
    fault("`AuthType` is missing", "        AuthType Basic\n", "", "apache-authentication", "problem",
          "write AuthType Basic", "500"),
    fault("`AuthType Digest`", "AuthType Basic", "AuthType Digest", "apache-authentication", "problem",
          "write AuthType Basic", "nobody gets in"),
    fault("`AuthName` is missing", '        AuthName "Shop account"\n', "", "apache-authentication", "problem",
          "write AuthName", "500"),
    # The providers
    fault("`AuthBasicProvider` is missing", PROVIDER, "", "apache-provider", "problem",
          "write AuthBasicProvider external", "every login is answered 500"),
    fault("`AuthBasicProvider` is missing beside `AuthUserFile`", PROVIDER, "AuthUserFile DIRECTORY/htpasswd\n",
          "apache-provider", "problem", "write AuthBasicProvider external", "htpasswd gets in"),
    fault("a file of passwords comes first", PROVIDER,
          "AuthBasicProvider file external\nAuthUserFile DIRECTORY/htpasswd\n", "apache-provider", "problem",
          "write AuthBasicProvider external", "whatever the site says"),
    fault("the provider `file` comes first, and has no file", PROVIDER, "AuthBasicProvider file external\n",
          "apache-provider", "problem", "write AuthBasicProvider external", "500"),
    fault("anonymous users come first", PROVIDER, "AuthBasicProvider anon external\nAnonymous *\n",
          "apache-provider", "problem", "write AuthBasicProvider external", "anybody gets in"),
    fault("another provider alone", PROVIDER, "AuthBasicProvider file\nAuthUserFile DIRECTORY/htpasswd\n",
          "apache-provider", "problem", "write AuthBasicProvider external", "never asks Hallpass"),
    fault("`AuthBasicAuthoritative Off`", PROVIDER, PROVIDER + "AuthBasicAuthoritative Off\n", "apache-provider",
          "warning", "take it away"),
    # mod_authnz_external
    fault("`AuthExternal` names nothing that is defined", "AuthExternal hallpass\n", "AuthExternal halpass\n",
          "apache-definition", "problem", "DefineExternalAuth halpass"),
    fault("a section's `GroupExternal` keeps an outer `AuthExternal` from counting",
          '    # before\n    <Location "/members/">\n        AuthType Basic\n        AuthName "Shop account"\n'
          "        AuthBasicProvider external\n        AuthExternal hallpass\n",
          '<Location "/">\nAuthExternal hallpass\n</Location>\n<Location "/members/">\nAuthType Basic\n'
          'AuthName x\nAuthBasicProvider external\nGroupExternal hallpass-groups\n', "apache-definition", "problem",
          "into the same section", "merges none"),
    fault("`Require external-group` without `GroupExternal`", "        GroupExternal hallpass-groups\n", "",
          "apache-group", "problem", "write GroupExternal", "lets nobody in"),
    fault("`Require group` beside `GroupExternal`", "external-group editors", "group editors", "apache-group",
          "problem", "write Require external-group", "GroupExternal"),
    fault("`Require group` below an outer `GroupExternal`", INSIDE, OUTSIDE.replace("external-group", "group"),
          "apache-group", "problem", "write Require external-group", "GroupExternal"),
    fault("`GroupExternal` of an outer section does not count", INSIDE, OUTSIDE, "apache-group", "problem",
          "write GroupExternal", "merges none"),
    fault("a name of two words without quotes", EDITORS, "Require external-group two words\n", "host-group",
          "problem", 'external-group "two words"', "2 groups"),
    fault("a group that the site does not have", EDITORS, "Require external-group editor\n", "host-group",
          "problem", 'in place of "editor"', '"editor"'),
    fault("a word that is not a condition", 'external-group editors "two words"', "external-group editors is:staf",
          "host-question", "problem", "is:staff", "is not a condition"),
    fault("one of several groups that the site does not have", EDITORS, "Require external-group editors editor\n",
          "host-group", "warning", 'in place of "editor"', '"editor"'),
    fault("hallpassd does not listen there", "AuthnzFcgiDefineProvider authn hallpass-fcgi fcgi://127.0.0.1:FASTCGI/",
          "AuthnzFcgiDefineProvider authn hallpass-fcgi fcgi://127.0.0.1:1/", "apache-fcgi", "problem",
          "[daemon] fastcgi"),
    # The programs
    fault("the program does not exist", "PROGRAM auth", "PROGRAM-x auth", "apache-program", "problem", "is there"),
    fault("quotes that become a part of the program's name", '"PROGRAM auth', "\"'PROGRAM' auth",
          "apache-program", "problem", "take the quotes away"),
    fault("another method than the program's", "hallpass pipe", "hallpass environment", "apache-method", "problem",
          "--method"),
    fault("the program for groups is asked about users", "PROGRAM auth", "PROGRAM group", "apache-method",
          "problem", "hallpass-apache auth"),
    fault("a cache in front", PROVIDER, "AuthBasicProvider socache external\n", "apache-cache", "warning",
          "take socache away"),
]  # fmt: skip

FITS = {
    "as it is": ("", ""),
    "an open section before": ("# before", OPEN.replace("/", "/members", 1)),
    "one section says how users are asked for, others whom": (
        "# before", '<Location "/area">\nAuthType Basic\nAuthName x\nAuthBasicProvider external\n'
        'AuthExternal hallpass\n</Location>\n<Location "/area/of">\nRequire valid-user\n</Location>'),
    "an open section for other pages": ("# after", '<Location "/open/">\nRequire all granted\n</Location>'),
    "all of several": (MEMBERS, f"<RequireAll>\n{ALL}\n</RequireAll>\n</Location>"),
    "AuthMerging And with an open section": (
        "# before", OPEN.replace("/", "/members", 1) + '\n<Location "/members/">\nAuthMerging And\n</Location>'),
    "none of some": (
        MEMBERS, "<RequireAll>\nRequire valid-user\nRequire not user eve\n</RequireAll>\n</Location>"),
    "one of several, by choice": (
        MEMBERS, "<RequireAny>\nRequire valid-user\nRequire ip 192.0.2.1\n</RequireAny>\n</Location>"),
    "a part is open, by choice": ("# after", '<Location "/members/open">\nRequire all granted\n</Location>'),
    "everybody reads, and users write": (
        MEMBERS, "Require all granted\n<LimitExcept GET HEAD>\nRequire valid-user\n</LimitExcept>\n</Location>"),
    "all methods": (
        MEMBERS, "<Limit GET>\nRequire valid-user\n</Limit>\n<LimitExcept GET>\nRequire user alice\n"
        "</LimitExcept>\n</Location>"),
    "Satisfy Any, and no address is allowed": (
        MEMBERS, "Satisfy Any\nOrder deny,allow\nDeny from all\nRequire valid-user\n</Location>"),
    "a file behind Hallpass": (
        PROVIDER, "AuthBasicProvider external file\nAuthUserFile DIRECTORY/htpasswd\n"),
    "inherited by an inner section": (
        "# after", '<Location "/members/more">\nRequire user alice\n</Location>'),
    "by a macro": (
        "# after", "<Macro Members $path>\n<Location $path>\nAuthType Basic\nAuthName x\n"
        "AuthBasicProvider external\nAuthExternal hallpass\nRequire valid-user\n</Location>\n</Macro>\n"
        "Use Members /macro"),
    "another site's program": (
        "# after", 'DefineExternalAuth other pipe "PROGRAM auth --config DIRECTORY/other.toml"\n'
        '<Location "/other/">\nAuthType Basic\nAuthName x\nAuthBasicProvider external\nAuthExternal other\n'
        "Require valid-user\n</Location>"),
    "other pages with other passwords": (
        "# after", '<Location "/other/">\nAuthType Basic\nAuthName x\nAuthUserFile DIRECTORY/htpasswd\n'
        "Require valid-user\n</Location>"),
}  # fmt: skip


@dataclass
class Apache:
    """A site, and a place for configurations of Apache."""

    directory: Path
    words: dict[str, str]
    shell: object
    port: int

    def text(self, text: str, modules=MODULES) -> str:
        for word, value in self.words.items():
            text = text.replace(word, value)
        text = text.replace("{", "{{").replace("}", "}}")
        return configuration(self.directory, self.port, modules, text)

    def write(self, text: str) -> None:
        modules = [*MODULES, "authn_socache", "socache_shmcb"] if "socache" in text else MODULES
        (self.directory / "httpd.conf").write_text(self.text(text, modules))

    def accepts(self) -> None:
        command = ["/usr/sbin/apache2", "-f", self.directory / "httpd.conf", "-t"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr

    def doctor(self) -> Doctor:
        options = ["--host", "apache", "--host-config", self.directory / "httpd.conf"]
        return Doctor(self.shell("doctor", "--json", *options))


@pytest.fixture(scope="module")
def apache(site, new_directory, hallpass_programs, shell):  # noqa: F811
    directory = new_directory()
    shutil.copy(site.database, directory / "db.sqlite3")
    config = directory / "hallpass.toml"
    # Nobody answers there; who has a session is of no interest here.
    fastcgi = socket.create_server((LOOPBACK, 0))
    for file in (config, directory / "other.toml"):
        file.touch(mode=0o600)
        daemon = {"fastcgi": [f"tcp:{LOOPBACK}:{fastcgi.getsockname()[1]}"]}
        file.write_text(toml(site.configuration(database=f"sqlite:{directory}/db.sqlite3", daemon=daemon)))
    (directory / "htpasswd").write_text("stranger:{SHA}not-a-hash\n")
    for page in ("members", "editors", "directory", "session"):
        (directory / "www" / page).mkdir(parents=True)
        (directory / "www" / page / "page.txt").write_text("a page\n")
    for path in directory.rglob("*"):
        give_away(path)
    port = free_port()
    program = str(hallpass_programs["hallpass-apache"])
    words = {"PORT": str(port), "PROGRAM": program, "CONFIG": str(config), "DIRECTORY": str(directory),
             "FASTCGI": str(fastcgi.getsockname()[1])}
    with fastcgi:
        yield Apache(directory, words, shell(config), port)


@pytest.mark.parametrize("change", FITS.values(), ids=FITS)
def test_healthy_apache_is_silent(apache, change):
    assert change[0] in HEALTHY
    apache.write(HEALTHY.replace(*change, 1) if change[0] else HEALTHY)
    apache.accepts()
    doctor = apache.doctor()
    doctor.is_silent()
    assert any(it["seen"] == "it points here, and fits" for it in doctor.findings)


@pytest.mark.parametrize("fault", FAULTS, ids=names(FAULTS))
def test_fault_is_named(apache, fault):
    apache.write(fault.plant(HEALTHY))
    apache.accepts()
    fault.is_named(apache.doctor())


LETS_IN = [fault for fault in FAULTS if fault.lets_in]


@pytest.mark.parametrize("fault", [None, *LETS_IN], ids=["none", *names(LETS_IN)])
def test_fault_lets_in(apache, fault):
    """As a running Apache answers a client without any credential."""
    text = apache.text(fault.plant(HEALTHY) if fault else HEALTHY)
    with httpd(apache.directory, apache.port, text):
        status = web.ask((LOOPBACK, apache.port), fault.lets_in if fault else PAGE).status
    assert status == (200 if fault else 401)


def test_files_are_those_that_apache_reads(apache):
    """Each has a fault of its own; `apachectl -t -D DUMP_INCLUDES` says which files there are."""
    more = apache.directory / "more"
    names = "a.conf b.conf .hidden.conf c.conf~ sites/a sites/d all/1 all/2/3 deep/1/x.conf deep/2/x.conf".split()
    names += ["deep/x.conf", "deep/1/y.conf", "with blank"]
    for number, name in enumerate(names):
        (more / name).parent.mkdir(parents=True, exist_ok=True)
        (more / name).write_text(
            f'<Location "/n{number}">\nAuthType Basic\nAuthName x\nAuthBasicProvider external\n'
            "AuthExternal hallpass\nRequire valid-user\nRequire all granted\n</Location>\n"
        )
    patterns = ["more/*.conf", "more/sites/[a-c]*", "more/all", "more/deep/*/x.conf", '"more/with blank"']
    lines = "".join(f"Include {pattern}\n" for pattern in patterns) + "IncludeOptional more/none/*.conf\n"
    apache.write(HEALTHY.replace("# after", lines))
    command = ["/usr/sbin/apache2", "-f", apache.directory / "httpd.conf", "-t", "-D", "DUMP_INCLUDES"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    read = set(re.findall(r"\(\d+\) (/.*/more/.*)$", done.stdout, re.M))
    (finding,) = apache.doctor().complaints
    assert finding["check"] == "apache-require"
    assert set(re.findall(r"(/[^,]*/more/[^,]*):\d+", finding["tried"])) == read
    assert len(read) == 8
