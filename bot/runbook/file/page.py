"""A runbook as a page for people: its checks, its diagnoses with causes and remedies, its commands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from bot.domain.core import words
from bot.domain.core.target import Remedy
from bot.domain.runbook.kind import FactUse
from bot.domain.runbook.model import Alert, Cause, CheckEntry, CommandEntry, Diagnosis, Runbook
from bot.domain.runbook.param import Param
from bot.domain.runbook.pod_entry import PodEntry
from bot.domain.runbook.repair import Impact, Offer, RepairEntry

_LITERAL = re.compile(r"""\s*(?:"((?:[^"\\]|\\["'\\])*)"|'((?:[^'\\]|\\["'\\])*)')\s*""")
"""An expression, or a part of one, that is a text and nothing else."""
_QUOTED = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'""")


def runbook_page(runbook: Runbook) -> list[str]:
    """Return the lines of the page, in Markdown."""
    lines = [f"# Runbook {runbook.name}", ""]
    if runbook.pod != PodEntry():
        lines += ["## The pod", "", *_pod(runbook.pod), ""]
    if runbook.checks:
        lines += ["## Checks", ""]
        for name, check in runbook.checks.items():
            lines += _check(name, check)
    if runbook.diagnoses:
        lines += [
            "## Diagnoses",
            "",
            "A cause is named only with the line that proves it; the first one is the answer.",
            "",
        ]
        for name, diagnosis in runbook.diagnoses.items():
            lines += _diagnosis(name, diagnosis)
    if runbook.commands:
        lines += ["## Commands", ""]
        for name, command in runbook.commands.items():
            lines += _command(name, command)
    if runbook.repairs:
        lines += [
            "## Repairs",
            "",
            "Each is carried out once it is approved, at most once, and checked afterwards.",
            "",
        ]
        for name, repair in runbook.repairs.items():
            lines += _repair(name, repair)
    if runbook.impact:
        lines += ["## What a restart would cost", ""]
        for name, impact in runbook.impact.items():
            lines += _impact(name, impact)
    return lines[:-1] if not lines[-1] else lines


def _pod(pod: PodEntry) -> Iterator[str]:
    for one in pod.containers:
        user = f" as `{one.user}`" if one.user else ""
        expected = [f"`{process.name}`" for process in one.processes]
        runs = f"; must run in it: {words.listed(expected)}" if expected else ""
        yield f"- Container `{one.name}`{user}{runs}"
    for name in pod.remedies.model_fields_set:
        about = (type(pod.remedies).model_fields[name].description or name).rstrip(".")
        yield f"- {about}: {_text(_advice(getattr(pod.remedies, name)))}"


def _advice(given: Remedy | str | None) -> str:
    return given.after(None) if isinstance(given, Remedy) else given or ""


def _check(name: str, check: CheckEntry) -> Iterator[str]:
    yield from (f"### {_text(check.title)} (`{name}`)", "")
    yield from _reads(check.facts)
    yield f"- Expects: {_code(check.expect)}"
    said = f", and says: {_said(check.fails.says)}" if check.fails.says else ""
    yield f"- Otherwise: {'a warning' if check.fails.verdict == 'warn' else 'a failure'}{said}"
    if check.fails.remedy:
        yield f"- What to do: {_text(check.fails.remedy)}"
    for case in check.fails.cases:
        yield f"- What to do where {_code(case.when)}: {_text(case.remedy)}"
    if check.fails.offer:
        yield f"- Offers: {_offer(check.fails.offer)}"
    if check.needs:
        yield f"- Needs: {', '.join(f'`{one}`' for one in check.needs)}"
    if check.status:
        yield "- Part of `status`"
    if check.alert is not None:
        yield f"- {_alert(check.alert, check.fails.severity)}"
    yield ""


def _alert(alert: Alert, usual: str) -> str:
    issue = f"; issue {alert.issue}" if alert.issue else ""
    when = f"after {words.age(alert.for_)} of failing, checked every {words.age(alert.every)}"
    return f"Alert: {alert.severity or usual}, {when}{issue}"


def _reads(facts: Mapping[str, FactUse]) -> Iterator[str]:
    for name, use in facts.items():
        source = use.source if use.source.startswith("`") else _text(use.source)
        yield f"- Reads{f' {_code(name)}' if name else ''}: {source}"


def _diagnosis(name: str, diagnosis: Diagnosis) -> Iterator[str]:
    yield from (f"### {_text(diagnosis.title)} (`diagnose {name}`)", "")
    yield from _reads(diagnosis.facts)
    for cause in diagnosis.causes:
        yield from _reads(cause.facts)
    yield from ("", "| cause | it says | what to do |", "|---|---|---|")
    yield from (_row((f"`{cause.name}`", _said(cause.says), _remedy(cause))) for cause in diagnosis.causes)
    yield ""


def _remedy(cause: Cause) -> str:
    parts = [_text(cause.remedy)] if cause.remedy else []
    return " ".join([*parts, *([f"Offers {_offer(cause.offer)}."] if cause.offer else [])])


def _command(name: str, command: CommandEntry) -> Iterator[str]:
    yield from (f"### `{name}`", "", f"{_text(command.summary)}.", "")
    yield from _reads({"": command.fact})
    for param, takes in command.params.items():
        yield f"- `{param}`: {_takes(takes)}"
    yield ""


def _repair(name: str, repair: RepairEntry) -> Iterator[str]:
    yield from (f"### `{name}`", "", f"{_text(repair.summary)}.", "")
    approvals = words.plural(repair.approval.needed, "approval")
    by = ", asked for by approvers" if repair.capability == "decide" else ""
    yield f"- Needs {approvals}{by}"
    yield from _reads(repair.facts)
    for param, takes in repair.params.items():
        yield f"- `{param}`: {_takes(takes)}"
    if repair.only_if is not None:
        said = f"; else it says: {_said(repair.refusal)}" if repair.refusal else ""
        yield f"- Only if {_code(repair.only_if)}{said}"
    for step in repair.steps:
        codes = "" if step.ok == (0,) else f", which may end with {', '.join(map(str, step.ok))}"
        yield f"- Runs {step.exec.describe()} within {words.age(step.deadline)}{codes}"
    yield f"- Then `{repair.verify.check}` must be all right within {words.age(repair.verify.within)}"
    yield ""


def _impact(name: str, impact: Impact) -> Iterator[str]:
    yield from (f"### {_text(impact.title)} (`{name}`)", "")
    yield from _reads(impact.facts)
    yield from (f"- Shows: {_code(impact.shows)}", "")


def _offer(offer: Offer) -> str:
    return _code(" ".join([offer.repair, *offer.values.values()]))


def _takes(param: Param) -> str:
    """What a parameter takes, and what it means."""
    default = f" (default {_code(param.default)})" if param.default is not None else ""
    return _text(param.takes) + default + (f". {_text(param.about)}" if param.about else "")


def _said(source: str) -> str:
    """The text that an expression gives, with … for what it takes from the facts."""
    parts = [_LITERAL.fullmatch(part) for part in _summands(source)]
    if not any(parts):
        return _code(source)
    texts = [m[1] if m[1] is not None else m[2] for m in parts if m is not None]
    rest = iter(re.sub(r"\\(.)", r"\1", text) for text in texts)
    return _text("".join("…" if part is None else next(rest) for part in parts))


def _summands(source: str) -> list[str]:
    """The parts of an expression between its outermost plus signs."""
    plain = _QUOTED.sub(lambda match: "_" * len(match[0]), source)
    depth, start, parts = 0, 0, []
    for place, char in enumerate(plain):
        depth += (char in "([{") - (char in ")]}")
        if char == "+" and depth == 0:
            parts.append(source[start:place])
            start = place + 1
    return [*parts, source[start:]]


def _code(source: str) -> str:
    line = " ".join(source.split())
    marks = "``" if "`" in line else "`"
    return f"{marks} {line} {marks}" if "`" in line else f"`{line}`"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _text(said: str) -> str:
    """Plain text, with what Markdown would take for a mark escaped."""
    return re.sub(r"([\\`*_<>\[\]])", r"\\\1", " ".join(said.split()))
