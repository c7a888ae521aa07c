"""The gate that every request passes: Host, Origin, token.

A web page that somebody visits can send requests to servers on the same machine. It cannot choose the Host header, nor hide
its Origin, nor add a header without asking first; that is what is checked here. DNS rebinding, by which a page gives its own
name to another address, shows in the Host header (GHSA-5jx5-hqx5-2vrj, CVE-2025-66416); pages without an origin of their
own say ``null`` (CVE-2024-47165).
"""

from __future__ import annotations

import ipaddress
import re
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

from fastapi.responses import Response

from limner.server.errors import error_response
from limner.server.headers import headers_of
from limner.server.metrics import Asgi, Metrics, Receive, Scope, Send
from limner.server.refused import Refused
from limner.server.settings import LOCAL_HOSTS, Settings
from limner.server.token import Access

OPEN_PATHS = ("/healthz", "/readyz")  # for whoever watches over the process; they say nothing about models
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?")
FORM_TYPES = (
    "",
    "multipart/form-data",
    "text/plain",
    "application/x-www-form-urlencoded",
)  # a page may send them unasked


class Guard:
    """ASGI middleware around all routes, assets and errors."""

    def __init__(self, app: Asgi, settings: Settings, access: Access | None, metrics: Metrics) -> None:
        self.app, self.settings, self.access, self.metrics = app, settings, access, metrics
        self._hosts = {name.lower().strip("[]") for name in (*LOCAL_HOSTS, settings.host, *settings.allowed_hosts)}
        self._addresses = {address for name in self._hosts if (address := _address(name)) is not None}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it here."""
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            answer = self._answer(scope, headers_of(scope))
        except Refused as refused:
            self.metrics.rejected(refused.code)
            answer = error_response(refused, scope["path"])
            if refused.status == 401:
                answer.headers["WWW-Authenticate"] = 'Bearer realm="limner"'
        await (answer or self.app)(scope, receive, send)

    def _answer(self, scope: Scope, headers: dict[str, str]) -> Response | None:
        """What is answered without asking a route; None = the request may pass.

        Raises
        ------
        Refused : 401, 403, 429.
        """
        self._check_host(scope, headers)
        origin = headers.get("origin")
        if scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            if origin not in self.settings.origins:
                raise Refused(403, "origin", "pages of this origin may not call the server")
            return Response(
                status_code=204,
                headers={
                    "Access-Control-Allow-Methods": "GET, POST",
                    "Access-Control-Allow-Headers": "authorization, content-type, x-limner",
                    "Access-Control-Max-Age": "600",
                },
            )
        if scope["method"] not in SAFE_METHODS:
            self._check_origin(headers)
        if self.access is None or scope["path"] in OPEN_PATHS:
            return None
        address = scope["client"][0] if scope.get("client") else ""
        started = parse_qs(scope["query_string"].decode("latin-1")).get("token", [])
        if scope["path"] == "/" and scope["method"] == "GET" and started:
            return self._exchange(started[0], address)
        kind, _, bearer = headers.get("authorization", "").partition(" ")
        self.access.check(
            bearer.strip() if kind.lower() == "bearer" else None, _cookie(headers, self.access.cookie), address=address
        )
        return None

    def _check_host(self, scope: Scope, headers: dict[str, str]) -> None:
        stated = [value for name, value in scope["headers"] if name == b"host"]
        host = _host_name(headers.get("host", "")) if len(stated) == 1 else ""
        if host in self._hosts:
            return
        address = _address(host)
        own = _address(scope["server"][0]) if scope.get("server") else None
        if address is not None and (address == own or address in self._addresses):
            return  # the address that the connection came to, or one of the known ones: there is no name to rebind
        raise Refused(403, "host", "the server is not known by this name; --allow-host adds one")

    def _check_origin(self, headers: dict[str, str]) -> None:
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if origin is None and site is None:
            return  # no browser
        if origin is not None:
            if not _is_own(origin, headers.get("host", "")) and origin not in self.settings.origins:
                raise Refused(403, "origin", "pages of this origin may not call the server")
        elif site not in ("same-origin", "none"):
            raise Refused(403, "origin", "pages of other sites may not call the server")
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind in FORM_TYPES and headers.get("x-limner") != "1":
            raise Refused(403, "header", "requests of web pages need the header X-Limner: 1")

    def _exchange(self, token: str, address: str) -> Response:
        assert self.access is not None
        session = self.access.exchange(token, address=address)
        answer = Response(status_code=303, headers={"Location": "/", "Cache-Control": "no-store"})
        answer.set_cookie(self.access.cookie, session, httponly=True, samesite="strict", path="/")
        return answer


def _host_name(header: str) -> str:
    """The name or address of a Host header, without the port and in small letters; empty when it is damaged."""
    match = _HOST.fullmatch(header)
    return match[1].strip("[]").lower().rstrip(".") if match else ""


def _is_own(origin: str, host: str) -> bool:
    try:
        found = urlsplit(origin)
    except ValueError:
        return False
    return found.scheme in ("http", "https") and bool(host) and found.netloc.lower() == host.lower()


def _address(host: str | None) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that a text is, whichever way it is written; None for a name.

    A socket that listens on ``::`` tells of its IPv4 callers as ``::ffff:10.0.0.5``; the zone behind ``%`` says which network
    card of this machine is meant, and callers do not state it.
    """
    try:
        found = ipaddress.ip_address((host or "").partition("%")[0])
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, ipaddress.IPv6Address) else found


def _cookie(headers: dict[str, str], name: str) -> str | None:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return None
    return found.value if found is not None else None
