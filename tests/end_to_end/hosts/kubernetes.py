"""examples/kubernetes without a cluster.

Traefik is real: it reads the manifests from a server that answers as Kubernetes' API does. Envoy Gateway
cannot be had; what it makes of its policies for Envoy (internal/xds/translator of its 1.9) is made here,
for a real Envoy.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from processes import LOOPBACK, listening, running, unprivileged

from . import web
from .example import EXAMPLES
from .kubernetes_api import kubernetes_api
from .page import replaced
from .proxies import TRAEFIK, envoy

DIRECTORY = EXAMPLES / "kubernetes"
SERVICE = "http://hallpass.hallpass.svc:8088/"


def objects(text: str) -> list[dict]:
    """The objects of a file of manifests."""
    return [it for it in yaml.safe_load_all(text) if it]


def one(found: list[dict], kind: str) -> dict:
    [it] = [it for it in found if it["kind"] == kind]
    return it


def cluster(application: int) -> list[dict]:
    """What a cluster has beside the manifests."""
    about = {"name": "application", "namespace": "shop"}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}},
        {"apiVersion": "v1", "kind": "Service", "metadata": about,
         "spec": {"type": "ClusterIP", "clusterIP": LOOPBACK, "ports": [{"name": "http", "port": 8000, "protocol": "TCP"}]}},
        {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
         "metadata": about | {"labels": {"kubernetes.io/service-name": "application"}},
         "ports": [{"name": "http", "port": application, "protocol": "TCP"}],
         "endpoints": [{"addresses": [LOOPBACK], "conditions": {"ready": True}}]},
    ]


@contextmanager
def traefik_gateway(directory: Path, port: int, daemon: int, application: int) -> Iterator[None]:
    """Runs Traefik with traefik.yaml, of which names and ports are others."""
    text = replaced((DIRECTORY / "traefik.yaml").read_text(), {
        "port: 8000 }\n---": f"port: {port} }}\n---",
        SERVICE: f"http://{LOOPBACK}:{daemon}/",
        "app.example.org": "shop.example.org",
    })
    with kubernetes_api([*objects(text), *cluster(application)]) as api, running(
        [TRAEFIK, f"--entrypoints.web.address={LOOPBACK}:{port}"]
        + [f"--providers.{name}.{key}" for name in ("kubernetesgateway", "kubernetescrd")
           for key in (f"endpoint={api}", "token=none")]
        + ["--global.checknewversion=false", "--global.sendanonymoususage=false"],
        directory / "traefik.log",
        lambda: listening(port) and web.ask((LOOPBACK, port)).status != 404,
        env=os.environ | {"HOME": str(directory), "XDG_CONFIG_HOME": str(directory)},
        cwd=directory,
        **unprivileged(),
    ):
        yield


def exact(names: list[str]) -> dict:
    return {"patterns": [{"exact": name, "ignore_case": True} for name in names]}


def connection_manager(found: list[dict]) -> dict:
    """What Envoy Gateway makes of its policies, in Envoy's own terms."""
    headers = one(found, "ClientTrafficPolicy")["spec"]["headers"]
    policy = one(found, "SecurityPolicy")["spec"]["extAuth"]
    kind = "type.googleapis.com/envoy.extensions"
    underscores = {"DropHeader": "DROP_HEADER", "Allow": "ALLOW", "RejectRequest": "REJECT_REQUEST"}
    authorization = {
        "@type": f"{kind}.filters.http.ext_authz.v3.ExtAuthz",
        "transport_api_version": "V3",
        "failure_mode_allow": policy.get("failOpen", False),
        "status_on_error": {"code": policy.get("statusOnError", 403)},
        "allowed_headers": exact(policy["headersToExtAuth"]),
        "http_service": {
            "server_uri": {"uri": "http://hallpass", "cluster": "hallpass", "timeout": policy["timeout"]},
            "path_prefix": policy["http"]["path"],
            "authorization_response": {"allowed_upstream_headers": exact(policy["http"]["headersToBackend"])},
        },
    }
    removed = [{"remove": name} for name in headers["earlyRequestHeaders"]["remove"]]
    return {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": f"{kind}.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "http",
            "use_remote_address": True,
            "normalize_path": True,
            "merge_slashes": True,
            "path_with_escaped_slashes_action": "UNESCAPE_AND_REDIRECT",
            "common_http_protocol_options": {
                "headers_with_underscores_action": underscores[headers["withUnderscoresAction"]],
            },
            "early_header_mutation_extensions": [{
                "name": "envoy.http.early_header_mutation.header_mutation",
                "typed_config": {
                    "@type": f"{kind}.http.early_header_mutation.header_mutation.v3.HeaderMutation",
                    "mutations": removed,
                },
            }],
            "http_filters": [
                {"name": "envoy.filters.http.ext_authz", "typed_config": authorization},
                {"name": "envoy.filters.http.router",
                 "typed_config": {"@type": f"{kind}.filters.http.router.v3.Router"}},
            ],
            "route_config": {"virtual_hosts": [{
                "name": "web", "domains": ["*"],
                "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "application"}}],
            }]},
        },
    }


@contextmanager
def envoy_gateway(directory: Path, port: int, daemon: int, application: int) -> Iterator[None]:
    """Runs Envoy as Envoy Gateway would by envoy-gateway.yaml."""
    manager = connection_manager(objects((DIRECTORY / "envoy-gateway.yaml").read_text()))
    # JSON is YAML.
    with envoy(directory, port, json.dumps(manager), daemon, application):
        yield
