"""A policy test and the bot judge alike: each case is held against the real dispatcher."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.approvals.actions.restart import RESTART
from bot.domain.approvals.approval import Request, Snapshot
from bot.domain.approvals.repair import RepairRequest
from bot.domain.core.reply import Reply
from bot.domain.incidents import alerting
from bot.domain.incidents.alerting import AlertRules, Incident
from bot.domain.incidents.problem import Problem
from bot.domain.rbac.access import Identity
from bot.domain.rbac.membership import Membership
from bot.runbook.command import Command
from bot.runbook.context import Caller, Context
from bot.runbook.dispatch import Dispatcher
from bot.runbook.policy_cases.cases import Case, PolicyCases
from bot.settings.loader import Loaded
from bot.settings.model import Settings
from bot.wiring.policy_cli import judge_of
from tests.core.policy_settings import SETTINGS
from tests.core.test_dispatch import Counted, _quiet
from tests.core.test_policy_mutations import FRESH, Mutator

NOW = datetime(2026, 3, 1, tzinfo=UTC)
RAW = yaml.safe_load(SETTINGS)
FOR_BLUE = {"role": "operator", "users": [FRESH["users"]], "targets": ["blue"]}
OPS = "C0000000OPS"
KINDS = {"member": Membership.MEMBER, "guest": Membership.GUEST, "stranger": Membership.OTHER}
USERS = ("U00000AUDIT", "U00000000OP", "U000000BLUE", "U00000LEAD1", FRESH["users"], "U0NOBODY001")
LINES = (
    *("status", "logs", "restart", "secrets", "heartbeats push j", "digest", "audit", "audit export", "dashboard"),
    *("incidents", "approvals", "help", "version", "can-i logs", "whoami", "logs stop", ""),
    *("ack i-blue", "report i-blue", "approve r-7k2m9xwq", "deny r-7k2m9xwq", "withdraw r-7k2m9xwq"),
    *("secrets enter r-7k2m9xwq", "approvals r-7k2m9xwq", "incidents i-blue"),
)


async def _fine(_: Context, __: Any) -> Reply:
    return Reply("fine")


def _dispatcher(settings: Settings, commands: tuple[Command, ...], target: str) -> Dispatcher:
    """The real one, whose commands do nothing, about a request and an incident of the target."""

    async def find(id_: str) -> RepairRequest:
        request = Request(id_, "U8", NOW, NOW, Snapshot("uid", 1))
        return RepairRequest(request, target, RESTART, channel=OPS)

    async def find_incident(_: str) -> Incident | None:
        found = Problem(f"heartbeat:{target}:j", "heartbeat", target, "j", "stale", "warning", NOW)
        return alerting.decide(None, found, AlertRules(), NOW)

    return Dispatcher(
        [replace(one, run=_fine, own=None) for one in commands],
        settings.access,
        lambda *_: cast("Context", SimpleNamespace(target=SimpleNamespace(name=target))),
        Counted(),
        find=find,
        find_incident=find_incident,
        targets=settings.target_names,
    )


@given(
    st.integers(0, 10_000),
    st.sampled_from(USERS),
    st.booleans(),
    st.sampled_from(sorted(KINDS)),
    st.sampled_from([OPS, "C0FRESH0001", "dm"]),
    st.sampled_from(LINES),
    st.sampled_from([None, "green", "blue"]),
)
async def test_a_case_is_allowed_exactly_where_the_bot_allows_it(
    seed: int, user: str, oncall: bool, kind: str, channel: str, line: str, target: str | None
) -> None:
    settings = Settings.model_validate(_mutated(seed))
    groups = ("S000ONCALL1",) if oncall else ()
    cases = PolicyCases.model_validate(
        {
            "people": {"them": {"user": user, "groups": groups, "kind": kind}},
            "cases": [{"who": "them", "in": channel, "run": line, "target": target, "expect": "allowed"}],
        }
    )
    judge = judge_of(Loaded(settings, {}))
    said = judge.case(cast("Case", cases.cases[0]), cases)
    place = f"D{user[1:]}" if channel == "dm" else channel
    who = Identity(user, place, frozenset(groups), membership=KINDS[kind])
    named = f" --target {target}" if target and not _by_id(line) else ""
    dispatcher = _dispatcher(settings, tuple(judge.commands), target or "green")
    reply = await dispatcher.run(line + named, Caller(who, "slash"), request_id="1", progress=_quiet)
    assert (not said) is (reply.headline == "fine"), (said, reply.headline)


@pytest.mark.parametrize("line", ["dashboard", "incidents", "approvals", "logs stop", "digest", "audit"])
def test_only_without_a_target_lists_those_who_may_for_some_target(line: str) -> None:
    """Such as one whose rule is for another target than the first: the bot shows them that one."""
    wider = {**RAW, "access": {**RAW["access"], "rules": [*RAW["access"]["rules"], FOR_BLUE]}}
    cases = PolicyCases.model_validate(
        {
            "cases": [{"who": FRESH["users"], "in": "dm", "run": line, "expect": "allowed"}],
            "only": [{"run": line, "may": []}],
        }
    )
    before, after = (judge_of(Loaded(Settings.model_validate(raw), {})) for raw in (RAW, wider))
    more = [said for said in after.only(cases.only[0]) if said not in before.only(cases.only[0])]
    assert [said.partition(" by ")[0] for said in more] == [f"got: {FRESH['users']} for blue"]
    allowed = not after.case(cases.cases[0], cases)
    assert allowed is (line not in ("digest", "audit")), "those need the right for all targets"


def _by_id(line: str) -> bool:
    return " r-" in line or " i-" in line


def _mutated(seed: int) -> dict[str, Any]:
    """Settings after one of the mutations, as far as that leaves them valid."""
    _, raw = Mutator(RAW, seed).one()
    try:
        Settings.model_validate(raw)
    except ValueError:
        return cast("dict[str, Any]", RAW)
    return raw
