"""As much of an XMPP client as a login takes: stream, STARTTLS, SASL PLAIN, a resource; and streams
that are resumed.

RFC 6120 sections 4 (streams), 5 (STARTTLS), 6 (SASL), 7 (resources); RFC 4616 (PLAIN); XEP-0198.
"""

import base64
import socket
import ssl
import time
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import logs

STREAMS = "{http://etherx.jabber.org/streams}"
TLS = "{urn:ietf:params:xml:ns:xmpp-tls}"
SASL = "{urn:ietf:params:xml:ns:xmpp-sasl}"
BIND = "{urn:ietf:params:xml:ns:xmpp-bind}"
MANAGEMENT = "{urn:xmpp:sm:3}"


class StreamClosed(Exception):
    """The server ended the stream, or said `stream:error`."""


class XmppStream:
    """One connection to an XMPP server, up to and including the login."""

    def __init__(self, address: tuple[str, int], domain: str, timeout: float = 60):
        self.domain = domain
        self.socket = socket.create_connection(address, timeout=timeout)
        try:
            self._open()
            self._send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
            if (answer := self._next_stanza()).tag != TLS + "proceed":
                raise StreamClosed(f"no STARTTLS: {answer.tag}")
            # The tests' certificate is self-signed.
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            self.socket = context.wrap_socket(self.socket, server_hostname=domain)
            features = self._open()
            self.mechanisms = [item.text for item in features.iter(SASL + "mechanism")]
        except BaseException:
            self.socket.close()
            raise

    def __enter__(self) -> "XmppStream":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def authenticate(self, user: bytes, password: bytes, authorize_as: bytes = b"") -> str:
        """The name of the server's answer: `success`, or the failure's condition."""
        message = base64.b64encode(b"\0".join((authorize_as, user, password))).decode()
        logs.note(password, message)
        self._send(
            "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" f"{message}</auth>"
        )
        answer = self._next_stanza()
        if answer.tag == SASL + "success":
            return "success"
        if answer.tag == SASL + "failure":
            return next(
                child.tag.removeprefix(SASL) for child in answer if child.tag != SASL + "text"
            )
        raise StreamClosed(f"neither success nor failure: {answer.tag}")

    def bind(self, resource: str) -> str:
        """Makes the login a connection that others can reach; its full JID."""
        self._open()
        self._send(
            "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
            f"<resource>{resource}</resource></bind></iq>"
        )
        answer = self._next_stanza()
        jid = answer.find(f"{BIND}bind/{BIND}jid")
        if jid is None:
            raise StreamClosed(f"no resource: {answer.attrib}")
        self._send("<presence/>")
        return jid.text

    def restart(self) -> None:
        """Starts the stream that follows a login."""
        self._open()

    def say(self, status: str) -> None:
        """Sends a presence with this text."""
        text = escape(status, {"\n": "&#10;", "\t": "&#9;"})
        self._send(f"<presence><status>{text}</status></presence>")

    def make_resumable(self) -> str:
        """Has the server keep the stream where the connection is lost (XEP-0198 section 3); its id."""
        self._send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
        while (answer := self._next_stanza()).tag != MANAGEMENT + "enabled":
            pass
        assert answer.attrib["resume"] in ("true", "1")
        return answer.attrib["id"]

    def resume(self, identifier: str) -> bool:
        """Whether the server lets a login take over that stream (section 5)."""
        self._open()
        self._send(f"<resume xmlns='urn:xmpp:sm:3' previd='{identifier}' h='0'/>")
        answer = self._next_stanza().tag
        assert answer in (MANAGEMENT + "resumed", MANAGEMENT + "failed"), answer
        return answer == MANAGEMENT + "resumed"

    def lose(self) -> None:
        """Loses the connection, without an end of the stream."""
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def end(self, seconds: float) -> str | None:
        """Why the server has ended the stream, within `seconds`; None where it goes on."""
        deadline = time.monotonic() + seconds
        try:
            while (left := deadline - time.monotonic()) > 0:
                self.socket.settimeout(left)
                self._next_stanza()
        except TimeoutError:
            pass
        except StreamClosed as closed:
            return str(closed)
        return None

    def _open(self) -> ElementTree.Element:
        """Starts a new stream (section 4.3.3: also after STARTTLS); its features."""
        self.parser = ElementTree.XMLPullParser(("start", "end"))
        self.depth = 0
        self._send(
            "<?xml version='1.0'?><stream:stream version='1.0' xmlns='jabber:client' "
            f"xmlns:stream='http://etherx.jabber.org/streams' to='{self.domain}'>"
        )
        return self._next_stanza()

    def _send(self, text: str) -> None:
        self.socket.sendall(text.encode())

    def _next_stanza(self) -> ElementTree.Element:
        while True:
            for event, element in self.parser.read_events():
                self.depth += 1 if event == "start" else -1
                if event == "end" and self.depth == 1:
                    if element.tag == STREAMS + "error":
                        raise StreamClosed(", ".join(child.tag for child in element))
                    return element
                if self.depth == 0:
                    raise StreamClosed("the server closed the stream")
            received = self.socket.recv(65536)
            if not received:
                raise StreamClosed("the connection ended")
            self.parser.feed(received)


def login(
    address: tuple[str, int], domain: str, user: str | bytes, password: str | bytes
) -> bool:
    """Whether the server lets `user` in with `password`, by a connection of its own."""
    user = user.encode() if isinstance(user, str) else user
    password = password.encode() if isinstance(password, str) else password
    with XmppStream(address, domain) as stream:
        answer = stream.authenticate(user, password)
    if answer not in ("success", "not-authorized"):
        raise StreamClosed(answer)
    return answer == "success"
