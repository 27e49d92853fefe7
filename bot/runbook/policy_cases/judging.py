"""Judges policy cases by the code that the bot judges by: the access rules, and the rules of approvals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from bot.domain.approvals import approvable
from bot.domain.approvals.approval import (
    ApprovalPolicy,
    Choice,
    Click,
    Request,
    RequestState,
    Rule,
    Snapshot,
    Standing,
    decided,
    rule,
)
from bot.domain.approvals.standing import card_channel, standing
from bot.domain.core import words
from bot.domain.rbac.access import AccessDecision, AccessPolicy, AccessRule, Identity, decide_about
from bot.domain.rbac.roles import ANYBODY, Capability
from bot.domain.rbac.scope import ANY, Targets, covers
from bot.runbook.authorise import authorised, concerned, declared_for
from bot.runbook.command import Command, Concerns
from bot.runbook.policy_cases.cases import DIRECT, Case, Only, PolicyCases
from bot.runbook.policy_cases.reading import Line, command_of

_AT = datetime(2026, 1, 1, tzinfo=UTC)
_THEN = {
    RequestState.APPROVED: "executed",
    RequestState.OPEN: "waiting",
    RequestState.DENIED: "denied",
    RequestState.WITHDRAWN: "withdrawn",
}


@dataclass(frozen=True)
class Judge:
    """The settings that cases are judged by."""

    access: AccessPolicy
    approvals: ApprovalPolicy
    commands: Sequence[Command]
    targets: tuple[str, ...]
    """All targets, the default one first."""
    channel: str
    """Where cards go; empty: where a repair is asked for."""
    place_of: Callable[[int], str]
    """Rule's number, from 1 → where the settings have it."""

    def case(self, case: Case, cases: PolicyCases) -> list[str]:
        """What differs from the case's expectations, a line each; empty where all are met."""
        line = command_of(case.run, self.commands)
        command, named = line.command, case.target or line.target
        target = self._target(command, named)
        who = _identity(case.who, cases, f"D{case.who}" if case.in_ == DIRECT else case.in_)
        places = self._places(who) if line.by_id and command.concerns is Concerns.REQUEST else ()
        concerns = self._concerns(line, named)
        decision = authorised(self.access, who, command, concerns, places)
        if decision.allowed and command.declared:
            decision = self._of_entry(decision, command, who, named)
        alone = command.needs is Capability.BREAK_GLASS
        if decision.allowed and alone and not self._standing(who, target, places).break_glass:
            decision = replace(decision, allowed=False, reason=Rule.NO_BREAK_GLASS.value)
        least = 0 if line.dry_run else _least(command, target)
        if decision.allowed and least and not self._places(who):
            decision = replace(decision, allowed=False, reason="there is no channel where approvers would see it")
        wrong = list(self._of_decision(case, decision, command, who, target))
        if wrong or case.expect == "refused":
            return wrong
        return list(self._of_request(case, cases, who, target, least))

    def _concerns(self, line: Line, named: str | None) -> Targets:
        """The targets that a line is about, as the bot finds them; of one with an id, the case's."""
        if line.by_id:
            return (self._target(line.command, named),)
        return concerned(line.command, named, self.targets)

    def _standing(self, who: Identity, target: str, places: Sequence[str]) -> Standing:
        return standing(self.access, self.approvals, who, target, places)

    def _target(self, command: Command, named: str | None) -> str:
        """The target that a line is about, by default the first; of a declared command as the bot finds it."""
        return self._declaring(command, named) or named or self.targets[0]

    def _declaring(self, command: Command, named: str | None) -> str:
        return declared_for(command, self.targets if named is None else (named,))

    def _of_entry(
        self, decision: AccessDecision, command: Command, who: Identity, named: str | None
    ) -> AccessDecision:
        """The decision about a declared command, about the target that the bot finds."""
        if target := self._declaring(command, named):
            return decide_about(self.access, who, command.needs, (target,), ())
        why = f"the runbook of {named} has no" if named is not None else "name a target: several have"
        return replace(decision, allowed=False, reason=f"{why} {command.name}")

    def _places(self, who: Identity) -> tuple[str, ...]:
        """The channels of a request that somebody makes: of the card, and where it is made."""
        card = card_channel(self.channel, who.channel)
        return tuple(dict.fromkeys(p for p in (card, who.channel) if p.startswith(("C", "G"))))

    def _of_decision(
        self, case: Case, decision: AccessDecision, command: Command, who: Identity, target: str
    ) -> Iterator[str]:
        open_to_all = command.needs in ANYBODY
        by = 0 if open_to_all else decision.grant.number
        listed = decision.reason != Rule.NO_BREAK_GLASS.value  # else no rule would help
        number = by if decision.allowed else self._near(command.needs, who, target) if listed else 0
        got = (
            f"allowed{self._by(number)}"
            if decision.allowed
            else f"refused: {decision.reason}{self._near_by(number)}"
        )
        expected = case.expect + (f" by {self._called(case.rule)}" if case.rule is not None else "")
        if (case.expect == "allowed") is not decision.allowed or not self._is(case.rule, number):
            yield f"expected: {expected}"
            yield f"got: {got}"
        elif case.expect == "refused" and case.because.lower() not in decision.reason.lower():
            yield f"expected: refused because of {case.because!r}"
            yield f"got: {got}"

    def _near(self, needed: Capability, who: Identity, target: str) -> int:
        """The number of a rule that allows it to them elsewhere, else to others; 0 where there is none."""
        giving = [(n, r) for n, r in enumerate(self.access.rules, start=1) if needed in r.role.may]
        theirs = [n for n, r in giving if _elsewhere(r).grants(who)]
        others = [n for n, r in giving if covers(r.targets, (target,))] or [n for n, _ in giving]
        return next(iter(theirs or others), 0)

    def _by(self, number: int) -> str:
        return f" by {self._named(number)}" if number else ": it is open to everybody"

    def _near_by(self, number: int) -> str:
        return f"; nearest: {self._named(number)}" if number else ""

    def _named(self, number: int) -> str:
        rule_ = self.access.rules[number - 1]
        called = f"{rule_.name} (access rule {number}" if rule_.name else f"access rule {number} ("
        between = ", " if rule_.name else ""
        return f"{called}{between}{rule_.role}), {self.place_of(number)}"

    def _called(self, rule_: int | str) -> str:
        return f"access rule {rule_}" if isinstance(rule_, int) else rule_

    def _is(self, wanted: int | str | None, number: int) -> bool:
        if wanted is None:
            return True
        if not number:
            return False
        return wanted in (number, self.access.rules[number - 1].name, f"access rule {number}")

    def _of_request(self, case: Case, cases: PolicyCases, who: Identity, target: str, least: int) -> Iterator[str]:
        needed = self.approvals.needed_for(shell=False, at_least=least) if least else 0
        if case.approvals is not None and case.approvals != needed:
            yield f"expected: {_approvals(case.approvals)}"
            yield f"got: {_approvals(needed)}"
        if not least:
            if case.then is not None or case.approvers:
                yield "expected: a request, which people decide on"
                yield f"got: {case.run or 'the name alone'} makes none"
            return
        card = card_channel(self.channel, who.channel)
        named = approvable.named_approvers(self.access, target, card)
        mentioned = [id_ for id_ in named if id_ != who.user or self.approvals.self_approval]
        if case.approvers is not None and set(case.approvers) != set(mentioned):
            yield f"expected: its card mentions {_listed(case.approvers)}"
            yield f"got: {_listed(mentioned)}"
        if case.then is not None:
            yield from self._of_votes(case, cases, _Asked(who, target, needed, card, self._places(who)))

    def _of_votes(self, case: Case, cases: PolicyCases, asked: _Asked) -> Iterator[str]:
        request = Request(
            "r-22222222", asked.by.user, _AT, _AT + self.approvals.expires_after, Snapshot("", 0), asked.needed
        )
        for number, (choice, name) in enumerate(case.votes, start=1):
            voter = _identity(name, cases, asked.card)
            last = number == len(case.votes)
            request, refusal = self._vote(request, choice, voter, asked)
            got = f"refused: {refusal}" if refusal else _THEN[request.state]
            if refusal and (not last or case.then != "refused"):
                yield f"expected: {case.then if last else 'that it counts'}, after {choice.value} by {name}"
                yield f"got: {got}"
                return
            if not last:
                continue
            if got.partition(":")[0] != case.then:
                yield f"expected: {case.then}, after {choice.value} by {name}"
                yield f"got: {got}{_missing(request)}"
            elif case.because.lower() not in refusal.lower():
                yield f"expected: refused because of {case.because!r}"
                yield f"got: {got}"

    def _vote(self, request: Request, choice: Choice, who: Identity, asked: _Asked) -> tuple[Request, str]:
        """The request after a decision, and why that was refused; empty where it counts."""
        command = next(one for one in self.commands if one.name == choice.value)
        may = authorised(self.access, who, command, (asked.target,), asked.places)
        if not may.allowed:
            return request, may.reason + self._near_by(self._near(command.needs, who, asked.target))
        rights = self._standing(who, asked.target, asked.places)
        click = Click(choice, rights, _AT, "a policy test")
        ruling = rule(request, click, self.approvals)
        return (decided(request, click, ruling), "") if ruling.accepted else (request, ruling.rule.value)

    def only(self, entry: Only) -> list[str]:
        """Whom the rules let run a command besides or instead of those that are listed, a line each."""
        line = command_of(entry.run, self.commands)
        command, named = line.command, entry.target or line.target
        target = self._target(command, named)
        if command.needs is Capability.BREAK_GLASS:
            found = dict.fromkeys(self._alone(target), 0)
        else:
            about = (target,) if command.declared else self._concerns(line, named)
            found = dict(self._holders(command, target, about))
        more = [
            f"{who}{self._by(number) if number else ''}" for who, number in found.items() if who not in entry.may
        ]
        less = [who for who in entry.may if who not in found]
        return [
            *([f"expected: {_listed(entry.may)}, and no one else"] if more or less else []),
            *(f"got: {one} as well" for one in more),
            *(f"got: {one} may not" for one in less),
        ]

    def _holders(self, command: Command, target: str, about: Targets) -> Iterator[tuple[str, int]]:
        """Those whom rules let run a command, each with a rule's number; also for some targets of several."""
        several = about is ANY or command.concerns is Concerns.ALL
        wanted = self.targets if about is ANY else about
        if command.declared and target not in command.declared:
            return
        for number, rule_ in enumerate(self.access.rules, start=1):
            if command.needs not in rule_.role.may or not (several or covers(rule_.targets, wanted)):
                continue
            part = "" if covers(rule_.targets, wanted) else f" for {words.listed(rule_.targets or ())}"
            for who in _people(rule_):
                for place in [f" in {one}" for one in rule_.channels] or [""]:
                    yield f"{who}{place}{part}", number

    def _alone(self, target: str) -> Iterator[str]:
        """Those on the break-glass list to whom rules may give the right to it as well.

        The settings don't say who is in a user group, so a rule for one may be for each user.
        """
        giving = [
            one
            for one in self.access.rules
            if Capability.BREAK_GLASS in one.role.may and covers(one.targets, (target,))
        ]
        for who in self.approvals.break_glass:
            theirs = [
                one for one in giving if one.everybody or one.groups or who.startswith("S") or who in one.users
            ]
            if any(not one.channels for one in theirs):
                yield who
                continue
            for place in dict.fromkeys(place for one in theirs for place in one.channels):
                yield f"{who} in {place}"


@dataclass(frozen=True)
class _Asked:
    """A request that was made."""

    by: Identity
    target: str
    needed: int
    card: str
    places: tuple[str, ...]


def _identity(who: str, cases: PolicyCases, channel: str) -> Identity:
    person = cases.person(who)
    return Identity(person.user, channel, frozenset(person.groups), membership=person.membership)


def _elsewhere(rule_: AccessRule) -> AccessRule:
    """The rule as it would be in every channel."""
    people = rule_.users or (() if rule_.groups else ("*",))
    return rule_.model_copy(update={"channels": (), "users": people})


def _people(rule_: AccessRule) -> list[str]:
    everybody = "everybody and guests" if rule_.guests else "everybody"
    named = [one for one in (*rule_.users, *rule_.groups) if one != "*"]
    return [*([everybody] if rule_.everybody else []), *named]


def _least(command: Command, target: str) -> int:
    """How many approvals a request of the command needs at least for a target; 0 where it makes none."""
    entry = command.declared.get(target)
    return command.approvals_at_least if entry is None else entry.approvals


def _approvals(count: int) -> str:
    return f"a request that needs {words.plural(count, 'approval')}" if count else "no request"


def _listed(who: Sequence[str]) -> str:
    return words.listed(list(who)) if who else "nobody"


def _missing(request: Request) -> str:
    return f", {request.missing} more needed" if request.state is RequestState.OPEN else ""
