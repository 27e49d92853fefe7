"""Which role may run which command: a table that is read when it changes, held against the real dispatcher."""

from __future__ import annotations

import itertools
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.core.reply import Reply
from bot.domain.rbac import roles
from bot.domain.rbac.access import AccessPolicy, AccessRule, decide, grants_of
from bot.domain.rbac.roles import Capability
from bot.runbook.command import Command, NoParams
from bot.runbook.context import Caller, Context
from bot.runbook.dispatch import Dispatcher
from commands.registry import BUILTIN
from tests.controlplane.test_commands import HEALTHY
from tests.people import member

TABLE = """
                  none  viewer  operator  approver  auditor
(home)             -      x        x         x         -
status             -      x        x         x         -
pods               -      x        x         x         -
events             -      x        x         x         -
identity           -      x        x         x         -
processes          -      x        x         x         -     anew
image              -      x        x         x         -
services           -      x        x         x         -
configs            -      x        x         x         -
kanban             -      x        x         x         -
egress             -      x        x         x         -
egress test        -      -        x         x         -     private anew
argocd             -      x        x         x         -
storage            -      x        x         x         -
diagnose           -      x        x         x         -
logs               -      -        x         x         -     private anew
logs stop          -      -        x         x         -     private anew
cron               -      x        x         x         -     anew
cron scripts       -      x        x         x         -
heartbeats         -      x        x         x         -
incidents          -      x        x         x         -
ack                -      -        x         x         -     private anew
snooze             -      -        x         x         -     private anew
report             -      x        x         x         -
report logs        -      -        x         x         -     private anew
changes            -      x        x         x         -
digest             -      x        x         x         -
preferences        -      x        x         x         -
heartbeats push    -      -        -         x         -     private anew
secrets            -      -        x         x         -     private anew
ssh info           -      x        x         x         -
ssh keys           -      -        x         x         -     private anew
restart            -      -        x         x         -     private anew
secrets set        -      -        x         x         -     private anew
secrets enter      -      -        x         x         -     private anew
configs rotate     -      -        x         x         -     private anew
ssh keys add       -      -        x         x         -     private anew
ssh keys remove    -      -        x         x         -     private anew
ssh keys copy      -      -        x         x         -     private anew
cron edit          -      -        x         x         -     private anew
cron undo          -      -        x         x         -     private anew
cron run           -      -        x         x         -     private anew
egress repair      -      -        x         x         -     private anew
image pull         -      -        x         x         -     private anew
image set          -      -        x         x         -     private anew
approvals          -      x        x         x         -
approve            -      -        -         x         -     private anew
deny               -      -        -         x         -     private anew
withdraw           -      -        x         x         -     private anew
break-glass        -      x        x         x         -     anew
audit              -      -        x         x         x     private anew
audit verify       -      -        x         x         x     private anew
audit export       -      -        x         x         x     private anew
dashboard          -      x        x         x         -
help               x      x        x         x         x
whoami             x      x        x         x         x
can-i              -      x        x         x         x
version            -      x        x         x         x
"""
"""Who may run what, whose answers are for whoever asked alone, and before which roles are looked up anew."""
HEADS, *ROWS = TABLE.strip("\n").splitlines()
ROLES = HEADS.split()
EXPECTED = {row[:17].strip(): row[17:].split() for row in ROWS}


def _name(command: Command) -> str:
    return command.name or "(home)"


def _allowed(policy: AccessPolicy, command: Command) -> bool:
    return decide(policy, member("U1", "C1"), command.needs, ()).allowed


def _policy(*names: str) -> AccessPolicy:
    rules = [{"role": name, "users": ["U1"]} for name in names if name != "none"]
    return AccessPolicy.model_validate({"rules": rules})


def test_the_table_has_every_role_and_every_command() -> None:
    assert list(roles.known().names) == ROLES
    assert list(EXPECTED) == [_name(command) for command in BUILTIN]


def test_the_test_on_a_real_cluster_has_every_command() -> None:
    assert HEALTHY.keys() == {command.name for command in BUILTIN}, "tests/controlplane/test_commands.py: HEALTHY"


@pytest.mark.parametrize("command", BUILTIN, ids=_name)
def test_an_answer_is_as_private_as_the_table_says(command: Command) -> None:
    marks = [*["private"] * command.private, *["anew"] * command.asks_anew]
    assert marks == EXPECTED[_name(command)][len(ROLES) :]


class _NoMetrics:
    def command_done(self, command: str, outcome: str, seconds: float) -> None:
        pass


async def _ran(_: Context, __: NoParams) -> Reply:
    return Reply("it ran")


def _no_context(*_: object) -> Context:
    return cast("Context", SimpleNamespace(target=SimpleNamespace(name="green")))


async def _silent(_: Reply) -> None:
    pass


@pytest.mark.parametrize("role", ROLES)
async def test_the_dispatcher_runs_for_a_role_what_the_table_says_and_nothing_else(role: str) -> None:
    commands = [replace(c, run=cast("Any", _ran), params=NoParams, own=None) for c in BUILTIN]
    dispatcher = Dispatcher(commands, _policy(role), _no_context, _NoMetrics())
    caller = Caller(member("U1", "C1"), "slash")
    ran = {}
    for command in commands:
        reply = await dispatcher.run(command.name, caller, request_id="1", progress=_silent)
        ran[_name(command)] = reply.headline == "it ran"
        assert ran[_name(command)] or reply.headline.startswith("You may not run "), reply.headline
    column = ROLES.index(role)
    assert ran == {name: marks[column] == "x" for name, marks in EXPECTED.items()}


@given(st.lists(st.sampled_from(ROLES), max_size=5), st.sampled_from(BUILTIN))
def test_several_rules_give_what_one_of_them_gives_and_nothing_more(names: list[str], command: Command) -> None:
    column = EXPECTED[_name(command)]
    expected = any(column[ROLES.index(name)] == "x" for name in ["none", *names])
    assert _allowed(_policy(*names), command) is expected


@given(st.lists(st.sampled_from(ROLES), max_size=5))
def test_of_roles_held_at_once_none_includes_another_and_nothing_is_lost(names: list[str]) -> None:
    held = [grant.role for grant in grants_of(_policy(*names), member("U1", "C1"))]
    assert not any(one.includes(other) for one, other in itertools.permutations(held, 2))
    given_ = frozenset[Capability]().union(*(roles.known()[name].may for name in ["none", *names]))
    assert frozenset[Capability]().union(*(role.may for role in held)) == given_


@pytest.mark.parametrize("capability", Capability)
def test_every_capability_is_needed_by_a_command_and_a_role_has_it(capability: Capability) -> None:
    assert any(command.needs is capability for command in BUILTIN)
    first, *others = roles.holders(capability)
    assert capability in first.may
    assert all(capability in role.may for role in others)


def test_two_roles_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="the role 'viewer' is registered twice"), roles.also(roles.VIEWER):
        pass


def test_a_role_that_is_registered_no_more_can_not_be_given() -> None:
    with roles.also(roles.Role("guard", frozenset())):
        assert AccessRule.model_validate({"role": "guard", "users": ["U1"]}).role.name == "guard"
    with pytest.raises(ValueError, match="it takes viewer, "):
        AccessRule.model_validate({"role": "guard", "users": ["U1"]})


def test_a_rule_is_written_down_with_the_name_of_its_role() -> None:
    assert _policy("viewer").model_dump(mode="json")["rules"][0]["role"] == "viewer"
