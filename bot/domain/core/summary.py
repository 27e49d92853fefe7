"""Combine findings into one answer: fold shared causes, sort worst first, write the headline.

A check that could not be made is unknown. Where one cause prevents several checks, or one fault makes other checks
fail, it is shown once and the affected checks are listed in a line under it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bot.domain.core import words
from bot.domain.core.probes import Finding, Verdict, worst, worst_first

NO_ANSWER = "no answer in"
NOT_MADE = "not checked: "
"""How the summary of a check begins that another fact keeps from being made."""

NOT_CHECKED, FOLLOWS = "Not checked because of it", "Follows from it"

FOLDED = (NOT_CHECKED, FOLLOWS)
"""Prefixes of evidence lines that list folded findings."""

_CAUSE = "cause:"
"""Prefix of the keys of folded causes; no probe's id begins with it."""


@dataclass(frozen=True)
class MissingRights:
    """The next step for several missing rights of one account: one sentence, one command."""

    remedy: str
    run: str


@dataclass(frozen=True)
class UnknownCause:
    """Why a check could not be made. Causes with equal keys are the same cause."""

    key: tuple[str, ...]
    source: str
    """The key of the source that failed, as in `ProbeResult.answered`."""
    title: str
    """The source's name for people: "API server"."""
    silent: str
    """Summary where the source answered no check at all: "the API server does not answer"."""
    summary: str
    """Summary otherwise."""
    remedy: str | None = None
    run: str | None = None
    right: str = ""
    """The right that is missing; empty for other causes."""
    grant: MissingRights | None = None
    """What to do where several rights are missing."""

    def said(self, others: Sequence[UnknownCause]) -> tuple[str, str | None]:
        """The sentence and remedy for it and ``others`` with its key: several missing rights are one phrase."""
        rights = list(dict.fromkeys(one.right for one in (self, *others) if one.right))
        if len(rights) < 2 or self.grant is None:
            return self.summary, self.remedy
        return f"the bot may not {rights_said(rights)}", self.grant.remedy


@dataclass(frozen=True)
class Unmade:
    """Something that was not checked and is no finding: "Egress policy", and why."""

    title: str
    why: str
    unknown: bool = True
    """Whether it may be wrong all the same; False where there is nothing to check."""

    @property
    def note(self) -> str:
        """The line of it: ``Egress policy not checked: Cilium is not installed``."""
        return f"{self.title} {NOT_MADE}{self.why.removeprefix(NOT_MADE)}"


@dataclass(frozen=True)
class ProbeResult:
    """A probe's finding; ``cause`` and ``blocked_by`` say why the check could not be made."""

    finding: Finding
    cause: UnknownCause | None = None
    blocked_by: str | None = None
    """The probe whose finding explains why this check was not made."""
    answered: frozenset[str] = frozenset()
    """Keys of the sources that answered this probe."""
    lacks_kind: bool = False
    """Whether the finding only says that the API server does not know the kind of object."""


def fold(
    outcomes: Sequence[ProbeResult], consequences: Mapping[str, Sequence[str]] | None = None
) -> list[Finding]:
    """Return the findings worst first, with those that share a cause or follow from another one folded into it.

    ``consequences`` maps a probe to those that fail because of it: they are folded when it fails and they are not
    ok. Among equally bad findings a shared cause comes first, so that the headline names it.
    """
    findings = {o.finding.probe: o.finding for o in outcomes}
    _fold_blocked(outcomes, findings)
    _fold_causes(outcomes, findings)
    for probe, followers in (consequences or {}).items():
        _fold_followers(probe, followers, findings)
    causes = [f for key, f in findings.items() if key.startswith(_CAUSE)]
    return worst_first([*causes, *(f for key, f in findings.items() if not key.startswith(_CAUSE))])


def _fold_blocked(outcomes: Sequence[ProbeResult], findings: dict[str, Finding]) -> None:
    for outcome in outcomes:
        blocker = findings.get(outcome.blocked_by or "")
        if blocker is not None and blocker.verdict is not Verdict.OK:
            del findings[outcome.finding.probe]
    for probe in {o.blocked_by for o in outcomes if o.blocked_by in findings}:
        titles = [o.finding.title for o in outcomes if o.blocked_by == probe and o.finding.probe not in findings]
        if titles:
            findings[probe] = _noting(findings[probe], NOT_CHECKED, titles)


def _fold_causes(outcomes: Sequence[ProbeResult], findings: dict[str, Finding]) -> None:
    groups: dict[tuple[str, ...], list[ProbeResult]] = {}
    for outcome in outcomes:
        if outcome.cause is not None and outcome.finding.probe in findings:
            groups.setdefault(outcome.cause.key, []).append(outcome)
    for number, group in enumerate(groups.values()):
        cause = group[0].cause
        if cause is None or not is_shared(cause, len(group), len(outcomes)):
            continue
        for outcome in group:
            del findings[outcome.finding.probe]
        somebody_heard = any(cause.source in o.answered for o in outcomes)
        findings[f"{_CAUSE}{cause.source}:{number}"] = _carrier(cause, group, somebody_heard)


def is_shared(cause: UnknownCause, affected: int, checks: int) -> bool:
    """Whether a cause is shown in place of the ``affected`` of all ``checks``.

    It takes the place of a single one where that makes up the whole answer, or lacks a right.
    """
    return affected > 1 or affected == checks or bool(cause.right)


RIGHTS = "rights"
"""The id of the finding for missing rights."""
_MOST_RIGHTS = 8


def rights_said(rights: Sequence[str]) -> str:
    """Several rights in one phrase, each verb and each place once: ``list pods, services or events in agents``."""
    places = {right.partition(" in ")[2] for right in rights}
    here = f" in {places.pop()}" if len(places) == 1 and "" not in places else ""
    by_verb: dict[str, list[str]] = {}
    for right in rights[:_MOST_RIGHTS]:
        verb, _, what = right.removesuffix(here).partition(" ")
        by_verb.setdefault(verb, []).append(what)
    more = len(rights) - _MOST_RIGHTS
    said = "; ".join(f"{verb} {words.either(things)}" for verb, things in by_verb.items())
    return f"{said}{f'; {more} more' if more > 0 else ''}{here}"


def _carrier(cause: UnknownCause, group: Sequence[ProbeResult], somebody_heard: bool) -> Finding:
    silent = cause.key[-1] == "silent" and not somebody_heard
    summary, remedy = cause.said([o.cause for o in group if o.cause is not None])
    base = Finding(
        RIGHTS if cause.right else cause.source,
        "Kubernetes rights" if cause.right else cause.title,
        Verdict.UNKNOWN,
        cause.silent if silent else summary,
        (summary,) if silent else _shared_evidence(summary, group),
        remedy,
        cause.grant.run if cause.grant is not None else cause.run,
        max((o.finding.seconds or 0.0 for o in group), default=None),
    )
    return _noting(base, NOT_CHECKED, [o.finding.title for o in group])


def _shared_evidence(summary: str, group: Sequence[ProbeResult]) -> tuple[str, ...]:
    """The evidence that all have; that of the first one where the summary is cut, so that it can be read whole."""
    first, *others = (o.finding.evidence for o in group)
    shared = [line for line in first if all(line in other for other in others)]
    return tuple(
        line for line in shared or (first if summary.endswith("…") else ()) if words.lower_first(line) != summary
    )[:1]


def _fold_followers(probe: str, followers: Sequence[str], findings: dict[str, Finding]) -> None:
    cause = findings.get(probe)
    if cause is None or cause.verdict is not Verdict.FAIL:
        return
    bad = [f for name in followers if (f := findings.get(name)) and f.verdict is not Verdict.OK]
    if bad:
        for finding in bad:
            del findings[finding.probe]
        findings[probe] = _noting(cause, FOLLOWS, [f.title for f in bad])


def _noting(finding: Finding, label: str, names: Sequence[str]) -> Finding:
    return replace(finding, evidence=(*finding.evidence, f"{label}: {', '.join(names)}"))


def overall(findings: Sequence[Finding]) -> Verdict:
    """The worst verdict: fail before unknown before warn. Unknown where nothing was checked."""
    return worst(f.verdict for f in findings)


def headline(
    findings: Sequence[Finding], checks: int, *, whole: bool = True, unmade: Sequence[Unmade] = ()
) -> str:
    """One line that answers "is it healthy?". ``findings`` are folded and sorted; ``checks`` is how many were
    made.

    ``whole``: whether everything was checked. Else a warning must not read "Healthy, with 1 warning": the rest is
    not known. ``unmade``: what is no finding; where all is well, the line names what of it may be wrong.
    """
    verdict = overall(findings)
    if verdict is Verdict.OK:
        missing = words.listed([one.title[0].lower() + one.title[1:] for one in unmade if one.unknown])
        return f"Healthy: {words.plural(checks, 'check')} ok{f'; {missing} not checked' if missing else ''}"
    if not findings:
        return "Could not tell: nothing was checked"
    first = _said(findings[0])
    count = sum(f.verdict is verdict for f in findings)
    if verdict is Verdict.WARN:
        if not whole:
            return f"Warning{'' if count == 1 else f' (first of {count})'}: {first}"
        return f"Healthy, with {words.plural(count, 'warning')}{':' if count == 1 else ', first:'} {first}"
    if verdict is Verdict.UNKNOWN:
        several = f"{count} things, first: " if count > 1 else ""
        return f"Could not tell: {several}{first}"
    return (
        f"Not healthy: {words.plural(count, 'problem')}, first: {first}" if count > 1 else f"Not healthy: {first}"
    )


def _said(finding: Finding) -> str:
    if finding.summary.startswith(NO_ANSWER):
        return f"{finding.title} gave {finding.summary}"
    return words.lower_first(finding.summary.removeprefix(NOT_MADE))


def titled(finding: Finding) -> tuple[str, str]:
    """The title and what follows it; a summary that begins with the title goes on from there."""
    title, summary = finding.title, finding.summary
    rest = summary[len(title) :]
    if summary.casefold().startswith(title.casefold()) and rest[:1] in ("", " ", "'"):
        return title, rest
    return title, f": {summary}"


def said_in(headline: str, finding: Finding) -> bool:
    """Whether the headline already ends with the finding's summary, which need not be repeated below it."""
    return headline.endswith(_said(finding))
