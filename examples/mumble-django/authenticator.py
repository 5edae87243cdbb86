#!/usr/bin/python3
"""Lets people into Mumble by their logins of the site: asks hallpassd for each.

Runs beside the server. Debian: apt install python3-zeroc-ice zeroc-ice-slice mumble-server
"""

import http.client
import json
import socket
import sys
import time

import Ice

HALLPASS = "/run/hallpass/http.sock"
MUMBLE = "Meta:tcp -h 127.0.0.1 -p 6502"
SECRET = open("/etc/mumble-server/ice_secret").read().strip()  # icesecretwrite
# Groups of the site, any of which lets in; [] for all accounts.
GROUPS = []
# The server waits for each answer, and serves nobody meanwhile.
TIMEOUT = 6

Ice.loadSlice("", ["-I/usr/share/ice/slice", "/usr/share/slice/Murmur.ice"])
import Murmur  # noqa: E402 (Ice makes it)

DENIED, OWN_PASSWORD, UNAVAILABLE = -1, -2, -3


class Connection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(HALLPASS)


def ask(name: str, password: str) -> tuple[int, str, list[str]]:
    """The number of the account, its name as the site spells it, and its groups."""
    question = {"user": name, "password": password, "groups": GROUPS, "host": "mumble"}
    connection = Connection("localhost", timeout=TIMEOUT)
    try:
        connection.request("POST", "/check", json.dumps(question), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()
    if answer.status == 200:
        account = json.loads(body)
        number = int(account["id"])
        # 0 is Mumble's SuperUser.
        return (number if number > 0 else DENIED), account["user"], account["groups"]
    return (DENIED if answer.status in (400, 401, 403) else UNAVAILABLE), "", []


class Authenticator(Murmur.ServerAuthenticator):
    """What the server asks."""

    def authenticate(self, name, password, certificates, digest, strong, current=None):
        # The server's own, whose password `murmurd -supw` sets.
        if name == "SuperUser":
            return OWN_PASSWORD, "", []
        try:
            return ask(name, password)
        except Exception as error:  # Whatever it is, it lets nobody in.
            print(f"hallpassd cannot be asked: {error!r}", file=sys.stderr, flush=True)
            return UNAVAILABLE, "", []

    def getInfo(self, id, current=None):
        return False, {}

    def nameToId(self, name, current=None):
        return -2

    def idToName(self, id, current=None):
        return ""

    def idToTexture(self, id, current=None):
        return b""


def main() -> None:
    properties = Ice.createProperties()
    # The secret goes along with each call.
    properties.setProperty("Ice.ImplicitContext", "Shared")
    # Mumble 1.3 knows no newer one.
    properties.setProperty("Ice.Default.EncodingVersion", "1.0")
    settings = Ice.InitializationData()
    settings.properties = properties
    with Ice.initialize(settings) as ice:
        ice.getImplicitContext().put("secret", SECRET)
        adapter = ice.createObjectAdapterWithEndpoints("hallpass", "tcp -h 127.0.0.1")
        authenticator = Murmur.ServerAuthenticatorPrx.uncheckedCast(adapter.addWithUUID(Authenticator()))
        adapter.activate()
        # The server forgets it when it starts again.
        while True:
            try:
                meta = Murmur.MetaPrx.checkedCast(ice.stringToProxy(MUMBLE))
                for server in meta.getBootedServers():
                    server.setAuthenticator(authenticator)
            except Ice.Exception as error:
                print(f"Mumble cannot be reached: {error}", file=sys.stderr, flush=True)
            time.sleep(5)


main()
