"""The entries of a runbook file, as they are after reading: checks, diagnoses, commands and tests.

Those of repairs are in `bot.domain.runbook.repair`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal

from pydantic import Field

from bot.domain.core.links import CheckRunbookUrl, DiagnosisRunbookUrl
from bot.domain.core.target import Duration, DurationOrZero, IssueReference
from bot.domain.runbook.entry import MOST, Entry, Line, Name, Source, Text
from bot.domain.runbook.kind import FactUse
from bot.domain.runbook.param import Param
from bot.domain.runbook.pod_entry import PodEntry
from bot.domain.runbook.repair import Impact, Offer, RepairEntry

MOST_TESTS = 2_000
"""Most tests of one runbook."""
UNREADABLE = "unreadable"
"""What a test says of a fact that can't be read."""


class RemedyCase(Entry):
    """What to do about a failure in one case, where its facts tell several apart."""

    when: Source
    """CEL that is true in this case."""
    remedy: Text
    """What to do then."""


class Failure(Entry):
    """What a check says when it fails."""

    verdict: Literal["fail", "warn"] = "fail"
    """What a failure counts as in `status`."""
    severity: Literal["critical", "warning"] = "critical"
    """How bad its alert is."""
    says: Source | None = None
    """Text in CEL; without it "TITLE: not as expected"."""
    remedy: Text | None = None
    """What to do about it."""
    cases: tuple[RemedyCase, ...] = Field(default=(), max_length=10)
    """Other remedies, each for one case; the first that fits counts."""
    offer: Offer | None = None
    """A repair to offer as a button: its name, or ``{repair: NAME, PARAMETER: value}``; or one of the bot's own:
    `cron edit`, `ssh keys copy`, `egress repair`, `image pull`, `restart`,
    ``{repair: restart, container: NAME}``."""


class Alert(Entry):
    """Whether and how a failing check raises an incident."""

    every: Duration = timedelta(minutes=1)
    """The time between two checks."""
    for_: DurationOrZero = Field(default=timedelta(minutes=5), alias="for")
    """How long it must fail until it fires."""
    severity: Literal["critical", "warning"] | None = None
    """How bad it is; not set: as its failure says."""
    issue: IssueReference | None = None
    """The GitHub issue that the health-bridge keeps for it: ``repository#12`` or ``owner/repository#12``."""


class CheckEntry(Entry):
    """Reads facts and judges them by an expression."""

    title: Line
    """How messages call it."""
    facts: Mapping[str, FactUse] = Field(min_length=1, max_length=8)
    """By name; a check that reads one fact may leave the name out, which is then empty."""
    expect: Source
    """CEL that is true when all is well."""
    says: Source | None = None
    """Text in CEL when all is well."""
    fails: Failure = Failure()
    """What it says otherwise."""
    status: bool = False
    """Whether it is part of `status`, and so of Home and the digest."""
    alert: Alert | None = None
    """Makes it raise an incident when it fails."""
    runbook_url: CheckRunbookUrl = ""
    """The page on what to do when it fails, with https://: a button on its alert, and in `status`."""
    needs: tuple[Name, ...] = ()
    """Checks without which it says nothing: while one of them fails, it is not made."""


class Cause(Entry):
    """One cause of a diagnosis. It is claimed only with its proof, a line of one of its facts."""

    name: Name
    """How tests call it."""
    title: Line | None = None
    """How messages call it, a few words: "Service without a pod". Not set: the name, with blanks for dashes."""
    facts: Mapping[str, FactUse] = Field(default_factory=dict, max_length=8)
    """Besides the diagnosis's own."""
    when: Source = "true"
    """CEL that is true where the cause may be there."""
    proof: Source
    """CEL that yields the line which shows the cause; the first of no lines, or an empty text, if there is none.

    Where it fails otherwise, the cause is open.
    """
    says: Source
    """The cause in one sentence, in CEL."""
    refuted: Source | None = None
    """CEL that yields the line which rules the cause out."""
    remedy: Text | None = None
    """What to do about it."""
    same_as: Name | None = None
    """The check of `status` that finds the same, such as ``processes``: while it does, its remedy is taken."""
    offer: Offer | None = None
    """A repair to offer as a button: its name, or ``{repair: NAME, PARAMETER: value}``; or one of the bot's own:
    `cron edit`, `ssh keys copy`, `egress repair`, `image pull`, `restart`,
    ``{repair: restart, container: NAME}``."""

    @property
    def called(self) -> str:
        """How messages call it."""
        return self.title or self.name.replace("-", " ")


class Diagnosis(Entry):
    """An ordered list of causes: the first one that is proven is the answer."""

    title: Line
    """How messages call it."""
    facts: Mapping[str, FactUse] = Field(default_factory=dict, max_length=12)
    """By name: what all of its causes can use."""
    causes: tuple[Cause, ...] = Field(min_length=1, max_length=50)
    """In order: the first one that is proven is the answer."""
    symptom: Source | None = None
    """CEL over the diagnosis's facts: when it fits, `diagnose` without an argument begins here."""
    runbook_url: DiagnosisRunbookUrl = ""
    """The page on what to do about its causes, with https://: a button on its answer."""
    past: bool = False
    """Whether its causes may be over, such as why the pod restarted: while `status` finds nothing that fails, one
    that is proven is a warning."""


class CommandEntry(Entry):
    """A command that reads one fact and shows it."""

    summary: Line
    """What it shows, for `help`."""
    fact: FactUse
    """The fact that it reads, given directly by its kind."""
    params: Mapping[Name, Param] = Field(default_factory=dict, max_length=8)
    """Its parameters, by name."""
    capability: Literal["view", "operate"] = "view"
    """What a caller must be allowed: to look at the pod, or to read logs and ask for repairs."""
    answer: Literal["text", "table", "lines"] = "text"
    """How the output is shown."""


class Trial(Entry):
    """A test: recorded facts of an entry, and what has to come out."""

    check: Name | None = None
    """The check that is tested."""
    diagnosis: Name | None = None
    """The diagnosis that is tested."""
    repair: Name | None = None
    """The repair whose condition is tested."""
    params: Mapping[Name, str] = Field(default_factory=dict)
    """The repair's parameters; those with a default may be left out."""
    impact: Name | None = None
    """The impact that is tested."""
    given: Mapping[str, Any] = Field(default_factory=dict)
    """By the fact's name (its kind where it has none): its text, ``{text, …outcome}``, or "unreadable"."""
    then: Mapping[str, Any]
    """Of a check ``{verdict, says, severity}``, of a diagnosis ``{cause, proof}``, of a repair ``{allowed, says,
    runs}`` (true, false or unknown; why not; the last step's command), of an impact ``{shows}``."""


class Runbook(Entry):
    """A whole runbook, after ``extends``."""

    name: Name
    pod: PodEntry = PodEntry()
    checks: Mapping[Name, CheckEntry] = Field(default_factory=dict, max_length=MOST)
    diagnoses: Mapping[Name, Diagnosis] = Field(default_factory=dict, max_length=MOST)
    commands: Mapping[Name, CommandEntry] = Field(default_factory=dict, max_length=MOST)
    repairs: Mapping[Name, RepairEntry] = Field(default_factory=dict, max_length=MOST)
    impact: Mapping[Name, Impact] = Field(default_factory=dict, max_length=MOST)
    tests: tuple[Trial, ...] = Field(default=(), max_length=MOST_TESTS)
