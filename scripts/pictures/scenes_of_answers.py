"""Scenes of answers: a healthy pod, and one that is broken in one way after the other."""

from __future__ import annotations

from sandbox.slack import seed
from scripts.pictures.camera import Camera
from scripts.pictures.scene import Scene, ask
from tests.scenarios.talk import World

LINES = {
    "status-healthy": "status",
    "logs": "logs --tail 6",
    "storage": "storage",
    "egress": "egress",
    "secrets": "secrets",
    "ssh-keys": "ssh keys",
    "heartbeats": "heartbeats",
    "cron": "cron",
    "cron-scripts": "cron scripts",
    "help": "help",
    "whoami": "whoami",
    "usage": "logs --tail many",
}
Faults = tuple[tuple[str, bool | str], ...]
BROKEN: dict[str, tuple[str, Faults]] = {
    "status-broken": ("status", (("pod-kill-process", "vibe-kanban"),)),
    "status-all-broken": (
        "status",
        (
            ("pod-kill-process", "sshd"),
            ("pod-disk-full", True),
            ("argocd-degraded", True),
            ("kube-403", "events"),
            ("pushgateway-down", True),
        ),
    ),
    "status-unknown": ("status", (("kube-refuse", True),)),
    "status-forbidden": ("status", (("kube-403", "pods"),)),
    "pods-crash": ("pods", (("pod-crash", True),)),
    "diagnose": ("diagnose", (("pod-config-error", True),)),
    "heartbeats-no-data": ("heartbeats", (("pushgateway-empty", True),)),
    "heartbeats-pushgateway-down": ("heartbeats", (("pushgateway-down", True),)),
}


async def healthy(world: World, camera: Camera) -> None:
    """What a healthy pod's commands answer, and what is refused."""
    for name, line in LINES.items():
        if name in camera.pending:
            await camera.messages(name, *await ask(world, line))
    if "refused" in camera.pending:
        await camera.messages("refused", *await ask(world, "status", seed.SAM))


async def broken(world: World, camera: Camera) -> None:
    """What the commands answer when something is wrong."""
    for name, (line, faults) in BROKEN.items():
        if name not in camera.pending:
            continue
        for fault, value in faults:
            await world.break_(fault, value)
        await camera.messages(name, *await ask(world, line))
        await world.workspace.panel.heal()
        await world.healthy()


TARGET = {"egress": {"policy": "agent-egress"}}
SCENES = (Scene("healthy", healthy, options={"target": TARGET}), Scene("broken", broken))
