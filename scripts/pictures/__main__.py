"""Take the pictures in docs/images anew, from the sandbox's page with the real bot in it.

`make screenshots` calls it. With names, it takes only those. It fails where a picture doesn't show what the table
says, where text is cut, or where a raw id or a time in UTC only is seen; such a picture is in
build/faulty-pictures. Needs Chromium.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time

from playwright.async_api import Browser

from scripts.pictures.browser import chromium
from scripts.pictures.camera import Camera
from scripts.pictures.scene import Scene
from scripts.pictures.scenes import SCENES
from scripts.pictures.shot import FOLDER, Shot
from scripts.pictures.table import SHOTS
from tests.scenarios.talk import World


async def _play(browser: Browser, scene: Scene, wanted: list[Shot]) -> list[str]:
    """Play one scene; returns what is wrong with its pictures."""
    async with scene.sandbox() as sandbox:
        if scene.before is not None:
            await scene.before(sandbox)
        world = World(sandbox, await sandbox.start_bot(timeout=60))
        camera = Camera(browser, world.workspace.base_url, wanted)
        try:
            await scene.play(world, camera)
        except Exception as error:  # the other scenes go on
            camera.faults.append(f"the scene {scene.name!r} failed: {error!r}")
        finally:
            await camera.close()
        return camera.faults + [f"{name}: not taken" for name in camera.pending]


async def _main(names: list[str]) -> list[str]:
    """Play the scenes, as many at a time as there are cores."""
    wanted = [shot for shot in SHOTS if not names or shot.name in names]
    turns = asyncio.Semaphore(os.cpu_count() or 1)

    async def turn(browser: Browser, scene: Scene) -> list[str]:
        mine = [shot for shot in wanted if shot.scene == scene.name]
        async with turns:
            return await _play(browser, scene, mine) if mine else []

    async with chromium() as browser:
        found = await asyncio.gather(*(turn(browser, scene) for scene in SCENES))
    return [fault for faults in found for fault in faults]


def main(names: list[str]) -> int:
    """Take the pictures with these names, or all; then delete stale ones. Returns 1 where one is faulty."""
    unknown = set(names) - {shot.name for shot in SHOTS}
    if unknown:
        sys.exit(f"no such picture: {', '.join(sorted(unknown))}")
    began = time.monotonic()
    faults = asyncio.run(_main(names))
    if not names:
        for stale in set(FOLDER.glob("*.png")) - {shot.file for shot in SHOTS}:
            stale.unlink()
    print(
        f"{len(names) or len(SHOTS)} pictures in {time.monotonic() - began:.0f} s, {len(faults)} faulty",
        *faults,
        sep="\n",
    )
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
