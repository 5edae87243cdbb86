"""`hallpass doctor` on programs that ask at /as/DIALECT: faults planted one at a time."""

import shutil
from pathlib import Path

import pytest

from doctor_faults import Fault
from hosts.daemon import hallpassd
from hosts.example import EXAMPLES
from processes import LOOPBACK, free_port, give_away
from programs import toml
from test_doctor import Doctor, site  # noqa: F401: a fixture

SECRET = "9b1de1a2b3c4d5e6f708192a3b4c5d6e"

# Each program's healthy configuration; words in capitals are replaced.
HEALTHY = {
    "RabbitMQ": (EXAMPLES / "rabbitmq-django/rabbitmq.conf").read_text().replace("&group=chess", ""),
    "Mosquitto": """
auth_plugin /usr/lib/mosquitto/go-auth.so
auth_opt_backends http
auth_opt_http_host hallpass:TOKEN@127.0.0.1
auth_opt_http_port 8090
auth_opt_http_getuser_uri   /as/mosquitto-go-auth/user
auth_opt_http_superuser_uri /as/mosquitto-go-auth/superuser?is=superuser
auth_opt_http_aclcheck_uri  /as/mosquitto-go-auth/acl
auth_opt_http_params_mode   json
auth_opt_http_response_mode status
""",
    "EMQX": """
authentication = [{
  mechanism = password_based
  backend   = http
  method    = post
  url       = "http://127.0.0.1:8090/as/emqx"
  headers   { "content-type" = "application/json", authorization = "Bearer TOKEN" }
  body      { username = "${username}", password = "${password}", peerhost = "${peerhost}" }
}]
""",
    "VerneMQ": """
plugins.vmq_webhooks = on
vmq_webhooks.login.hook     = auth_on_register
vmq_webhooks.login.endpoint = http://hallpass:TOKEN@127.0.0.1:8090/as/vernemq
""",
    "FreeRADIUS": """
rest {
    connect_uri = "http://127.0.0.1:8090"
    authenticate {
        uri = "http://freeradius:TOKEN@127.0.0.1:8090/as/freeradius?group=editors"
        method = 'post'
        body = 'json'
    }
}
""",
    "Synapse": """
password_providers:
  - module: rest_auth_provider.RestAuthProvider
    config:
      endpoint: http://hallpass:TOKEN@127.0.0.1:8090/as/synapse
""",
    "Centrifugo": """
{ "client": { "proxy": {
  "connect": { "enabled": true, "endpoint": "http://127.0.0.1:8090/as/centrifugo",
               "http": { "static_headers": { "Authorization": "Bearer TOKEN" } } },
  "refresh": { "enabled": true, "endpoint": "http://127.0.0.1:8090/as/centrifugo/refresh",
               "http": { "static_headers": { "Authorization": "Bearer TOKEN" } } }
} } }
""",
    "Prosody": """
VirtualHost "chat.test"
  authentication = "http"
  http_auth_url = "http://127.0.0.1:8090/as/prosody"
  http_auth_credentials = "hallpass:TOKEN"
""",
}

FAULTS = [
    # RabbitMQ
    Fault("RabbitMQ", "a question goes to the default address", "auth_http.topic_path", "#",
          "dialect-setting", "problem", "auth_http.vhost_path", "auth_http.topic_path is missing"),
    Fault("RabbitMQ", "passwords in URLs", "auth_http.http_method", "# auth_http.http_method",
          "dialect-method", "warning", "http_method = post"),
    Fault("RabbitMQ", "another back end alone", "auth_backends.1 = http", "auth_backends.1 = internal",
          "dialect-backend", "problem", "auth_backends.1 = http", "never asked"),
    Fault("RabbitMQ", "another token", ":TOKEN@", ":another@", "dialect-token", "problem", "TOKEN@", "another token"),
    Fault("RabbitMQ", "a path that is not there", "/as/rabbitmq/vhost", "/as/rabbitmq/vhosts",
          "host-question", "problem", "docs/dialects.md", "404"),
    Fault("RabbitMQ", "a condition that is misspelt", "/as/rabbitmq/resource", "/as/rabbitmq/resource?groups=a",
          "host-question", "problem", "group=NAME"),
    Fault("RabbitMQ", "a group that the site does not have", "/as/rabbitmq/topic", "/as/rabbitmq/topic?group=nosuch",
          "host-group", "problem", ""),
    # Mosquitto
    Fault("Mosquitto", "no token", "hallpass:TOKEN@", "", "dialect-token", "problem", "TOKEN", "no token"),
    Fault("Mosquitto", "a question is missing", "auth_opt_http_aclcheck_uri", "#", "dialect-setting", "problem",
          "auth_opt_http_aclcheck_uri", "missing"),
    Fault("Mosquitto", "answers that are not understood", "response_mode status", "response_mode text",
          "dialect-answer", "problem", "status"),
    Fault("Mosquitto", "TLS", "auth_opt_http_port", "auth_opt_http_with_tls true\nauth_opt_http_port",
          "dialect-tls", "problem", "http://"),
    # EMQX
    Fault("EMQX", "no token", ', authorization = "Bearer TOKEN"', "", "dialect-token", "problem", "Bearer"),
    Fault("EMQX", "the path of another program", "/as/emqx", "/as/vernemq", "dialect-answer", "problem", "/as/emqx"),
    Fault("EMQX", "a slash at the end", '/as/emqx"', '/as/emqx/user"', "host-question", "problem", "exact"),
    # The others
    Fault("VerneMQ", "TLS", "endpoint = http:", "endpoint = https:", "dialect-tls", "problem", "http://"),
    Fault("FreeRADIUS", "a group that the site does not have", "group=editors", "group=nosuch", "host-group",
          "problem", ""),
    Fault("FreeRADIUS", "no token", '"http://freeradius:TOKEN@127.0.0.1:8090', '"${..connect_uri}', "dialect-token",
          "problem", "TOKEN"),
    Fault("Synapse", "another token", ":TOKEN@", ":another@", "dialect-token", "problem", "TOKEN"),
    Fault("Synapse", "nothing listens there", ":8090/", ":NOWHERE/", "host-socket", "problem", "[daemon] dialects"),
    Fault("Centrifugo", "a path that is not there", "centrifugo/refresh", "centrifugo/renew", "host-question",
          "problem", "docs/dialects.md"),
    Fault("Prosody", "a host has another method", 'authentication = "http"', 'authentication = "internal_hashed"',
          "prosody-method", "problem", 'authentication = "http"'),
    Fault("Prosody", "another token", "hallpass:TOKEN", "hallpass:another", "dialect-token", "problem", "TOKEN"),
]  # fmt: skip

# Healthy, too.
FITS = [
    ("RabbitMQ", "auth_backends.1 = http", "auth_backends.1 = cache\nauth_cache.cached_backend = http"),
    ("RabbitMQ", "/as/rabbitmq/user", "/as/rabbitmq/user?group=editors&is=staff"),
    # Permissions of RabbitMQ's own: it asks about passwords alone.
    ("RabbitMQ", "auth_backends.1 = http", "auth_backends.1.authn = http\nauth_backends.1.authz = internal"),
    ("Mosquitto", "auth_opt_backends http", "auth_opt_backends files, http"),
    # Another variable than this file knows.
    ("EMQX", "Bearer TOKEN", "Bearer ${HALLPASS_TOKEN}"),
    ("FreeRADIUS", '"http://freeradius:TOKEN@127.0.0.1:8090', '"http://freeradius:$ENV{TOKEN_OF}@127.0.0.1:8090'),
    ("Centrifugo", "/as/centrifugo\"", "/as/centrifugo/connect\""),
]  # fmt: skip


@pytest.fixture(scope="module")
def asked(site, new_directory, hallpass_programs, shell):  # noqa: F811
    """Writes a program's file, and gives what the doctor says of it."""
    directory, port = new_directory(), free_port()
    shutil.copy(site.database, directory / "db.sqlite3")
    http = directory / "http.sock"
    daemon = {
        "listen": [f"unix:{http}?mode=0660"],
        "dialects": [f"tcp:{LOOPBACK}:{port}"],
        "dialect_token": SECRET,
    }
    config = directory / "hallpass.toml"
    config.touch(mode=0o600)
    config.write_text(toml(site.configuration(database=f"sqlite:{directory}/db.sqlite3", daemon=daemon)))
    for path in directory.rglob("*"):
        give_away(path)

    def ask(host: str, text: str) -> Doctor:
        words = {"$ENV{TOKEN_OF}": "$ENV{OF}", "TOKEN}": "TOK}", "TOKEN": SECRET, "8090": str(port)}
        for word, value in (words | {"NOWHERE": str(free_port())}).items():
            text = text.replace(word, value)
        file = directory / ("prosody.cfg.lua" if host == "Prosody" else host)
        file.write_text(text)
        return Doctor(shell(config)("doctor", "--json", "--host", host.lower(), "--host-config", file))

    with hallpassd(hallpass_programs["hallpassd"], config, http, (LOOPBACK, port)):
        yield ask


@pytest.mark.parametrize("change", [(host, "", "") for host in HEALTHY] + FITS, ids=lambda it: f"{it[0]} {it[2]}")
def test_healthy_program_is_silent(asked, change):
    host, old, new = change
    assert old in HEALTHY[host]
    doctor = asked(host, HEALTHY[host].replace(old, new, 1) if old else HEALTHY[host])
    doctor.is_silent()
    assert any(it["seen"] == "it points here, and fits" for it in doctor.findings)


@pytest.mark.parametrize("fault", FAULTS, ids=[f"{it.host}: {it.words}" for it in FAULTS])
def test_fault_is_named(asked, fault):
    doctor = asked(fault.host, fault.plant(HEALTHY[fault.host]))
    fault.is_named(doctor)


def test_another_program_is_left_alone(asked):
    doctor = asked("RabbitMQ", "auth_backends.1 = internal\nmanagement.tcp.port = 15672\n")
    (finding,) = doctor.complaints
    assert finding["seen"] == "nothing in it points to Hallpass"


def test_what_is_no_file_of_that_program_is_no_fault(asked):
    for text in ["", "\0\xff" * 1000, "http://" * 5000, "{" * 100_000, "url = http://127.0.0.1:8090/as/\n"]:
        doctor = asked("EMQX", text)
        assert doctor.result.code == 1
        assert all(it["check"] in ("host", "host-question", "dialect-token") for it in doctor.complaints)


def test_the_texts_are_those_of_the_page():
    page = (Path(__file__).resolve().parents[2] / "docs/dialects.md").read_text()
    for host in ("Mosquitto", "EMQX", "VerneMQ", "Synapse"):
        lines = [line.strip() for line in HEALTHY[host].splitlines() if "8090" in line]
        assert lines and all(line in page for line in lines), host
