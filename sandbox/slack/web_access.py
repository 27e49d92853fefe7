"""Access control for the page's API: the page itself may use it, another website in the browser may not.

Binding to localhost is not enough: a website can send requests to localhost, and DNS rebinding can make
its own name point there. So the Host must be a local name, and a cross-site Origin is refused.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from aiohttp import web

_LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})

PAGE_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
        "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
}
FILE_HEADERS = PAGE_HEADERS | {"Content-Security-Policy": "default-src 'none'; sandbox"}


def check(request: web.Request) -> None:
    """Raise HTTPForbidden unless the request comes from this server's own page, or from outside a browser."""
    if urlsplit(f"//{request.host}").hostname not in _LOCAL:
        raise web.HTTPForbidden(text="this server answers to localhost only")
    origin = request.headers.get("Origin")
    if origin is not None and origin != f"http://{request.host}":
        raise web.HTTPForbidden(text="only the sandbox's own page may do this")
    followed_link = request.method == "GET" and request.headers.get("Sec-Fetch-Mode") == "navigate"
    if not followed_link and request.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none"):
        raise web.HTTPForbidden(text="only the sandbox's own page may do this")
    if request.method == "POST" and request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType(text="send JSON with Content-Type: application/json")
