"""A server that answers as Kubernetes' API does for those who list and watch: manifests, and no cluster.

What a controller writes back (a status) is taken and forgotten. Nothing changes, so a watch is silent.
"""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from processes import LOOPBACK

# /api/v1/namespaces/shop/services, /apis/GROUP/VERSION/httproutes, …/NAME/status
PATH = re.compile(
    r"/(?:api/(?P<core>v1)|apis/(?P<group>[^/]+/[^/]+))(?:/namespaces/(?P<namespace>[^/]+)(?=/))?"
    r"/(?P<plural>\w+)(?P<rest>/.*)?"
)


# What Traefik lists. A list names what it is of.
KINDS = (
    "Namespace Service EndpointSlice Secret ConfigMap Node GatewayClass Gateway HTTPRoute GRPCRoute TLSRoute "
    "ReferenceGrant BackendTLSPolicy Middleware MiddlewareTCP IngressRoute IngressRouteTCP IngressRouteUDP "
    "TLSOption TLSStore ServersTransport ServersTransportTCP TraefikService"
).split()


def plural(kind: str) -> str:
    word = kind.lower()
    if word.endswith("s"):
        return word + "es"
    return word[:-1] + "ies" if word.endswith("cy") else word + "s"


KIND_OF = {plural(kind): kind for kind in KINDS}


@contextmanager
def kubernetes_api(objects: list[dict]) -> Iterator[str]:
    """Serves these objects from a thread, on a free port; its URL."""
    for number, it in enumerate(objects):
        it["metadata"] |= {"uid": f"uid-{number}", "resourceVersion": "1", "generation": 1}
        it["metadata"].setdefault("creationTimestamp", "2026-01-01T00:00:00Z")
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            match = PATH.fullmatch(path)
            if not match or match["rest"] or match["plural"] not in KIND_OF:
                return self.send(404, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404})
            version = match["core"] or match["group"]
            if "sendInitialEvents=true" in query:
                # As servers answer that have no streaming lists: the client lists, then.
                return self.send(422, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 422,
                                       "reason": "Invalid"})
            if "watch=" in query:
                return self.watch()
            found = [
                it for it in objects
                if it["apiVersion"] == version and it["kind"] == KIND_OF[match["plural"]]
                and match["namespace"] in (None, it["metadata"].get("namespace"))
            ]
            return self.send(200, {"kind": f"{KIND_OF[match['plural']]}List", "apiVersion": version,
                                   "metadata": {"resourceVersion": "1"}, "items": found})

        def watch(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.flush()
            ended.wait()
            self.close_connection = True

        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send(200, json.loads(body))

        do_PATCH = do_POST = do_PUT

        def send(self, status: int, body: dict) -> None:
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://{LOOPBACK}:{server.server_port}"
    finally:
        ended.set()
        server.shutdown()
        thread.join()
        server.server_close()
