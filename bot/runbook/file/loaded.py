"""What runbook files hold once they are read: their entries, problems and lines; and one file over another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from bot.domain.runbook.entry import MOST, Entry
from bot.domain.runbook.model import MOST_TESTS, CheckEntry, CommandEntry, Diagnosis, Runbook, Trial
from bot.domain.runbook.pod_entry import PodEntry
from bot.domain.runbook.repair import Impact, RepairEntry
from bot.runbook.file.problem import Problem, nearest_word

SECTIONS: Mapping[str, type[Entry]] = {
    "checks": CheckEntry,
    "diagnoses": Diagnosis,
    "commands": CommandEntry,
    "repairs": RepairEntry,
    "impact": Impact,
}


@dataclass
class Loaded:
    """What a file holds, or its problems."""

    name: str = ""
    entries: dict[str, dict[str, Entry | None]] = field(default_factory=lambda: {s: {} for s in SECTIONS})
    """By section and name; None: disabled."""
    pod: PodEntry = field(default_factory=PodEntry)
    tests: list[tuple[str, Trial]] = field(default_factory=list)
    """Each with its place; before that of a runbook that is extended, its name: both have a ``tests.0``."""
    extends: tuple[str, ...] = ()
    problems: list[Problem] = field(default_factory=list)
    places: dict[str, tuple[str, int]] = field(default_factory=dict)
    """The file and the line of each dotted place."""
    disabling: set[tuple[str, str]] = field(default_factory=set)
    """Section and name of each entry that is disabled without having been found in another runbook."""
    refused: set[tuple[str, str]] = field(default_factory=set)
    """Section and name of each entry that is not among `entries` for its problems."""
    unread: bool = False
    """Whether a whole file is missing for its problems: then any entry may be in it."""

    def names(self, section: str) -> list[str]:
        """Return the names of a section's entries, also of those that have problems."""
        whole = [name for name, entry in self.entries[section].items() if entry is not None]
        return [*whole, *sorted(name for s, name in self.refused if s == section)]

    def may_have(self, section: str, name: str) -> bool:
        """Whether there is an entry of this name, or may be in a file that could not be read."""
        return self.unread or name in self.names(section)

    def runbook(self) -> Runbook:
        """Return the runbook of what could be read."""
        kept = {s: {n: e for n, e in found.items() if e is not None} for s, found in self.entries.items()}
        tests = tuple(test for _, test in self.tests)
        return Runbook(
            name=self.name or "unnamed",
            pod=self.pod,
            tests=tests[:MOST_TESTS],
            **{section: dict(islice(found.items(), MOST)) for section, found in kept.items()},
        )

    def whole_problems(self) -> Iterator[Problem]:
        """Yield what is wrong with all files together: too many entries, and nothing to disable."""
        counts = {s: (sum(e is not None for e in found.values()), MOST) for s, found in self.entries.items()}
        for section, (count, most) in {**counts, "tests": (len(self.tests), MOST_TESTS)}.items():
            if count > most:
                yield Problem(*self.line(section), section, f"it has {count:,} entries, more than {most:,}")
        for section, name in sorted(self.disabling if not self.unread else ()):
            place, hint = f"{section}.{name}", nearest_word(name, self.names(section))
            yield Problem(*self.line(place), place, f"there is nothing of this name to disable; {hint}")

    def line(self, place: str) -> tuple[str, int]:
        """Return file and line of a dotted place, or of what is around it."""
        parts = place.split(".")
        for length in range(len(parts), 0, -1):
            if found := self.places.get(".".join(parts[:length])):
                return found
        return "", 0


def over(own: Loaded, base: Loaded) -> Loaded:
    """Lay ``own`` over the runbook that it extends."""
    entries = {section: base.entries[section] | own.entries[section] for section in SECTIONS}
    replaced = {(s, n) for s in SECTIONS for n in own.entries[s] if n in base.entries[s]}
    places = {f"{base.name}/{place}": base.line(place) for place, _ in base.tests}
    tests = [(f"{base.name}/{place}", t) for place, t in base.tests if _tested(t) not in replaced]
    return Loaded(
        own.name,
        entries,
        own.pod.over(base.pod),
        [*tests, *own.tests],
        own.extends,
        [*base.problems, *own.problems],
        base.places | own.places | places,
        base.disabling
        | {(s, n) for s, n in own.disabling if n not in base.entries[s] and (s, n) not in base.refused},
        {(s, n) for s, n in base.refused if n not in own.entries[s]} | own.refused,
        base.unread or own.unread,
    )


def _tested(trial: Trial) -> tuple[str, str]:
    if trial.repair or trial.impact:
        return ("repairs", trial.repair) if trial.repair else ("impact", trial.impact or "")
    return ("checks", trial.check) if trial.check else ("diagnoses", trial.diagnosis or "")
