"""A pretend registry of container images over real HTTP, with the agent pod's image in it.

It gives anonymous tokens as ghcr.io does: a request without one is refused, and the refusal names where to get it.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from sandbox import images
from sandbox.breaks import Break
from sandbox.cluster.faults import toggle
from sandbox.cluster.listener import Listener

TOKEN = "pretend"  # noqa: S105 - worth nothing outside the sandbox
ARM_ONLY = "arm-only"
"""A tag with an image for no other platform than arm64."""


class PretendRegistry:
    """The registry on 127.0.0.1. Use it as ``async with PretendRegistry() as registry``.

    ``latency`` is the seconds before each answer.
    """

    def __init__(self, port: int = 0) -> None:
        """Not yet started; port 0 takes a free one."""
        self.latency = 0.0
        self.hanging = False
        self.asked: list[str] = []
        """Method and path of each request, in order."""
        self._old, self._new = images.image(1), images.image(2)
        arm = images.image(1, ("arm64",))
        self._documents = self._old.documents | self._new.documents | arm.documents
        old, new = self._old.digest, self._new.digest
        self.tags = {"latest": old, "1.0.0": old, "1.1.0": new, ARM_ONLY: arm.digest}
        self.listener = Listener(self._app(), port)
        self.breaks: list[Break] = _breaks(self)

    @property
    def url(self) -> str:
        """The base address."""
        return self.listener.url

    @property
    def pushed(self) -> bool:
        """Whether the tag points to the new image."""
        return self.tags["latest"] == self._new.digest

    def push(self, new: bool = True) -> None:
        """Point ``:latest`` to a new image, or back to the old one."""
        self.tags["latest"] = (self._new if new else self._old).digest

    def image_id(self, image: str) -> str:
        """What a node reports as the image's id once it has pulled it."""
        name, _, digest = image.partition("@")
        repository, _, tag = name.removeprefix(images.HOST).partition(":")
        return f"{images.HOST}{repository}@{digest or self.tags.get(tag, self._old.digest)}"

    async def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        await self.listener.start()

    async def stop(self) -> None:
        """Close everything."""
        await self.listener.stop()

    async def __aenter__(self) -> Self:
        """Start."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        await self.stop()

    def _app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/token", self._token)
        app.router.add_get("/v2/{name:.+}/{kind:manifests|blobs}/{version}", self._document)
        return app

    async def _token(self, _request: web.Request) -> web.Response:
        await self._faults()
        return web.json_response({"token": TOKEN, "expires_in": 300})

    async def _document(self, request: web.Request) -> web.Response:
        self.asked.append(f"{request.method} {request.path}")
        await self._faults()
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            challenge = f'Bearer realm="{self.url}/token",service="{images.HOST}",scope="repository:x:pull"'
            return _error(401, "UNAUTHORIZED", {"WWW-Authenticate": challenge})
        name, version = request.match_info["name"], request.match_info["version"]
        digest = self.tags.get(version, version)
        if name != images.PATH or digest not in self._documents:
            return _error(404, "MANIFEST_UNKNOWN")
        media_type, body = self._documents[digest]
        return web.Response(body=body, content_type=media_type, headers={"Docker-Content-Digest": digest})

    async def _faults(self) -> None:
        if self.hanging:
            await asyncio.Event().wait()
        await asyncio.sleep(self.latency)


def _error(status: int, code: str, headers: dict[str, str] | None = None) -> web.Response:
    body: dict[str, Any] = {"errors": [{"code": code, "message": code.lower()}]}
    return web.json_response(body, status=status, headers=headers)


def _breaks(registry: PretendRegistry) -> list[Break]:
    def hang(on: bool) -> None:
        registry.hanging = on

    async def refuse(on: bool) -> None:
        await (registry.listener.refuse() if on else registry.listener.accept())

    pushed = ("A new image is pushed", ":latest points to it; the pod runs the old one until it is started anew")
    hangs = ("The registry hangs", "requests get no answer")
    down = ("The registry is down", "connections are refused")
    return [
        toggle("registry-pushed", "Network", pushed, lambda: registry.pushed, registry.push),
        toggle("registry-hangs", "Network", hangs, lambda: registry.hanging, hang),
        toggle("registry-down", "Network", down, lambda: registry.listener.refusing, refuse),
    ]
