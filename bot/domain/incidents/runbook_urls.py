"""The pages on what to do about alerts, by the alert's kind. Pure."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from bot.domain.core.links import AlertRunbookUrl, CheckRunbookUrl, JobRunbookUrl

_PREFIX = "source:"
"""What the names of some problem sources begin with."""


class RunbookUrls(BaseModel):
    """Pages on what to do, as Prometheus's ``runbook_url``: a button on the alert.

    ``{kind}``, ``{target}``, ``{namespace}`` and ``{deployment}`` in a URL stand for the alert's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    default: AlertRunbookUrl = ""
    """For every alert without a URL of its own. Empty: none."""
    pod: AlertRunbookUrl = ""
    """The pod is not healthy."""
    restarts: AlertRunbookUrl = ""
    """The pod keeps restarting."""
    process: AlertRunbookUrl = ""
    """A process that must run is gone."""
    storage: AlertRunbookUrl = ""
    """The volume is filling up."""
    heartbeat: JobRunbookUrl = ""
    """A job's heartbeat is stale, and the job has no ``runbook_url``; ``{job}`` stands for its name."""
    check: CheckRunbookUrl = ""
    """A check fails, and its runbook has no ``runbook_url`` for it; ``{check}`` stands for its name."""
    cluster: AlertRunbookUrl = ""
    """The API server can't be read."""
    pushgateway: AlertRunbookUrl = ""
    """The Pushgateway can't be read."""
    inside: AlertRunbookUrl = ""
    """Commands in the pod fail."""
    task: AlertRunbookUrl = ""
    """A background task of the bot keeps failing."""

    def of(self, source: str) -> str:
        """The URL for the problem source of that name; a new source has the default."""
        name = kind(source)
        return (str(getattr(self, name)) if name in type(self).model_fields else "") or self.default


def kind(source: str) -> str:
    """What the settings call a problem source."""
    return source.removeprefix(_PREFIX)
