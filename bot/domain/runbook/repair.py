"""The entries of a runbook file that change something, and what a change would cost."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from bot.domain.core.target import Duration
from bot.domain.runbook.entry import Entry, Line, Name, Source
from bot.domain.runbook.facts.exec import NOT_RUN, Exec, ExitCode
from bot.domain.runbook.kind import FactUse
from bot.domain.runbook.param import Param

USUAL_STEP = timedelta(seconds=30)
"""Deadline of a step that has none of its own."""
LONGEST = timedelta(minutes=10)
"""Longest deadline of a step, and of the check after the last one."""
MOST_STEPS = 10
"""Most steps of a repair."""


class Offer(Entry):
    """A repair that is offered as a button, with its parameters."""

    repair: Name | Literal["ssh keys copy", "egress repair", "image pull", "cron edit"]
    """A repair of the file, or a built-in one."""
    values: Mapping[str, str] = Field(default_factory=dict)
    """Its parameters by name, written beside ``repair``."""

    @model_validator(mode="before")
    @classmethod
    def _as_written(cls, given: Any) -> Any:
        """A name alone, or ``{repair: NAME, PARAMETER: value}``."""
        if isinstance(given, str):
            return {"repair": given}
        if isinstance(given, Mapping) and "values" not in given:
            values = {str(key): str(value) for key, value in given.items() if key != "repair"}
            return {key: given[key] for key in given if key == "repair"} | {"values": values}
        return given


class Approval(Entry):
    """Who has to agree."""

    needed: int = Field(default=1, strict=True, ge=1, le=10)
    """Approvals, each by another person; never fewer than ``approvals.needed`` of the settings."""


class Step(Entry):
    """One command of a repair. It is run at most once."""

    exec: Exec
    """The command; parameters fill slots such as ``{service}``. Its ``timeout`` is the deadline (default: 30s)."""
    ok: tuple[ExitCode, ...] = Field(default=(0,), min_length=1, max_length=20)
    """Exit codes that count as success, but for 126 and 127; any other ends the repair."""

    @model_validator(mode="after")
    def _reasonable(self) -> Self:
        if "ok" in self.exec.model_fields_set:
            raise ValueError("ok stands beside exec, not in it")
        if never := [code for code in self.ok if str(code) in NOT_RUN]:
            raise ValueError(f"ok can't have {never[0]}: a program that was not started ends with it")
        if self.exec.timeout is not None and self.exec.timeout > LONGEST:
            raise ValueError("a step takes at most 10m")
        return self

    @property
    def deadline(self) -> timedelta:
        """How long it may take."""
        return self.exec.timeout or USUAL_STEP


class Verify(Entry):
    """The check that must be all right after the last step."""

    check: Name
    """A check of the file."""
    within: Duration = timedelta(seconds=30)
    """How long it may take to become so."""

    @model_validator(mode="after")
    def _reasonable(self) -> Self:
        if self.within > LONGEST:
            raise ValueError("the check has at most 10m")
        return self


class RepairEntry(Entry):
    """Commands in the pod that run once they are approved, and the check that says whether they helped."""

    summary: Line
    """What it does, for `help` and for the card."""
    params: Mapping[Name, Param] = Field(default_factory=dict, max_length=8)
    """Its parameters, by name."""
    capability: Literal["request", "decide"] = "request"
    """Who may ask for it: whoever may ask for repairs, or approvers only."""
    approval: Approval = Approval()
    """Who has to agree."""
    facts: Mapping[str, FactUse] = Field(default_factory=dict, max_length=8)
    """By name: what ``only_if`` is judged by; commands of the kind `exec` may have slots as well."""
    only_if: Source | None = None
    """CEL that must be true when the repair is asked for, and again right before its first step."""
    refusal: Source | None = None
    """Text in CEL: why not, where ``only_if`` is false."""
    steps: tuple[Step, ...] = Field(min_length=1, max_length=MOST_STEPS)
    """In order; one that fails, or whose end is not known, is the last."""
    verify: Verify
    """The check that must be all right after the last step."""
    impact: bool | tuple[Name, ...] = False
    """Whether the card shows what it would cost: all entries of ``impact``, or those named."""


class Impact(Entry):
    """What a restart would cost, shown on its card before anybody approves."""

    title: Line
    """How the card calls it."""
    facts: Mapping[str, FactUse] = Field(min_length=1, max_length=4)
    """By name; an entry that reads one fact may leave the name out, which is then empty."""
    shows: Source
    """CEL that yields what would be lost: a text, or a list of texts; empty where there is nothing."""
