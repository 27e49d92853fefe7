"""A real registry of images for tests: Debian's, on a free port, and a small client that pushes to it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from sandbox.environment import free_port
from sandbox.images import CONFIG, Image
from tests.server_process import serving

SETTINGS = """\
version: 0.1
storage: {{filesystem: {{rootdirectory: {folder}/images}}}}
http: {{addr: "{address}"}}
log: {{level: error}}
"""


def binary() -> str:
    """The path of the binary. Raises FileNotFoundError with what to install."""
    if found := shutil.which("docker-registry"):
        return found
    raise FileNotFoundError("no registry of images: apt install docker-registry")


@asynccontextmanager
async def real_registry() -> AsyncIterator[str]:
    """Run an empty registry; yields its host with the port."""
    address = f"127.0.0.1:{free_port()}"
    with tempfile.TemporaryDirectory(prefix="agentpod-registry-") as folder:
        config = Path(folder) / "config.yml"
        config.write_text(SETTINGS.format(folder=folder, address=address))
        async with serving([binary(), "serve", str(config)], f"http://{address}/v2/", folder):
            yield address


async def push(address: str, path: str, tag: str, image: Image) -> None:
    """Push an image's configurations and manifests, and point the tag to it. Raises aiohttp's errors."""
    base = f"http://{address}/v2/{path}"
    async with aiohttp.ClientSession(raise_for_status=True) as session:
        for digest, (media_type, body) in image.documents.items():
            if media_type == CONFIG:
                async with session.post(f"{base}/blobs/uploads/") as begun:
                    place = begun.headers["Location"]
                await session.put(f"{place}&digest={digest}", data=body)
        for digest, (media_type, body) in image.documents.items():
            if media_type != CONFIG:
                for name in (digest, *([tag] if digest == image.digest else ())):
                    await session.put(f"{base}/manifests/{name}", data=body, headers={"Content-Type": media_type})
