"""Runs of an app's custom steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from sandbox.slack.manifest import Function
from sandbox.slack.model import Json

State = Literal["running", "done", "failed"]


@dataclass(slots=True)
class Execution:
    """One run of a step, for whom and where its workflow was started (empty: for nobody, on a schedule)."""

    id: str
    function: Function
    user: str
    channel: str
    event: Json
    state: State = "running"
    outputs: Json = field(default_factory=dict)
    error: str = ""
