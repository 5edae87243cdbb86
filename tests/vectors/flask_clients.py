"""The identifiers that Flask-Login makes of clients.

    tests/.setup/flask/bin/python tests/vectors/flask_clients.py > crates/sites/tests/data/flask_login.json

Each row is [address, X-Forwarded-For or null, User-Agent or null, the identifier].
"""
import json

import flask
from flask_login.utils import _create_identifier

CLIENTS = [
    ("127.0.0.1", None, "Mozilla/5.0 (X11; Linux x86_64)"),
    ("127.0.0.1", None, None),
    ("192.0.2.7", None, "curl/8.0"),
    ("2001:db8::7", None, "curl/8.0"),
    ("127.0.0.1", "192.0.2.7", "curl/8.0"),
    ("127.0.0.1", "198.51.100.1, 192.0.2.7", "curl/8.0"),
    ("127.0.0.1", " 192.0.2.7 ,10.0.0.1", "curl/8.0"),
    ("127.0.0.1", None, "it's"),
    ("127.0.0.1", None, 'a "quoted" one'),
    ("127.0.0.1", None, "it's a \"quoted\" one"),
    ("127.0.0.1", None, "back\\slash"),
]

app = flask.Flask("vectors")
rows = []
for address, forwarded, browser in CLIENTS:
    headers = {"X-Forwarded-For": forwarded, "User-Agent": browser}
    environ = app.test_request_context(
        headers={name: value for name, value in headers.items() if value is not None},
        environ_base={"REMOTE_ADDR": address},
    )
    if browser is None:
        environ.request.environ.pop("HTTP_USER_AGENT", None)
    with environ:
        rows.append(json.dumps([address, forwarded, browser, _create_identifier()]))
print("[\n" + ",\n".join(rows) + "\n]")
