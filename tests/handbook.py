"""The handbook's pod, as the settings and the shipped runbook describe it."""

from __future__ import annotations

from typing import Any

from bot.domain.core.target import ContainerTarget, Target
from bot.settings.loader import load

TARGET: Target = load(environ={}).settings.targets[0]
CONTAINER: ContainerTarget = TARGET.containers[0]
REMEDIES = TARGET.remedies


def target(**changes: Any) -> Target:
    """The handbook's target, with some settings changed."""
    return Target.model_validate({**{name: getattr(TARGET, name) for name in TARGET.model_fields_set}, **changes})


def container(**changes: Any) -> ContainerTarget:
    """The handbook's container, with some settings changed."""
    return ContainerTarget.model_validate({**dict(CONTAINER), **changes})
