"""Commands of declared repairs: when they are refused, which target is meant, and what they ask."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.adapters.cel import CelExpressions
from bot.domain.core.redact import is_blank
from bot.domain.core.workload import ExecResult
from bot.domain.rbac import roles
from bot.domain.rbac.access import AccessPolicy, AccessRule
from bot.errors import AccessDenied, NotAllowed, Refused, Unfit, UsageError
from bot.runbook.context import Context
from bot.runbook.file.compiled import CompiledRunbook, compile_runbook
from bot.runbook.file.loader import read
from bot.runbook.grammar import parse
from bot.services.runbook import impact
from commands.registry import BUILTIN
from commands.shared import declared_repairs
from tests.commands.fakes import HANG, World

TEXT = """
runbook: t
checks:
  up: {title: Up, exec: {command: [svstat]}, expect: "true"}
repairs:
  start:
    summary: Start a service
    params: {service: {one_of: [sshd, cron]}, how-long: {duration: [1s, 1m], default: 5s}}
    facts: {state: {exec: {command: [svstat, "{service}"]}}}
    only_if: state.lines[0] == "down" && param.how_long != "6s"
    steps:
      - exec: {command: [svc, -u, "{service}", -t, "{how-long}"]}
    verify: {check: up}
"""


def book_of(text: str = TEXT) -> CompiledRunbook:
    book, problems = compile_runbook(read(text, "t.yaml"), CelExpressions())
    assert book is not None, problems
    return book


async def run(world: World, line: str, *, book: CompiledRunbook | None = None, **changes: Any) -> Any:
    """Run a line with the runbook's commands."""
    commands = declared_repairs.commands({world.target.name: book or book_of()})
    invocation = parse(line, commands)
    ctx: Context = replace(world.context(), book=book or book_of(), repairs=AnyRepairs(), **changes)
    return await invocation.command.run(ctx, invocation.params)


class AnyRepairs:
    """Takes any request."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} must not be used")


def down(world: World, state: str = "down") -> None:
    for service in ("sshd", "cron"):
        world.cluster.programs[f"svstat {service}"] = ExecResult(f"{state}\n", "", 0)


@pytest.fixture
def world() -> World:
    made = World()
    down(made)
    return made


async def test_without_a_reason_a_form_asks_for_it_with_the_parameters_kept(world: World) -> None:
    reply = await run(world, "start sshd --how-long 7s")
    assert reply.form.command == f'start sshd --how-long 7s --target "{world.target.name}"'
    assert [field.name for field in reply.form.fields] == ["reason"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("start ssh --reason x", "it takes one of sshd, cron"),
        ("start --reason x", "SERVICE"),
        ("start sshd --how-long 1h --reason x", "it takes a duration from 1s to 1m"),
        ("start sshd --reason ''", "--reason: it is empty: say why in a few words"),
    ],
)
async def test_wrong_arguments_are_refused(world: World, line: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        await run(world, line)
    assert said in caught.value.message


@pytest.mark.parametrize(
    "blank",
    [
        "\u2800" * 4,
        "\u115f\u1160",
        "\u3164",
        "\uffa0\u2800",
        "\u00a0\u3000",
        "\u200b\ufeff",
        "\u00ad\u202e",
        "\x01\x7f",
    ],
)
async def test_a_reason_that_nobody_can_see_is_none(world: World, blank: str) -> None:
    with pytest.raises(UsageError, match="it is empty: say why"):
        await run(world, f"start sshd --reason '{blank}'")


def test_one_character_to_see_is_enough() -> None:
    assert not is_blank("\u2800⠿")


@pytest.mark.parametrize("value", [f"ghp_{'a' * 36}", "DB_PASS=hunter2222"])
@pytest.mark.parametrize("rest", ["", " --reason x", "dry run"])
async def test_a_value_that_looks_like_a_secret_is_refused_at_once(world: World, value: str, rest: str) -> None:
    book = book_of(TEXT.replace("{one_of: [sshd, cron]}", "{pattern: '[A-Za-z0-9_=]+', data: true}"))
    dry = rest == "dry run"
    with pytest.raises(UsageError) as caught:
        await run(world, f"start {value}{' --reason x' if dry else rest}", book=book, dry_run=dry)
    assert caught.value.message == (
        "SERVICE has something in it that looks like a secret: leave it out. "
        "What a repair runs is shown on its card and kept."
    )


async def test_a_dry_run_reads_no_list_and_goes_on(world: World) -> None:
    listed = "{listed: {exec: {command: [ls, /run]}}, data: true}"
    book = book_of(TEXT.replace("{one_of: [sshd, cron]}", listed))
    world.cluster.programs["ls"] = ExecResult("", "", 0)
    with pytest.raises(AssertionError, match="must not be used"):  # all steps before the request were made
        await run(world, "start sshd --reason x", book=book, dry_run=True)
    assert ("ls", "/run") in world.cluster.ran
    with pytest.raises(UsageError, match="there is no 'sshd'"):
        await run(world, "start sshd --reason x", book=book)


async def test_a_condition_that_does_not_hold_refuses_with_its_own_words(world: World) -> None:
    down(world, "up")
    with pytest.raises(Refused, match="its condition does not hold: state"):
        await run(world, "start sshd --reason x")


async def test_a_condition_that_is_not_known_refuses_with_the_reason(world: World) -> None:
    world.cluster.programs["svstat sshd"] = NotAllowed("The bot may not create pods/exec.")
    with pytest.raises(Refused) as caught:
        await run(world, "start sshd --reason x")
    why = "nobody can say whether it may be done: the bot may not create pods/exec."
    assert caught.value.message == f"start is refused, since {why}"


async def test_a_container_that_does_not_run_is_refused(world: World) -> None:
    book = book_of(TEXT.replace("only_if", "#").replace("{command: [svc", "{container: side, command: [svc"))
    with pytest.raises(Unfit) as caught:
        await run(world, "start sshd --reason x", book=book)
    assert caught.value.message == "start can't be run: the pod has no container side."
    assert caught.value.remedy == "The pod has kali. Correct the container in the runbook's repair start."
    world.cluster.pods_answer = []
    with pytest.raises(Refused, match="No pod is running"):
        await run(world, "start sshd --reason x", book=book)


async def test_a_missing_container_is_named_before_the_condition_that_needs_it_too(world: World) -> None:
    book = book_of(TEXT.replace("{command: [sv", "{container: side, command: [sv"))
    with pytest.raises(Unfit, match="the pod has no container side"):
        await run(world, "start sshd --reason x", book=book)


async def test_of_several_targets_one_has_to_be_named(world: World) -> None:
    other = replace(world.context(), book=book_of(), target=world.target.model_copy(update={"name": "other"}))
    with pytest.raises(UsageError, match="Several targets have start"):
        await run(world, "start sshd --reason x", others=(other,))


async def test_it_needs_the_right_to_the_target_that_is_taken(world: World) -> None:
    rule = AccessRule(role=roles.OPERATOR, users=("U1",), targets=("other",))
    with pytest.raises(AccessDenied, match=f"it needs the role operator for {world.target.name}, and you are"):
        await run(world, "start sshd --reason x", access=AccessPolicy(rules=(rule,)))


async def test_a_pod_that_hangs_delays_a_restart_s_card_by_no_more_than_the_deadline(world: World) -> None:
    world.cluster.programs = dict.fromkeys([*world.cluster.programs, "ps", "find"], HANG)
    losses = await impact.read(world.context())
    assert [loss.unknown for loss in losses] == ["commands in the pod get no answer"] * 3


async def test_only_the_entries_that_are_named_are_read(world: World) -> None:
    assert await impact.read(replace(world.context(), book=None)) == []
    assert [loss.title for loss in await impact.read(world.context(), ("ssh-sessions",))] == [
        "SSH sessions that end"
    ]


OFFERING = TEXT.replace(
    'expect: "true"}',
    "expect: \"lines[0] == 'up'\", fails: {offer: {repair: start, service: sshd}}, status: true}",
)


async def status(world: World) -> list[tuple[str, str]]:
    """The buttons of ``status`` with the runbook's check: label and command line."""
    book = book_of(OFFERING)
    commands = [*BUILTIN, *declared_repairs.commands({world.target.name: book})]
    reply = await world.run("status", lambda ctx: replace(ctx, book=book, commands=commands))
    return [(button.label, button.command) for button in reply.buttons]


async def test_a_failed_check_s_offer_is_a_button_of_status_and_no_other_command_is(world: World) -> None:
    world.cluster.programs["svstat"] = ExecResult("down\n", "", 0)
    line = f'start sshd --reason "Up: not as expected" --target "{world.target.name}"'
    assert await status(world) == [("Ask for: start sshd", line)]
    world.cluster.programs["svstat"] = ExecResult("up\n", "", 0)
    assert await status(world) == []
