"""A visitor of a site: a browser's cookies, and no proxy."""

import urllib.error
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar

import logs
from processes import LOOPBACK


class Visitor:
    """Somebody with cookies of their own, at the site on a port of this machine."""

    def __init__(self, port: int):
        self.url = f"http://{LOOPBACK}:{port}"
        self.jar = CookieJar()
        self.opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self.jar)
        )

    def ask(self, path: str, cookie: str | None = None, **form: str) -> str:
        """What a page says, by GET, or by POST where there is a form. `cookie` is a header in place of
        the visitor's own."""
        data = urllib.parse.urlencode(form).encode() if form else None
        request = urllib.request.Request(self.url + path, data)
        opener = self.opener
        if cookie is not None:
            request.add_header("Cookie", cookie)
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=60) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.read().decode()

    def cookie(self, name: str) -> str:
        """The value of a cookie, as it stands in a Cookie header."""
        [value] = [cookie.value for cookie in self.jar if cookie.name == name]
        logs.note(value)
        return value

    def log_in(self, name: str, password: str) -> "Visitor":
        assert self.ask("/login", username=name, password=password) == name
        return self
