"""Compiles a runbook's expressions: names and types are checked before anything runs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from bot.domain.runbook.expression_hints import hint, undeclared
from bot.domain.runbook.facts.check import CheckFact
from bot.domain.runbook.kind import FactUse
from bot.domain.runbook.model import Cause, CheckEntry, CommandEntry, Diagnosis, Runbook
from bot.domain.runbook.repair import Impact, Offer, RepairEntry
from bot.ports.expressions import Expression, Expressions, InvalidExpression
from bot.runbook.file.declared import command_facts, command_problems
from bot.runbook.file.declared_repairs import offer_line, param_variables, repair_facts, repair_problems
from bot.runbook.file.loaded import Loaded
from bot.runbook.file.problem import Problem, nearest_word
from bot.runbook.file.trial_problems import trial_problems

ALWAYS = {"now": "timestamp"}
"""Variables of every expression."""


@dataclass(frozen=True)
class CompiledCheck:
    """A check with its expressions."""

    name: str
    entry: CheckEntry
    expect: Expression
    says: Expression | None
    fails: Expression | None
    """What it says when it fails."""
    offer: str = ""
    """The command line of the repair that it offers."""
    cases: tuple[tuple[Expression, str], ...] = ()
    """Conditions with the remedies that count where they hold."""


@dataclass(frozen=True)
class CompiledCause:
    """A cause with its expressions; its facts include those of the diagnosis."""

    entry: Cause
    facts: Mapping[str, FactUse]
    when: Expression
    proof: Expression
    says: Expression
    refuted: Expression | None
    offer: str = ""
    """The command line of the repair that it offers."""


@dataclass(frozen=True)
class CompiledDiagnosis:
    """A diagnosis with its causes in order."""

    name: str
    entry: Diagnosis
    causes: tuple[CompiledCause, ...]
    symptom: Expression | None

    @property
    def facts(self) -> Mapping[str, FactUse]:
        """All facts, of all causes."""
        found = dict(self.entry.facts)
        for cause in self.causes:
            found |= cause.facts
        return found


@dataclass(frozen=True)
class CompiledRepair:
    """A repair with its expressions."""

    name: str
    entry: RepairEntry
    only_if: Expression | None
    refusal: Expression | None


@dataclass(frozen=True)
class CompiledImpact:
    """What a restart would cost, with its expression."""

    name: str
    entry: Impact
    shows: Expression


@dataclass(frozen=True)
class CompiledRunbook:
    """A runbook that is ready to be used."""

    runbook: Runbook
    checks: Mapping[str, CompiledCheck]
    diagnoses: Mapping[str, CompiledDiagnosis]
    commands: Mapping[str, CommandEntry]
    lines: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    """The file and the line of each command, of each repair, of its steps (``start-service.steps.0``), and of each
    test (``tests.0``)."""
    repairs: Mapping[str, CompiledRepair] = field(default_factory=dict)
    impact: Mapping[str, CompiledImpact] = field(default_factory=dict)


def compile_runbook(
    loaded: Loaded, expressions: Expressions, taken: Collection[str] = (), own_checks: Collection[str] = ()
) -> tuple[CompiledRunbook | None, list[Problem]]:
    """Compile a loaded runbook. Returns None with all problems, those of reading as well, where there are any.

    ``taken`` are the names that its commands can't have, since commands of the bot have them; ``own_checks`` are
    the names of the bot's own checks.
    """
    problems = [*loaded.problems, *loaded.whole_problems()]
    compiler = _Compiler(loaded, expressions, problems)
    runbook = loaded.runbook()
    checks = {name: compiler.check(name, entry) for name, entry in runbook.checks.items()}
    diagnoses = {name: compiler.diagnosis(name, entry) for name, entry in runbook.diagnoses.items()}
    compiler.references(runbook)
    compiler.free_names(runbook, own_checks)
    compiler.same_checks(runbook, own_checks)
    repairs = {name: compiler.repair(name, entry) for name, entry in runbook.repairs.items()}
    impact = {name: compiler.impact(name, entry) for name, entry in runbook.impact.items()}
    problems += command_problems(loaded, runbook, taken)
    problems += repair_problems(loaded, runbook, taken)
    problems += trial_problems(loaded, runbook)
    if problems:
        return None, problems
    return (
        CompiledRunbook(
            runbook,
            {name: check for name, check in checks.items() if check is not None},
            {name: found for name, found in diagnoses.items() if found is not None},
            runbook.commands,
            _lines(loaded, runbook),
            {name: found for name, found in repairs.items() if found is not None},
            {name: found for name, found in impact.items() if found is not None},
        ),
        [],
    )


def _lines(loaded: Loaded, runbook: Runbook) -> dict[str, tuple[str, int]]:
    found = {name: loaded.line(f"commands.{name}") for name in runbook.commands}
    for name, entry in runbook.repairs.items():
        found[name] = loaded.line(f"repairs.{name}")
        for number in range(len(entry.steps)):
            found[f"{name}.steps.{number}"] = loaded.line(f"repairs.{name}.steps.{number}")
    found |= {f"tests.{number}": loaded.line(place) for number, (place, _) in enumerate(loaded.tests)}
    return found


def variables_of(facts: Mapping[str, FactUse]) -> dict[str, str]:
    """The variables of facts by name: ``pod.lines`` of a fact ``pod``, ``lines`` of one without a name."""
    found = dict(ALWAYS)
    for name, use in facts.items():
        found |= {f"{name}.{one}" if name else one: type_ for one, type_ in use.kind.variables.items()}
    return found


class _Compiler:
    def __init__(self, loaded: Loaded, expressions: Expressions, problems: list[Problem]) -> None:
        self._loaded, self._expressions, self._problems = loaded, expressions, problems

    def check(self, name: str, entry: CheckEntry) -> CompiledCheck | None:
        place, variables = f"checks.{name}", variables_of(entry.facts)
        expect = self._compile(f"{place}.expect", entry.expect, variables, "bool")
        says = self._maybe(f"{place}.says", entry.says, variables)
        fails = self._maybe(f"{place}.fails.says", entry.fails.says, variables)
        cases = tuple(self._cases(place, entry, variables))
        return (
            None
            if expect is None
            else CompiledCheck(name, entry, expect, says, fails, self._line(entry.fails.offer), cases)
        )

    def _cases(
        self, place: str, entry: CheckEntry, variables: Mapping[str, str]
    ) -> Iterator[tuple[Expression, str]]:
        for number, case in enumerate(entry.fails.cases):
            when = self._compile(f"{place}.fails.cases.{number}.when", case.when, variables, "bool")
            if when is not None:
                yield when, case.remedy

    def diagnosis(self, name: str, entry: Diagnosis) -> CompiledDiagnosis | None:
        causes = [
            self._cause(f"diagnoses.{name}.causes.{n}", entry, cause) for n, cause in enumerate(entry.causes)
        ]
        self._unreachable(name, entry)
        symptom = entry.symptom and self._compile(
            f"diagnoses.{name}.symptom", entry.symptom, variables_of(entry.facts), "bool"
        )
        return CompiledDiagnosis(name, entry, tuple(c for c in causes if c is not None), symptom or None)

    def _cause(self, place: str, diagnosis: Diagnosis, entry: Cause) -> CompiledCause | None:
        facts = {**diagnosis.facts, **entry.facts}
        for name in sorted(set(diagnosis.facts) & set(entry.facts)):
            self._wrong(f"{place}.facts.{name}", f"the diagnosis has a fact {name!r} already")
        if not facts:
            self._wrong(place, "it reads no fact, so nothing could prove it")
            return None
        variables = variables_of(facts)
        when = self._compile(f"{place}.when", entry.when, variables, "bool")
        proof = self._compile(f"{place}.proof", entry.proof, variables, "string")
        says = self._compile(f"{place}.says", entry.says, variables, "string")
        refuted = self._maybe(f"{place}.refuted", entry.refuted, variables)
        if when is None or proof is None or says is None:
            return None
        return CompiledCause(entry, facts, when, proof, says, refuted, self._line(entry.offer))

    def repair(self, name: str, entry: RepairEntry) -> CompiledRepair | None:
        place = f"repairs.{name}"
        variables = variables_of(entry.facts) | param_variables(entry.params)
        only_if = entry.only_if and self._compile(f"{place}.only_if", entry.only_if, variables, "bool")
        refusal = self._maybe(f"{place}.refusal", entry.refusal, variables)
        return CompiledRepair(name, entry, only_if or None, refusal)

    def impact(self, name: str, entry: Impact) -> CompiledImpact | None:
        variables = variables_of(entry.facts)
        texts = ("list(string)", "string")
        shows = self._compile(f"impact.{name}.shows", entry.shows, variables, *texts)
        return None if shows is None else CompiledImpact(name, entry, shows)

    def _line(self, offer: Offer | None) -> str:
        return offer_line(self._loaded.runbook(), offer)

    def _unreachable(self, name: str, entry: Diagnosis) -> None:
        """Two causes of one name, or the same condition and proof twice: the second could never be the answer.

        Nor two that messages call alike: one of them would be ruled out under the answer that is the other.
        """
        names: dict[str, int] = {}
        titles: dict[str, str] = {}
        proofs: dict[tuple[str, str], str] = {}
        for number, cause in enumerate(entry.causes):
            place = f"diagnoses.{name}.causes.{number}"
            if cause.name in names:
                self._wrong(f"{place}.name", f"there is a cause {cause.name!r} before it")
            elif cause.called in titles:
                self._wrong(
                    f"{place}.title", f"{titles[cause.called]!r} before it is called {cause.called!r} as well"
                )
            names.setdefault(cause.name, number)
            titles.setdefault(cause.called, cause.name)
            key = (cause.when, cause.proof)
            if not cause.facts and key in proofs:
                self._wrong(place, f"it can never be the answer: {proofs[key]!r} before it has the same proof")
            proofs.setdefault(key, cause.name)

    def references(self, runbook: Runbook) -> None:
        """Check names that entries use: checks needed, none of them in a circle."""
        for name, entry in runbook.checks.items():
            for needed in entry.needs:
                self._is_check(f"checks.{name}.needs", needed)
        for place, use in _all_facts(runbook):
            if isinstance(use.settings, CheckFact):
                self._is_check(place, use.settings.name)
        for circle in _circles({name: needed_checks(entry) for name, entry in runbook.checks.items()}):
            self._wrong(f"checks.{circle[0]}", f"{' → '.join(circle)} is a circle")

    def _is_check(self, place: str, name: str) -> None:
        if not self._loaded.may_have("checks", name):
            self._wrong(place, f"there is no check {name!r}; {nearest_word(name, self._loaded.names('checks'))}")

    def free_names(self, runbook: Runbook, taken: Collection[str]) -> None:
        """Refuse checks with the name of a built-in one: a finding's name says which check it is of."""
        for name in runbook.checks:
            if name in taken:
                self._wrong(f"checks.{name}", f"the bot has a check {name!r} of its own: take another name")

    def same_checks(self, runbook: Runbook, own: Collection[str]) -> None:
        """Refuse causes that name a check which `status` does not have. Its own may be unknown."""
        known = {*own, *(name for name, entry in runbook.checks.items() if entry.status)}
        for name, diagnosis in runbook.diagnoses.items():
            for number, cause in enumerate(diagnosis.causes):
                if own and cause.same_as and cause.same_as not in known:
                    why = f"`status` has no check {cause.same_as!r}; {nearest_word(cause.same_as, sorted(known))}"
                    self._wrong(f"diagnoses.{name}.causes.{number}.same_as", why)

    def _maybe(self, place: str, source: str | None, variables: Mapping[str, str]) -> Expression | None:
        return None if source is None else self._compile(place, source, variables, "string")

    def _compile(
        self, place: str, source: str, variables: Mapping[str, str], result: str, otherwise: str = ""
    ) -> Expression | None:
        """Compile to the type ``result``, or else to ``otherwise``."""
        try:
            if otherwise:
                try:
                    return self._expressions.compile(source, variables, result)
                except InvalidExpression:
                    result = otherwise
            return self._expressions.compile(source, variables, result)
        except InvalidExpression as error:
            rows = source.split("\n")
            excerpt = rows[min(error.line, len(rows)) - 1]
            message = hint(source, error.message, error.line, error.column, result) or error.message
            if (unknown := undeclared(message)) is not None:
                message = f"there is no {unknown!r} here; {nearest_word(unknown, variables)}"
            self._wrong(place, message, excerpt, error.column)
            return None

    def _wrong(self, place: str, message: str, excerpt: str = "", column: int = 0) -> None:
        file, line = self._loaded.line(place)
        self._problems.append(Problem(file or self._loaded.name, line, place, message, excerpt, column))


def needed_checks(entry: CheckEntry) -> tuple[str, ...]:
    """Return the checks that a check needs, or reads."""
    read = (use.settings.name for use in entry.facts.values() if isinstance(use.settings, CheckFact))
    return (*entry.needs, *read)


def _all_facts(runbook: Runbook) -> Iterator[tuple[str, FactUse]]:
    """All facts of a runbook with their places."""
    for name, check in runbook.checks.items():
        yield from ((f"checks.{name}.facts.{fact}", use) for fact, use in check.facts.items())
    for name, diagnosis in runbook.diagnoses.items():
        yield from ((f"diagnoses.{name}.facts.{fact}", use) for fact, use in diagnosis.facts.items())
        for number, cause in enumerate(diagnosis.causes):
            place = f"diagnoses.{name}.causes.{number}.facts"
            yield from ((f"{place}.{fact}", use) for fact, use in cause.facts.items())
    for name, command in runbook.commands.items():
        yield from ((f"commands.{name}", use) for use in command_facts(command))
    for name, repair in runbook.repairs.items():
        yield from ((f"repairs.{name}", use) for use in repair_facts(repair))
    for name, impact in runbook.impact.items():
        yield from ((f"impact.{name}", use) for use in impact.facts.values())


def _circles(needs: Mapping[str, tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Circles of names that need each other, each once, beginning with its first name."""
    found: list[tuple[str, ...]] = []
    for start in needs:
        path, todo = [start], [iter(needs[start])]
        while todo:
            following = next(todo[-1], None)
            if following is None:
                todo.pop()
                path.pop()
            elif following == start:
                if min(path) == start:
                    found.append((*path, start))
                break
            elif following in needs and following not in path:
                path.append(following)
                todo.append(iter(needs[following]))
    return found
