"""The HTTP server of a workspace: Slack's surface, the page's, and the page's files, on one local port."""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web

from sandbox.slack import responding, web_access
from sandbox.slack.core import Core
from sandbox.slack.errors import SlackError
from sandbox.slack.model import File
from sandbox.slack.page_api import PageApi
from sandbox.slack.record import ApiCall
from sandbox.slack.socket_mode import SocketHub
from sandbox.slack.web_api import WebApi, lost
from sandbox.slack.web_api.files import MAX_BYTES

_INLINE = frozenset({"image/png", "image/jpeg", "image/gif"})


class Surface:
    """Routes and the handlers that are too small for a module of their own."""

    def __init__(self, core: Core, page_api: PageApi, hub: SocketHub | None, page_dir: Path | None) -> None:
        """``hub`` is None in HTTP mode; ``page_dir`` holds the page's files, or None for no page."""
        self._core = core
        self._page_api = page_api
        self._hub = hub
        self._page_dir = page_dir.resolve() if page_dir is not None else None

    def app(self) -> web.Application:
        """The aiohttp application."""
        app = web.Application(client_max_size=MAX_BYTES + 1024 * 1024)
        api = WebApi(self._core).handle
        app.add_routes(
            [
                web.post("/api/{method}", api),
                web.get("/api/{method}", api),
                web.post("/commands/{tail:.+}", self._response_url),
                web.post("/actions/{tail:.+}", self._response_url),
                web.post("/app/{tail:.+}", self._response_url),
                web.post("/upload/v1/{ticket}", self._upload),
                web.get("/files/{id}", self._file),
                web.get("/files/{id}/{name}", self._file),
                *self._page_api.routes(),
            ]
        )
        if self._hub is not None:
            app.router.add_get("/link/", self._hub.handle)
        app.router.add_get("/{path:.*}", self._page)
        return app

    async def _response_url(self, request: web.Request) -> web.Response:
        call = ApiCall("response_url", {}, self._core.clock())
        self._core.record.calls.append(call)
        try:
            call.args = _payload(await request.read())
            responding.use(self._core, request.path, call.args)
        except SlackError as error:
            call.result, call.status = error.body(), error.status
            return web.json_response(call.result, status=error.status, headers=error.headers)
        call.result = {"ok": True}
        if self._core.faults.answer_lost:
            call.result, call.status = {"ok": False, "error": "internal_error"}, 500
            return lost(self._core.faults.lost_as, request)
        return web.Response(text="ok")

    async def _upload(self, request: web.Request) -> web.Response:
        if self._core.faults.upload in ("bytes", "too-large"):
            return web.Response(status=500 if self._core.faults.upload == "bytes" else 413)
        try:
            content = await _bytes(request)
            self._core.files.receive(request.match_info["ticket"], content)
        except KeyError:
            return web.Response(status=404, text="no such upload")
        except ValueError as error:
            return web.Response(status=400, text=str(error))
        return web.Response(text=f"OK - {len(content)}")

    async def _file(self, request: web.Request) -> web.Response:
        web_access.check(request)
        file = self._core.files.get(request.match_info["id"])
        if file is None or file.content is None or request.match_info.get("name", file.name) != file.name:
            raise web.HTTPNotFound(text="no such file")
        return _served(file, download="download" in request.query)

    async def _page(self, request: web.Request) -> web.StreamResponse:
        web_access.check(request)
        if self._page_dir is None:
            raise web.HTTPNotFound(text="this workspace runs without its page")
        path = (self._page_dir / (request.match_info["path"] or "index.html")).resolve()
        if not path.is_relative_to(self._page_dir) or not path.is_file():
            raise web.HTTPNotFound(text="no such page")
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        charset = "utf-8" if kind.startswith("text/") else None
        return web.Response(
            body=path.read_bytes(), content_type=kind, charset=charset, headers=web_access.PAGE_HEADERS
        )


def _payload(raw: bytes) -> dict[str, object]:
    try:
        value = json.loads(raw)
    except ValueError:
        raise SlackError("invalid_payload", status=400) from None
    if not isinstance(value, dict):
        raise SlackError("invalid_payload", status=400)
    return value


async def _bytes(request: web.Request) -> bytes:
    """The upload's bytes, sent raw or as a form's first file."""
    if request.content_type != "multipart/form-data":
        return await request.read()
    for value in (await request.post()).values():
        if isinstance(value, web.FileField):
            return value.file.read()
    raise ValueError("the form holds no file")


def _served(file: File, *, download: bool) -> web.Response:
    headers = dict(web_access.FILE_HEADERS)
    inline = file.mimetype in _INLINE or file.mimetype == "text/plain"
    if download or not inline:
        headers["Content-Disposition"] = "attachment"
    kind = file.mimetype if inline else "application/octet-stream"
    charset = "utf-8" if kind == "text/plain" else None
    return web.Response(body=file.content, content_type=kind, charset=charset, headers=headers)


Start = Callable[[], Awaitable[None]]


class LocalServer:
    """Listens on this machine only."""

    def __init__(self, host: str, port: int) -> None:
        """Raises ValueError for a host that isn't this machine's loopback."""
        if host not in ("127.0.0.1", "localhost", "::1"):
            raise ValueError(f"the workspace listens on localhost only, not on {host!r}")
        self._host, self._port = host, port
        self._runner: web.AppRunner | None = None

    async def start(self, app: web.Application) -> str:
        """Listen; returns the base URL. Raises OSError if the port is taken."""
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port, backlog=512)
        try:
            await site.start()
        except OSError:
            await self._runner.cleanup()
            raise
        port = self._runner.addresses[0][1]
        return f"http://{f'[{self._host}]' if ':' in self._host else self._host}:{port}"

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
