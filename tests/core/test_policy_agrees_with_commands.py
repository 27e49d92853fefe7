"""A policy test and the bot judge alike where a command itself checks a right: declared ones, and break-glass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.approvals.actions.restart import RESTART
from bot.domain.approvals.approval import Choice, Click, Request, Snapshot, rule
from bot.domain.approvals.repair import RepairRequest
from bot.domain.approvals.standing import standing
from bot.domain.core.reply import Reply
from bot.domain.rbac.access import Identity
from bot.runbook.command import Command
from bot.runbook.context import Caller, Context, Repairs
from bot.runbook.dispatch import Dispatcher
from bot.runbook.file.compiled import CompiledRunbook
from bot.runbook.policy_cases.cases import Case, PolicyCases
from bot.runbook.policy_cases.judging import Judge
from bot.settings.model import Settings
from bot.wiring.parts import commands_of
from tests.commands.fakes import World, said
from tests.core.test_dispatch import Counted, _quiet
from tests.core.test_policy_agrees import KINDS, OPS, RAW, USERS, _mutated

NOW = datetime(2026, 3, 1, tzinfo=UTC)
RUNBOOK = """\
runbook: {name}
commands:
  peek:
    summary: Peek
    capability: {capability}
    exec: {{container: kali, command: [id]}}
    answer: lines
checks:
  fine:
    title: Fine
    exec: {{container: kali, command: [id]}}
    says: "'fine'"
    expect: lines.size() > 0
    fails: {{severity: warning, says: "'bad'"}}
repairs:
  kick:
    summary: Kick it
    steps:
      - exec: {{container: kali, command: [kill, "7"], timeout: 5s}}
    verify: {{check: fine, within: 30s}}
    approval: {{needed: {needed}}}
"""
DECLARED: Sequence[Mapping[str, tuple[str, int]]] = (
    {"green": ("view", 1), "blue": ("view", 4)},
    {"green": ("operate", 4), "blue": ("operate", 1)},
    {"blue": ("view", 3)},
)
"""Target → what its runbook says of `peek`, whose right it takes, and of `kick`, how many approvals."""
LINES = ("peek", "kick", "break-glass r-7k2m9xwq --reason fire")


Declaring = tuple[tuple[Command, ...], Mapping[str, CompiledRunbook]]


@pytest.fixture(scope="module")
def declaring(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Declaring]:
    """All commands, and the runbooks by target, for each of `DECLARED`."""
    folder = tmp_path_factory.mktemp("runbooks")
    made: list[Declaring] = []
    for number, declared in enumerate(DECLARED):
        targets: list[dict[str, Any]] = []
        for name, (capability, needed) in declared.items():
            file = folder / f"{name}-{number}.yaml"
            file.write_text(RUNBOOK.format(name=name, capability=capability, needed=needed))
            containers = [{"name": "kali"}]
            targets.append({"name": name, "namespace": name, "runbook": [str(file)], "containers": containers})
        made.append(commands_of(Settings.model_validate({"targets": targets})))
    return made


def judge_of(settings: Settings, declaring: Declaring) -> Judge:
    """What `policy test` judges by."""
    return Judge(
        settings.access,
        settings.approvals,
        declaring[0],
        settings.target_names,
        settings.slack.channel or "",
        lambda number: f"rule {number}",
    )


class Deciding:
    """The approval service as far as `break-glass` needs it: one open request for a target."""

    def __init__(self, settings: Settings, target: str) -> None:
        self.settings, self.policy = settings, settings.approvals
        request = Request("r-7k2m9xwq", "U8", NOW, NOW + timedelta(minutes=30), Snapshot("uid", 1))
        self.repair = RepairRequest(request, target, RESTART, channel=OPS)

    async def find(self, _: str) -> RepairRequest:
        return self.repair

    async def decide(self, _: str, choice: Choice, caller: Caller, reason: str = "") -> tuple[Any, RepairRequest]:
        one = self.repair
        who = standing(self.settings.access, self.policy, caller.identity, one.target, one.places)
        return rule(one.request, Click(choice, who, NOW, reason), self.policy), one


def dispatcher_of(settings: Settings, declaring: Declaring, target: str) -> Dispatcher:
    """The bot's, with its real commands."""
    commands, books = declaring
    service, world = Deciding(settings, target), World()
    world.cluster.programs["id"] = said("uid=1\n")

    def one(name: str, caller: Caller) -> Context:
        return replace(
            world.context(),
            target=settings.target(name),
            book=books.get(name),
            caller=caller,
            access=settings.access,
            commands=commands,
            targets=settings.target_names,
            several=True,
            repairs=cast("Repairs", service),
        )

    def make(named: str | None, caller: Caller, *_: object) -> Context:
        first = named or settings.target_names[0]
        others = [name for name in settings.target_names if named is None and name != first]
        return replace(one(first, caller), others=tuple(one(name, caller) for name in others))

    return Dispatcher(
        commands,
        settings.access,
        make,
        Counted(),
        find=service.find,
        targets=settings.target_names,
    )


async def answers(settings: Settings, declaring: Declaring, line: str, target: str | None, who: Identity) -> Reply:
    named = f" --target {target}" if target and "r-" not in line else ""
    dispatcher = dispatcher_of(settings, declaring, target or settings.target_names[0])
    return await dispatcher.run(line + named, Caller(who, "slash"), request_id="1", progress=_quiet)


def goes_ahead(reply: Reply) -> bool:
    assert reply.data.get("error") != "internal", reply
    return "error" not in reply.data and bool(reply.data.get("accepted", True))


def judged(judge: Judge, **case: Any) -> list[str]:
    kind, groups = case.pop("kind", "member"), case.pop("groups", ())
    people = {"them": {"user": case.pop("user"), "kind": kind, "groups": groups}}
    cases = PolicyCases.model_validate({"people": people, "cases": [{"who": "them", "expect": "allowed", **case}]})
    return judge.case(cast("Case", cases.cases[0]), cases)


@given(
    st.integers(0, 10_000),
    st.sampled_from(USERS),
    st.booleans(),
    st.sampled_from(sorted(KINDS)),
    st.sampled_from([OPS, "C0FRESH0001", "dm"]),
    st.sampled_from(LINES),
    st.sampled_from([None, "green", "blue"]),
    st.integers(0, len(DECLARED) - 1),
)
async def test_what_a_command_checks_itself_is_judged_alike(
    declaring: Sequence[Declaring],
    seed: int,
    user: str,
    oncall: bool,
    kind: str,
    channel: str,
    line: str,
    target: str | None,
    number: int,
) -> None:
    settings = Settings.model_validate(_mutated(seed))
    groups = ("S000ONCALL1",) if oncall else ()
    judge = judge_of(settings, declaring[number])
    case = {"user": user, "groups": groups, "kind": kind, "in": channel, "run": line, "target": target}
    place = f"D{user[1:]}" if channel == "dm" else channel
    who = Identity(user, place, frozenset(groups), membership=KINDS[kind])
    wrong, reply = judged(judge, **case), await answers(settings, declaring[number], line, target, who)
    assert (not wrong) is goes_ahead(reply), (wrong, reply.headline)
    if reply.form is not None:
        asked = reply.form.command.rpartition("--target ")[2].strip('"')
        needed = settings.approvals.needed_for(shell=False, at_least=DECLARED[number][asked][1])
        assert judged(judge, **case, approvals=needed) == []


async def test_without_a_target_a_declared_command_is_judged_as_the_bot_runs_it(
    declaring: Sequence[Declaring],
) -> None:
    """The first target, where it declares the command; the only one that does; of several none for a repair."""
    both, blues = (judge_of(Settings.model_validate(RAW), declaring[number]) for number in (0, 2))
    of, lead = {"user": "U000000BLUE", "in": OPS}, {"user": "U00000LEAD1", "in": OPS}
    assert judged(blues, **of, run="peek") == []
    assert judged(blues, **of, run="kick", approvals=3) == []
    [_, got] = judged(both, **of, run="kick")
    assert "name a target: several have kick" in got
    [_, got] = judged(blues, **lead, run="kick", target="green")
    assert "the runbook of green has no kick" in got


@pytest.mark.parametrize(("listed", "may"), [("U0NOROLE001", False), ("U00000LEAD1", True), ("S0OTHERS001", True)])
def test_only_lists_those_who_may_break_glass(declaring: Sequence[Declaring], listed: str, may: bool) -> None:
    """A person on the list has the right only where a rule may be for them as well."""
    rules = [{"role": "approver", "users": ["U00000LEAD1"]}]
    raw = {**RAW, "access": {"rules": rules}, "approvals": {"break_glass": [listed]}}
    judge = judge_of(Settings.model_validate(raw), declaring[0])
    entry = PolicyCases.model_validate({"only": [{"run": "break-glass", "may": [listed]}]}).only[0]
    assert (judge.only(entry) == []) is may
