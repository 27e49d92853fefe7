"""What a diagnosis found besides its answer: other causes, what was ruled out, and what was not looked at."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from bot.domain.core import labels, words
from bot.domain.core.code import DIAGNOSIS
from bot.domain.core.probes import Finding
from bot.domain.core.reply import Excerpt, Fact
from bot.domain.core.summary import titled
from commands.shared import as_in_status

if TYPE_CHECKING:  # the runbook's engine is loaded at its first use
    from bot.runbook.file.judge import Citation, Claim, Diagnosed

MOST_LINES = 15
"""Most lines of a list."""
LINE = 80
"""Most characters of a line that is cited beside a cause: two or three rows on a phone."""
PATH = 40
"""Characters above which a field's path is shortened."""
SOURCE = 90
"""Most characters of where such a line comes from."""
NAMED, COUNTED = 3, 8
"""Most causes that a headline names, and those from which it only counts them."""
RULED_OUT, NO_SIGN = "Ruled out by a line", "No line points to"
"""The labels of causes that are not there: one is disproved, of the other what was read says nothing."""


def proof(claim: Claim) -> Excerpt:
    """Return the line that proves a cause, whole, with where it was read and when."""
    return Excerpt(claim.proof.line, f"From {_where(claim.proof)}", "proof.txt")


def also_found(claims: Iterable[Claim], answer: Claim | None) -> Iterator[Fact]:
    """Yield the causes that are proven besides the answer, each once and with its line."""
    yield from _claimed("Also found", claims, answer)


def earlier(claims: Iterable[Claim], answer: Claim | None) -> Iterator[Fact]:
    """Yield the causes of what is over, likewise."""
    yield from _claimed("Earlier, and over", claims, answer)


def in_status(label: str, findings: Iterable[Finding]) -> Iterator[Fact]:
    """Yield what `status` finds, which the cause may explain or not."""
    lines = ["".join(titled(finding)) for finding in findings]
    if lines:
        yield Fact(label, listed(lines))


def asks_for(text: str, lines: Collection[str]) -> bool:
    """Whether a remedy asks for one of these diagnoses, given by their command lines."""
    return any(line in lines for line in DIAGNOSIS.findall(text))


def without(finding: Finding, lines: Collection[str], instead: str | None = None) -> Finding:
    """Return the finding without a remedy and a command line that ask for one of these diagnoses.

    ``instead`` is the remedy where they have found nothing.
    """
    remedy = instead if asks_for(finding.remedy or "", lines) else finding.remedy
    return replace(finding, remedy=remedy, run=None if asks_for(f"`{finding.run}`", lines) else finding.run)


def _claimed(label: str, claims: Iterable[Claim], answer: Claim | None) -> Iterator[Fact]:
    lines = [
        f"{claim.says} ({_cited(claim.proof)}, {words.cut(plain(claim.proof.source), SOURCE)})"
        for claim in {claim.says: claim for claim in claims}.values()
        if answer is None or not as_in_status.is_part(claim.says, answer.says)
    ]
    if lines:
        yield Fact(label, listed(lines))


def ruled_out(found: Diagnosed) -> Iterator[Fact]:
    """Yield what is not there: causes that a line rules out, and those of which no line says anything."""
    shown = found.claim.proof.line if found.claim is not None else None
    by_line: dict[str, list[str]] = {}
    for one in found.ruled_out:
        line = "" if one.by is None else "the line above" if one.by.line == shown else _cited(one.by)
        by_line.setdefault(line, []).append(one.title)
    by_line.pop("", None)
    if by_line:
        yield Fact(
            RULED_OUT, listed(f"{', '.join(dict.fromkeys(titles))} ({line})" for line, titles in by_line.items())
        )
    yield from _no_sign(found)


def _no_sign(found: Diagnosed) -> Iterator[Fact]:
    """Yield the causes of which what was read shows no sign, with what that was: it need not be all."""
    by_source: dict[str, list[str]] = {}
    for one in found.ruled_out:
        if one.by is None:
            by_source.setdefault(words.listed(list(map(plain, one.looked_at))), []).append(one.title)
    lines = [
        ", ".join(dict.fromkeys(titles)) + (f" (in {source})" if source else "")
        for source, titles in by_source.items()
    ]
    if lines:
        yield Fact(NO_SIGN, lines[0] if len(lines) == 1 else listed(lines))


def counted(every: Sequence[Diagnosed]) -> Iterator[Fact]:
    """Yield how many causes of each diagnosis are ruled out, where all of them would be too many to read.

    Those that a line rules out are counted apart from those of which there is only no sign.
    """
    by_line = [(sum(one.by is not None for one in found.ruled_out), found.name) for found in every]
    unseen = [(sum(one.by is None for one in found.ruled_out), found.name) for found in every]
    if said := _counts(by_line):
        name = next(name for count, name in by_line if count)
        yield Fact(RULED_OUT, f"{said}. `/agentpod diagnose {name}` shows the line for each cause of {name}.")
    if said := _counts(unseen):
        yield Fact(NO_SIGN, said)


def _counts(counts: Iterable[tuple[int, str]]) -> str:
    """Return "3 causes of crash, 2 of ssh"; empty where all counts are 0."""
    found = [(count, name) for count, name in counts if count]
    said = [f"{count} of {name}" for count, name in found[1:]]
    return ", ".join([*(f"{words.plural(count, 'cause')} of {name}" for count, name in found[:1]), *said])


def open_titles(every: Sequence[Diagnosed]) -> str:
    """Return the causes that are not decided, for a headline."""
    titles = list(dict.fromkeys(one.title for found in every for one in found.open))
    if len(titles) > COUNTED:
        return words.plural(len(titles), "cause")
    more = len(titles) - NAMED
    return ", ".join(titles[:NAMED]) + (f" and {more} more" if more > 0 else "")


def as_data(every: Sequence[Diagnosed]) -> Mapping[str, object]:
    """Return what was found, for ``--output json``."""
    return {
        "diagnoses": [
            {
                "name": found.name,
                "causes": [{"cause": c.cause, "says": c.says, "proof": c.proof.line} for c in found.claims],
                "ruled_out": [one.cause for one in found.ruled_out],
                "ruled_out_by": {one.cause: one.by.line for one in found.ruled_out if one.by is not None},
                "not_decided": {one.cause: one.reason for one in found.open},
            }
            for found in every
        ]
    }


def _where(cited: Citation) -> str:
    return plain(cited.source) + (f", read at {words.clock(cited.at)}" if cited.at is not None else "")


def plain(source: str) -> str:
    """A source without the marks of code, which small print does not render."""
    return source.replace("`", "")


def _cited(by: Citation) -> str:
    """The line in quotes. Of a long field's path the end is kept: it says what it is, and the value follows."""
    path, colon, value = by.line.partition(": ")
    if len(by.line) > PATH and colon and " " not in path and path.count(".") > 1:
        return f"“…{words.cut('.'.join(path.split('.')[-2:]) + colon + value, LINE)}”"
    return f"“{words.cut(by.line, LINE)}”"


def listed(lines: Iterable[str]) -> str:
    """Lines below each other, under their label."""
    found = list(lines)
    more = len(found) - MOST_LINES
    shown = [*islice(found, MOST_LINES), *([f"{more} more"] if more > 0 else [])]
    return "".join(f"\n• {line}" for line in shown)


def commands_in(remedy: str) -> list[tuple[str, str]]:
    """Return label and line of the commands that a remedy names, to look at what it is about."""
    return [(labels.of(line), line) for line in dict.fromkeys(_LOOKED_AT.findall(remedy))]


_LOOKED_AT = re.compile(r"(?<![\w-])(?:storage|processes|egress|cron scripts|cron)(?![\w-])")
