"""All scenes, the longest first."""

from __future__ import annotations

from scripts.pictures import scenes_of_alerts, scenes_of_answers, scenes_of_page, scenes_of_requests
from scripts.pictures.scene import Scene

MODULES = (scenes_of_requests, scenes_of_alerts, scenes_of_answers, scenes_of_page)
SCENES: tuple[Scene, ...] = tuple(scene for module in MODULES for scene in module.SCENES)
