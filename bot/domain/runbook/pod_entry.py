"""What a runbook says of its pod, for the bot's own checks."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, Field, model_validator

from bot.domain.core.target import ContainerTarget, CrontabSpec, Remedies, no_doubles
from bot.domain.runbook.entry import Entry


class PodEntry(Entry):
    """What is expected of the pod. The target's settings come first: what they leave out is as said here."""

    containers: tuple[ContainerTarget, ...] = Field(default=(), max_length=20)
    """Its containers: the user that each runs as, the processes that must run in it, its home."""
    crontab: CrontabSpec | None = None
    """Its crontab and scripts; not set: it has none."""
    remedies: Remedies = Remedies()
    """What to do about what goes wrong, where the pod's own runbook knows more than Kubernetes does."""

    @model_validator(mode="after")
    def _unique_names(self) -> Self:
        no_doubles("container", [one.name for one in self.containers])
        return self

    def over(self, base: PodEntry) -> PodEntry:
        """Lay this over ``base``: containers of one name, and remedies, replace what they set."""
        found = {one.name: one for one in base.containers}
        for one in self.containers:
            known = found.get(one.name)
            found[one.name] = known.model_copy(update=_set(one)) if known else one
        remedies = base.remedies.model_copy(update=_set(self.remedies))
        crontab = self.crontab or base.crontab
        if self.crontab and base.crontab:
            crontab = base.crontab.model_copy(update=_set(self.crontab))
        return self.model_copy(
            update={"containers": tuple(found.values()), "crontab": crontab, "remedies": remedies}
        )


def _set(model: BaseModel) -> dict[str, Any]:
    return {name: getattr(model, name) for name in model.model_fields_set}
