"""``GET /``: the page for people, and the files that it is built of.

The page is written in TypeScript (``web/``) and built into ``server/static``, which a wheel carries and a clone does not.
Without it everything else works, and this route says how to build it.
"""

from __future__ import annotations

import html
from importlib.resources import files
from importlib.resources.abc import Traversable

from fastapi import APIRouter, Request
from starlette.responses import Response

from limner.server.refused import Refused
from limner.server.state import State

STATIC = files("limner.server") / "static"
BUILD = "cd web && npm ci --ignore-scripts && npm run build"
MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}

# Pictures and videos that a person chose are shown from memory (blob:); nothing comes from elsewhere, nothing is written inline.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'", "img-src 'self' data: blob:", "media-src 'self' blob:", "object-src 'none'", "base-uri 'none'",
        "form-action 'none'", "frame-ancestors 'none'",
    )
)  # fmt: skip
# The names of built files contain a hash of their content, so that they never change; the page that names them may.
FOREVER = {"Cache-Control": "max-age=31536000, immutable"}
ASK_AGAIN = {"Cache-Control": "no-cache"}
PAGE = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Permissions-Policy": "camera=(self)", **ASK_AGAIN}


def router(state: State, *, static: Traversable = STATIC) -> APIRouter:
    """The page, its files, and the licences of what is in them.

    Parameters
    ----------
    state : of the server; the page asks the other routes for all that it shows.
    static : folder of the built page; what is in it is read once, here, so that no request can reach any other file.
    """
    routes = APIRouter(include_in_schema=False)
    assets = read_assets(static)
    index = static / "index.html"
    page = index.read_bytes() if index.is_file() else not_built()

    @routes.api_route("/", methods=["GET", "HEAD"])
    def show() -> Response:
        """The page, or how to build it."""
        return Response(page, 200, PAGE, MEDIA_TYPES[".html"])

    @routes.api_route("/assets/{name}", methods=["GET", "HEAD"])
    def asset(name: str, request: Request) -> Response:
        """A file of the page."""
        if name not in assets:
            raise Refused(404, "not_found", f"the page has no file {name[:100]}")
        content, kind = assets[name]
        tag = f'"{name}"'
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={**FOREVER, "ETag": tag})
        return Response(content, 200, {**FOREVER, "ETag": tag}, kind)

    @routes.api_route("/THIRD_PARTY.txt", methods=["GET", "HEAD"])
    def licences() -> Response:
        """Licences of the packages inside the page."""
        file = static / "THIRD_PARTY.txt"
        if not file.is_file():
            raise Refused(404, "not_found", "the page is not built, so it contains no packages")
        return Response(file.read_bytes(), 200, ASK_AGAIN, MEDIA_TYPES[".txt"])

    return routes


def read_assets(static: Traversable) -> dict[str, tuple[bytes, str]]:
    """Content and media type of each file in ``static/assets`` by name; empty when there is none.

    Raises
    ------
    KeyError : a file of a kind that the page has no use for.
    """
    folder = static / "assets"
    if not folder.is_dir():
        return {}
    return {
        file.name: (file.read_bytes(), MEDIA_TYPES[file.name[file.name.rindex(".") :]])
        for file in folder.iterdir()
        if file.is_file()
    }


def not_built() -> bytes:
    """A page without scripts that says how to build the real one."""
    return f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Limner</title></head>
<body>
<h1>The server runs; its page is not built</h1>
<p>This copy of Limner came without the page. All other routes answer: see <a href="/docs">the documentation</a>.</p>
<p>To build the page in a clone, with Node 20 or later, and then start the server again:</p>
<pre>{html.escape(BUILD)}</pre>
</body>
</html>
""".encode()
