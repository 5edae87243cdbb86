"""An application behind a proxy that tells what it was sent."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from processes import LOOPBACK


@dataclass
class Application:
    """Answers each request with 200 and its method, path and headers as JSON.

    Bodies are told in `requests` alone, and not sent back. Go's server closes the body
    of a request with the first 4 KiB of an answer, and when its proxy has sent that body
    whole and not yet seen its end, Caddy breaks the answer off there.
    """

    port: int
    requests: list[dict] = field(default_factory=list)


@contextmanager
def application() -> Iterator[Application]:
    """Runs the application in a thread, on a free port."""
    seen: list[dict] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            told = {
                "method": self.command,
                "path": self.path,
                "headers": [[name.lower(), value] for name, value in self.headers.items()],
            }
            seen.append(told | {"body": body.decode("latin-1")})
            text = json.dumps(told).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(text)

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = answer

        def log_message(self, *_: object) -> None:
            """Nothing: `requests` tells it all."""

    server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield Application(server.server_port, seen)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
