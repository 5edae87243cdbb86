"""examples/kubernetes: valid by Kubernetes' own schemas, in step with each other, and the daemon under the
very restrictions of its pod. test_forged_identity.py attacks the gateways."""

import copy
import os
import subprocess
import tomllib

import kubernetes_validate
import pytest
import yaml

from book import DOCS
from hosts import forger, web
from hosts.accounts import PASSWORDS
from hosts.daemon import Daemon, accepts, hallpassd
from hosts.fixtures import site_with_accounts
from hosts.kubernetes import DIRECTORY, objects, one
from hosts.namespace import namespace
from hosts.page import replaced
from processes import LOOPBACK, free_port, running
from programs import run
from stores.postgresql import PASSWORD

FILES = {path.name: objects(path.read_text()) for path in sorted(DIRECTORY.glob("*.yaml"))}
# The first that has `sleep` in `preStop` without a feature gate, and the newest.
VERSIONS = ["1.30", "1.37"]
BUILT_IN = ("v1", "apps/v1", "policy/v1", "networking.k8s.io/v1")
ALL = [(name, it) for name, found in FILES.items() for it in found]


def ids(value) -> str:
    return value if isinstance(value, str) else f"{value['kind']}-{value['metadata']['name']}"


# By the schemas


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("file", "it"), [pair for pair in ALL if pair[1]["apiVersion"] in BUILT_IN], ids=ids)
def test_an_object_is_valid(file, it, version):
    kubernetes_validate.validate(it, version, strict=True)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["spec", "template", "spec", "containers", 0, "securityContext", "readOnlyRootFileSystem"], True),
        (["spec", "template", "spec", "containers", 0, "readinessProbe", "httpGet", "port"], [9188]),
        (["spec", "template", "spec", "securityContext", "runAsUser"], "65532"),
        (["spec", "template", "spec", "automountServiceAcountToken"], False),
        (["spec", "selector"], "hallpass"),
    ],
    ids=lambda path: str(path),
)
def test_the_schemas_find_a_mistake(path, value):
    """So that the test above says something."""
    broken = copy.deepcopy(one(FILES["hallpass.yaml"], "Deployment"))
    at = broken
    for word in path[:-1]:
        at = at[word]
    at[path[-1]] = value
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, VERSIONS[-1], strict=True)


def test_no_file_is_left_out():
    assert set(FILES) == {path.name for path in DIRECTORY.iterdir()}
    assert {it["apiVersion"] for _, it in ALL} - set(BUILT_IN) == {
        "gateway.networking.k8s.io/v1", "gateway.networking.k8s.io/v1beta1",
        "gateway.envoyproxy.io/v1alpha1", "traefik.io/v1alpha1",
    }


# In step with each other

DEPLOYMENT, POLICY = (one(FILES["hallpass.yaml"], kind) for kind in ("Deployment", "NetworkPolicy"))
SERVICE, CONFIG_MAP = (one(FILES["hallpass.yaml"], kind) for kind in ("Service", "ConfigMap"))
CONFIGURATION = CONFIG_MAP["data"]["hallpass.toml"]
SIDECAR = one(FILES["sidecar.yaml"], "Deployment")


def containers(deployment: dict) -> list[dict]:
    spec = deployment["spec"]["template"]["spec"]
    return [*spec.get("initContainers", []), *spec["containers"]]


def hallpassd_of(deployment: dict) -> dict:
    [it] = [it for it in containers(deployment) if it["name"] == "hallpassd"]
    return it


@pytest.mark.parametrize("deployment", [DEPLOYMENT, SIDECAR], ids=["Deployment", "sidecar"])
def test_the_restricted_standard(deployment):
    """What the Pod Security Standard `restricted` asks for, and a root file system that is read-only."""
    pod = deployment["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] == 65532
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    assert not [volume for volume in pod["volumes"] if "hostPath" in volume]
    for container in containers(deployment):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
        }
        names = {volume["name"] for volume in pod["volumes"]}
        assert {mount["name"] for mount in container["volumeMounts"]} <= names


@pytest.mark.parametrize("deployment", [DEPLOYMENT, SIDECAR], ids=["Deployment", "sidecar"])
def test_probes_ask_the_status_listener(deployment):
    it = hallpassd_of(deployment)
    [status] = [port["containerPort"] for port in it["ports"] if port["name"] == "status"]
    assert tomllib.loads(CONFIGURATION)["daemon"]["status"] == [f"tcp:0.0.0.0:{status}"]
    probes = {name: it[name]["httpGet"] for name in it if name.endswith("Probe")}
    assert {probe["port"] for probe in probes.values()} == {"status"}
    # A daemon whose database is away is not restarted.
    assert probes["livenessProbe"]["path"] == probes["startupProbe"]["path"] == "/healthz"
    assert probes.get("readinessProbe", {"path": "/readyz"})["path"] == "/readyz"


def test_names_and_ports_are_the_same_everywhere():
    labels = DEPLOYMENT["spec"]["template"]["metadata"]["labels"]
    selectors = [DEPLOYMENT["spec"]["selector"]["matchLabels"], SERVICE["spec"]["selector"],
                 POLICY["spec"]["podSelector"]["matchLabels"],
                 one(FILES["hallpass.yaml"], "PodDisruptionBudget")["spec"]["selector"]["matchLabels"]]
    assert all(selector == labels for selector in selectors)
    daemon = tomllib.loads(CONFIGURATION)["daemon"]
    ports = {port["name"]: port["containerPort"] for port in hallpassd_of(DEPLOYMENT)["ports"]}
    assert daemon["listen"] == [f"tcp:0.0.0.0:{ports['http']}"]
    let_in = [port["port"] for rule in POLICY["spec"]["ingress"] for port in rule["ports"]]
    assert let_in == [ports["http"], ports["status"]]
    volumes = {volume["name"]: volume for volume in DEPLOYMENT["spec"]["template"]["spec"]["volumes"]}
    assert volumes["configuration"]["configMap"]["name"] == CONFIG_MAP["metadata"]["name"]
    [service_port] = SERVICE["spec"]["ports"]
    about = SERVICE["metadata"]
    # What the gateways ask.
    policy = one(FILES["envoy-gateway.yaml"], "SecurityPolicy")["spec"]["extAuth"]
    assert policy["http"]["backendRefs"] == [
        {"name": about["name"], "namespace": about["namespace"], "port": service_port["port"]}
    ]
    assert policy["failOpen"] is False
    [grant] = one(FILES["envoy-gateway.yaml"], "ReferenceGrant")["spec"]["to"]
    assert grant == {"group": "", "kind": "Service", "name": about["name"]}
    question = [it for it in FILES["traefik.yaml"] if it["metadata"]["name"] == "hallpass-question"][0]
    address = question["spec"]["forwardAuth"]["address"]
    assert address.startswith(f"http://{about['name']}.{about['namespace']}.svc:{service_port['port']}/auth?")
    for headers in (policy["http"]["headersToBackend"], question["spec"]["forwardAuth"]["authResponseHeaders"]):
        assert headers == list(forger.IDENTITY)
    early = one(FILES["envoy-gateway.yaml"], "ClientTrafficPolicy")["spec"]["headers"]["earlyRequestHeaders"]
    assert set(forger.IDENTITY) < set(early["remove"])


def test_the_page_shows_what_the_files_have():
    """Its blocks of YAML are parts of them."""
    page = (DOCS / "kubernetes.md").read_text()
    every = "".join(path.read_text() for path in DIRECTORY.iterdir())
    blocks = [block.partition("```")[0] for block in page.split("```yaml\n")[1:]]
    assert blocks
    for block in blocks:
        # A part stands deeper in its file.
        lines = [line.strip() for line in block.splitlines()]
        assert "\n".join(lines) in "\n".join(line.strip() for line in every.splitlines()), block
        yaml.safe_load(block)


# Under the restrictions of its pod

USER = 65532
# The root file system of an image: no file of /etc, and what the pod's volumes hold.
POD = """
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /etc
mkdir -p /run/secrets/hallpass /run/hallpass /etc/hallpass
cp {directory}/secret_key {directory}/database_password /run/secrets/hallpass/
chown 0:{group} /run/secrets/hallpass/*
chmod 0440 /run/secrets/hallpass/*
chown {group}:{group} /run/hallpass
cp {directory}/hallpass.toml {directory}/example.toml /etc/hallpass/
chmod 0644 /etc/hallpass/*.toml
"""
READ_ONLY = "for at in / /etc /tmp; do mount -o remount,bind,ro $at 2>/dev/null || true; done"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture(scope="module")
def site(new_site, postgresql):
    return site_with_accounts(lambda: new_site(server=postgresql))


class Pod:
    """The namespace of a pod, with the configuration of the ConfigMap."""

    def __init__(self, directory, site, text, places):
        it = tomllib.loads(text)
        config = replaced(text, {
            it["database"]["url"]: site.server.hallpass(site.database_name)["url"],
            "https://shop.example.org/accounts/login/": site.url + "/login/",
            **places,
        })
        (directory / "hallpass.toml").write_text(config)
        (directory / "example.toml").write_text(text)
        (directory / "secret_key").write_text(site.shell("answer = settings.SECRET_KEY") + "\n")
        (directory / "database_password").write_text(PASSWORD)
        for name in ("secret_key", "database_password"):
            (directory / name).chmod(0o600)
        self.set_up = POD.format(directory=directory, group=USER)

    def restricted(self, made, command: list) -> list:
        """A command as the container's runtime starts it."""
        identity = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups",
                    "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]
        words = ["unshare", "--mount", "sh", "-c", f'{READ_ONLY}; exec "$@"', "sh", *identity, *command]
        return made.inside(words)


@pytest.fixture(scope="module")
def pod(new_directory, site, hallpass_programs):
    """hallpassd as the Deployment runs it, and the pod."""
    http, status = (LOOPBACK, free_port()), (LOOPBACK, free_port())
    directory = new_directory()
    it = Pod(directory, site, CONFIGURATION, {
        "tcp:0.0.0.0:8088": "tcp:{}:{}".format(*http), "tcp:0.0.0.0:9188": "tcp:{}:{}".format(*status),
        "10.244.0.0/16": "127.0.0.0/8",
    })
    with namespace(directory, it.set_up) as made:
        command = hallpassd_of(DEPLOYMENT)["command"]
        program = hallpass_programs[os.path.basename(command[0])]
        checked = run(it.restricted(made, [program, *command[1:], "--check-config"]))
        assert (checked.code, checked.stderr.count(b"\n")) == (0, 1), checked.stderr
        # The one of the file, word by word.
        words = [program, "--config", "/etc/hallpass/example.toml", "--check-config"]
        assert run(it.restricted(made, words)).code == 0
        log = directory / "hallpassd.log"
        with running(it.restricted(made, [program, *command[1:]]), log, lambda: accepts(http) and accepts(status),
                     cwd="/") as process:
            yield it, made, Daemon(process, (http, status), log)


@needs_root
def test_the_daemon_has_no_rights(pod):
    it, made, daemon = pod
    status = dict(line.split(":\t") for line in open(f"/proc/{daemon.process.pid}/status") if ":\t" in line)
    assert status["Name"].strip() == "hallpassd"
    assert status["Uid"].split() == status["Gid"].split() == [str(USER)] * 4
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0 and int(status["NoNewPrivs"]) == 1
    # Nothing can be written where it runs, not even by who may there.
    for place in ("/", "/etc/hallpass", "/tmp"):
        done = run(it.restricted(made, ["touch", f"{place}/x"]))
        assert done.code != 0, place
    assert run(it.restricted(made, ["cat", "/run/secrets/hallpass/secret_key"])).code == 0


@needs_root
def test_it_answers(pod, site):
    _, _, daemon = pod
    session = site.login("alice", PASSWORDS["alice"])
    answer = daemon.ask("/auth?redirect=1&basic=0&original=/a", [("Cookie", session.cookie_header)])
    assert (answer.status, answer.headers["Remote-User"]) == (200, "alice")
    # The gateway's pods are believed about the client's address and the page that it wanted.
    answer = daemon.ask("/auth?redirect=1", [("X-Forwarded-For", "192.0.2.7"), ("X-Original-URI", "/private/x")])
    assert answer.status == 302 and answer.headers["Location"].endswith("/login/?next=%2Fprivate%2Fx")
    assert '"client":"192.0.2.7"' in daemon.log()
    # `accept` has sessions alone.
    assert daemon.ask("/auth", [("Authorization", web.basic("alice", PASSWORDS["alice"]))]).status == 401


@needs_root
def test_probes(pod):
    _, _, daemon = pod
    for name, probe in hallpassd_of(DEPLOYMENT).items():
        if name.endswith("Probe"):
            assert web.ask(daemon.addresses[1], probe["httpGet"]["path"]).status == 200, name
    assert web.ask(daemon.addresses[1], "/metrics").status == 200
    assert web.ask(daemon.addresses[1], "/auth").status == 404
    # `/check` is for unix sockets alone.
    assert daemon.ask("/check", method="POST", body=b"{}").status in (403, 404)


@needs_root
def test_the_sidecar(new_directory, site, hallpass_programs):
    """Its [daemon] is what the file says in its comment."""
    comment = (DIRECTORY / "sidecar.yaml").read_text().partition("apiVersion")[0]
    listen = [line[1:].strip() for line in comment.splitlines() if " = [" in line]
    assert len(listen) == 2
    text = CONFIGURATION
    for line in listen:
        key = line.partition(" = ")[0]
        [old] = [other for other in text.splitlines() if other.startswith(f"{key} = ")]
        text = text.replace(old, line)
    status = (LOOPBACK, free_port())
    directory = new_directory()
    it = Pod(directory, site, text, {"tcp:0.0.0.0:9188": "tcp:{}:{}".format(*status)})
    with namespace(directory, it.set_up) as made:
        command = hallpassd_of(SIDECAR)["command"]
        program = hallpass_programs[os.path.basename(command[0])]
        with running(it.restricted(made, [program, *command[1:]]), directory / "hallpassd.log",
                     lambda: accepts(status), cwd="/"):
            ask = ["curl", "--silent", "--unix-socket", "/run/hallpass/http.sock", "http://localhost/session"]
            done = run(it.restricted(made, [*ask, "--write-out", "%{http_code}"]))
            assert done.text.endswith("401"), done
            session = site.login("alice", PASSWORDS["alice"])
            done = run(it.restricted(made, [*ask, "--header", f"Cookie: {session.cookie_header}"]))
            assert done.json["user"] == "alice"
            # Another user of the machine cannot ask.
            other = made.inside(["setpriv", "--reuid=65533", "--regid=65533", "--clear-groups", *ask])
            assert subprocess.run(other, capture_output=True, timeout=60).returncode == 7
