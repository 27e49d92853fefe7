"""The corpus: scenarios as data, and what the shipped runbook makes of them.

``healthy.yaml`` holds the facts of a pod without any problem, by tree. A scenario says what differs (``given``, as
in a runbook's own tests), the tree (none: it is picked from the symptoms), and the cause, or ``unknown``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from bot.domain.runbook.record import Record
from bot.runbook.file.compiled import CompiledRunbook
from bot.runbook.file.judge import Claim, Diagnosed, answering, diagnose
from bot.runbook.file.known import Fact
from bot.runbook.file.trial import NOW, facts_of

FOLDER = Path(__file__).parent / "scenarios"
HEALTHY = Path(__file__).parent / "healthy.yaml"
UNKNOWN = "unknown"
Facts = Mapping[str, Mapping[str, Fact]]
"""By tree and name."""


@dataclass(frozen=True)
class Scenario:
    """Recorded facts, and the cause that is in them."""

    title: str
    expect: str
    given: Mapping[str, Any]
    tree: str | None = None

    def facts(self, book: CompiledRunbook) -> Facts:
        """The facts of its tree, or of all trees: those of the healthy pod, and over them what is given."""
        trees = [self.tree] if self.tree else list(book.diagnoses)
        found = {tree: self._of(book, tree) for tree in trees}
        known = {f"{tree}.{name}" for tree in found for name in found[tree]} | {
            n for one in found.values() for n in one
        }
        assert set(self.given) <= known, f"{self.title}: unknown facts {set(self.given) - known}"
        return found

    def _of(self, book: CompiledRunbook, tree: str) -> Mapping[str, Fact]:
        uses = book.diagnoses[tree].facts
        own = {name: self.given[name] for name in uses if name in self.given}
        own |= {name: self.given[f"{tree}.{name}"] for name in uses if f"{tree}.{name}" in self.given}
        found = facts_of(uses, {**_healthy()[tree], **own})
        assert not isinstance(found, str), found
        return found


_loaded: dict[str, Any] = {}


def _healthy() -> Mapping[str, Mapping[str, Any]]:
    if not _loaded:
        _loaded.update(yaml.safe_load(HEALTHY.read_text("utf-8"))["trees"])
    return _loaded


def scenarios() -> list[Scenario]:
    """Load all scenarios, in the order of their files."""
    files = sorted(FOLDER.glob("*.yaml"))
    return [Scenario(**one) for file in files for one in yaml.safe_load(file.read_text("utf-8"))["scenarios"]]


@dataclass(frozen=True)
class Result:
    """A scenario's answer, and what is wrong with it."""

    scenario: Scenario
    cause: str
    unsupported: tuple[str, ...] = ()
    """Claims whose proof is no verbatim line of the facts."""
    unstable: tuple[str, ...] = ()
    """Lines whose removal does the wrong thing."""

    @property
    def correct(self) -> bool:
        """Whether the first cause is the expected one."""
        return self.cause == self.scenario.expect


def run(book: CompiledRunbook, scenario: Scenario) -> Result:
    """Diagnose a scenario, then again without each line of its facts."""
    facts = scenario.facts(book)
    every = {tree: diagnose(book.diagnoses[tree], of_tree, NOW) for tree, of_tree in facts.items()}
    claim = _answer(list(every.values()))
    result = Result(scenario, claim.cause if claim else UNKNOWN, tuple(_unsupported(every, facts)))
    if claim is None or not result.correct:
        return result
    return replace(result, unstable=tuple(_unstable(_until(book, every, claim), facts, every, claim)))


def _answer(every: Sequence[Diagnosed]) -> Claim | None:
    """The answer of a single tree, or of the first that fits."""
    found = every[0] if len(every) == 1 else answering(every)
    return found.claim if found is not None else None


def _unsupported(every: Mapping[str, Diagnosed], facts: Facts) -> Iterator[str]:
    for tree, found in every.items():
        lines = _lines(facts[tree])
        yield from (
            f"{claim.cause}: {claim.proof.line}" for claim in found.claims if claim.proof.line not in lines
        )


def _lines(of_tree: Mapping[str, Fact]) -> dict[str, None]:
    records = [fact for fact in of_tree.values() if isinstance(fact, Record)]
    return dict.fromkeys(line for record in records for line in record.citable)


def _unstable(book: CompiledRunbook, facts: Facts, every: Mapping[str, Diagnosed], claim: Claim) -> Iterator[str]:
    """The cited line has to withdraw the claim, wherever it stands; no other line may change it."""
    of_tree = {tree: _lines(found) for tree, found in facts.items()}
    for line in dict.fromkeys(line for lines in of_tree.values() for line in lines):
        after = _answer_without(book, facts, every, line, [tree for tree in of_tree if line in of_tree[tree]])
        same = after is not None and (after.cause, after.proof.line) == (claim.cause, claim.proof.line)
        if line == claim.proof.line and same:
            yield f"still claimed without its proof: {line}"
        elif line != claim.proof.line and not same:
            yield f"changed to {after.cause if after else UNKNOWN} without: {line}"


def _answer_without(
    book: CompiledRunbook, facts: Facts, every: Mapping[str, Diagnosed], line: str, changed: Collection[str]
) -> Claim | None:
    """The answer once a line is taken away, wherever it stands. Trees after the one that answers are left out."""
    for tree, found in every.items():
        if tree in changed:
            kept = {n: one.without(line) if isinstance(one, Record) else one for n, one in facts[tree].items()}
            found = diagnose(book.diagnoses[tree], kept, NOW)
        if found.claim is not None and (found.fits or len(every) == 1):
            return found.claim
    return None


def _until(book: CompiledRunbook, every: Mapping[str, Diagnosed], claim: Claim) -> CompiledRunbook:
    """Leave out the causes after the answer where there is one tree only: they can't change it."""
    if len(every) > 1:
        return book
    [name] = every
    tree = book.diagnoses[name]
    number = next(n for n, cause in enumerate(tree.causes) if cause.entry.name == claim.cause)
    return replace(book, diagnoses={name: replace(tree, causes=tree.causes[: number + 1])})


def causes(book: CompiledRunbook) -> list[str]:
    """All causes of all trees, each once."""
    return list(dict.fromkeys(cause.entry.name for tree in book.diagnoses.values() for cause in tree.causes))
