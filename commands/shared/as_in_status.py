"""The causes of a diagnosis beside the findings of `status`: which of them are the same, and with whose remedy."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from bot.domain.core import words
from bot.domain.core.probes import Finding

if TYPE_CHECKING:  # the runbook's engine is loaded at its first use
    from bot.runbook.file.judge import Claim, Diagnosed


def restated(found: Diagnosed, findings: Sequence[Finding]) -> Diagnosed:
    """Return the diagnosis with the words and remedies of `status` for the causes that it finds as well.

    Where a finding may be about several things, such as processes, each cause keeps its own words.
    """
    return replace(found, claims=tuple(_restated(claim, findings) for claim in found.claims))


def _restated(claim: Claim, findings: Sequence[Finding]) -> Claim:
    finding = next((one for one in findings if _finds(one, claim)), None)
    if finding is None:
        return claim
    keeps = finding.about or is_part(finding.summary, claim.says)
    said = claim.says if keeps else words.upper_first(finding.summary)
    return replace(claim, says=said, remedy=_advice(finding) or claim.remedy)


def _advice(finding: Finding) -> str:
    """The remedy, with its command line on a line of its own."""
    if not finding.remedy or not finding.run or finding.names_run:
        return finding.remedy or ""
    return f"{finding.remedy}\n`{finding.run}`"


def not_said(findings: Iterable[Finding], claims: Sequence[Claim]) -> list[Finding]:
    """Return the findings of `status` that say more than the causes and their proofs do."""
    return [one for one in findings if not _is_said(one, claims)]


def _is_said(finding: Finding, claims: Sequence[Claim]) -> bool:
    same = [claim for claim in claims if _finds(finding, claim)]
    if finding.about and all(any(_names(claim, name) for claim in same) for name in finding.about):
        return True
    return any(_covers(claim, finding) for claim in claims) or bool(same and not finding.about)


def says(claim: Claim, finding: Finding) -> bool:
    """Whether a cause is what a finding of `status` says, or the first of several such things."""
    return _covers(claim, finding) or _finds(finding, claim)


def place(claims: Iterable[Claim], findings: Sequence[Finding]) -> int:
    """Return the place in `status` of the first finding that one of the causes says; after all where none does."""
    said = (n for n, one in enumerate(findings) if any(says(claim, one) for claim in claims))
    return next(said, len(findings))


def is_part(said: str, whole: str) -> bool:
    """Whether a sentence says nothing that another one does not."""
    return _terms(said) <= _terms(whole)


def _finds(finding: Finding, claim: Claim) -> bool:
    """Whether the finding is of the check that finds the same as the cause, and is about the same thing."""
    if claim.same_as != finding.probe:
        return False
    return any(_names(claim, name) for name in finding.about) if finding.about else _is_alike(claim, finding)


def _names(claim: Claim, name: str) -> bool:
    return name.lower() in _terms(f"{claim.says} {claim.proof.line}")


def _covers(claim: Claim, finding: Finding) -> bool:
    """Whether a cause and its proof say all that a finding does."""
    line = claim.proof.line
    if len(line) >= _TELLING and line in finding.summary:
        return True
    return _terms(finding.summary) <= _terms(f"{claim.says} {line}")


def _is_alike(claim: Claim, finding: Finding) -> bool:
    """Whether one says all that the other does, or both cite the same words after a colon."""
    line, summary = claim.proof.line, finding.summary
    if _covers(claim, finding) or _terms(claim.says) <= _terms(summary):
        return True
    return any(end in summary for end in (*_ends(line), *_ends(claim.says))) or any(
        e in line for e in _ends(summary)
    )


def _ends(text: str) -> list[str]:
    """What stands after each of the text's colons, as far as it is long enough to be no chance."""
    parts = text.split(": ")
    ends = (": ".join(parts[n:]) for n in range(1, len(parts)))
    return [end for end in ends if len(end) >= _TELLING]


def _terms(text: str) -> set[str]:
    """The words of a sentence that carry its meaning."""
    return {*_TERM.findall(_RUNS_NOT.sub("not running", text.lower()))} - _LITTLE


_TERM = re.compile(r"[\w%][\w/.:-]*[\w]|[\w%]")
_RUNS_NOT = re.compile(r"\bdo(?:es)? not run\b")
_TELLING = 16
"""Characters from which a text that is found in another is no chance."""
_LITTLE = {"a", "an", "the", "is", "are", "of", "in", "so", "there"}
