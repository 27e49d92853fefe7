"""Commands that a runbook declares: in help and can-i, run as one program's arguments, shown as the file asks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bot.adapters.cel import CelExpressions
from bot.domain.core.probes import Verdict
from bot.domain.core.reply import Reply
from bot.domain.core.target import Target
from bot.domain.core.workload import ExecResult, HttpAnswer, Right
from bot.domain.rbac import roles
from bot.domain.rbac.access import AccessPolicy, AccessRule
from bot.errors import AccessDenied, NotFound, UsageError
from bot.runbook.command import Command
from bot.runbook.context import Context
from bot.runbook.file.compiled import CompiledRunbook, compile_runbook
from bot.runbook.file.loader import read
from bot.runbook.grammar import parse, usage
from bot.services.health.rights import EXEC, POD_READ
from commands import registry
from commands.shared import declared
from commands.shared.declared import MOST_CELL, MOST_LINES, MOST_ROWS
from tests.commands.fakes import HANG, Serving, World, said, text_of

FILE = """
runbook: gpu
commands:
  gpu:
    summary: GPU memory in use
    exec: {command: [nvidia-smi, --format=csv]}
    answer: table
  queue:
    summary: What a queue holds
    exec: {command: [qctl, show, "{name}", "--newest={most}"]}
    params:
      name: {listed: {exec: {command: [qnames]}}, data: true, about: The queue}
      most: {integer: [1, 50], default: "10"}
    answer: lines
    capability: operate
  schema:
    summary: A table of the database
    exec: {command: [psql, -c, '\\d {schema}']}
    params: {schema: {pattern: "[a-z_.]+", data: true}}
  quoted:
    summary: Echo
    exec: {command: [echo, "{text}"]}
    params: {text: {pattern: "(?s).*", data: true}}
"""


def book(text: str = FILE) -> CompiledRunbook:
    made, problems = compile_runbook(read(text, "gpu.yaml"), CelExpressions())
    assert made is not None, "\n".join(map(str, problems))
    return made


BOOKS = {"secure-agent-pod": book()}
COMMANDS = registry.build(declared.commands(BOOKS))


def commands_of(name: str) -> Command:
    return next(command for command in COMMANDS if command.name == name)


async def run(world: World, line: str, change: Callable[[Context], Context] = lambda ctx: ctx) -> Reply:
    invocation = parse(line, COMMANDS)
    ctx = replace(world.context(), commands=COMMANDS, book=BOOKS["secure-agent-pod"])
    return await invocation.command.run(change(ctx), invocation.params)


# As any other command


async def test_help_lists_and_explains_a_declared_command(world: World) -> None:
    assert "gpu: GPU memory in use" in text_of(await run(world, "help runbook"))
    told = text_of(await run(world, "help queue"))
    assert "Usage: /agentpod queue NAME [--most MOST]" in told
    assert "NAME: The queue: a name that `qnames` lists" in told
    assert "--most: A whole number from 1 to 50" in told
    assert "Requires: operator or higher" in told


async def test_it_needs_the_role_that_the_file_names(world: World) -> None:
    world.role = roles.VIEWER
    told = await run(world, "help")
    assert "gpu" in str(told.data)
    assert "queue" not in str(told.data)
    assert (await run(world, "can-i queue")).headline.startswith("No: ")


async def test_can_i_asks_for_the_rights_of_what_the_file_reads(world: World) -> None:
    asked = {str(right) for right in (*POD_READ, *EXEC)}
    assert set((await run(world, "can-i gpu")).data["rights"]) == asked  # type: ignore[call-overload]
    world.cluster.denied = {str(EXEC[0])}
    assert "missing" in (await run(world, "can-i gpu")).headline


def test_its_rights_are_those_of_its_facts_and_of_its_parameters_facts() -> None:
    text = FILE.replace("{exec: {command: [qnames]}}", "{secret: {name: queues}}")
    found = commands_of("queue").runbook_rights(book(text), Target())
    assert Right("get", "secrets", name="queues") in found
    assert commands_of("queue").runbook_rights(book("runbook: x\n"), Target()) == ()


# Parameters


@pytest.mark.parametrize(
    ("line", "argv"),
    [
        ("queue jobs", ("qctl", "show", "jobs", "--newest=10")),
        ("queue jobs --most 05", ("qctl", "show", "jobs", "--newest=5")),
        ("QUEUE jobs --most=7", ("qctl", "show", "jobs", "--newest=7")),
        ("schema public.users", ("psql", "-c", r"\d public.users")),
        ("quoted '$(reboot); `x` | \"y\"'", ("echo", '$(reboot); `x` | "y"')),
        ("quoted <@U1>", ("echo", "<@U1>")),
        ("quoted {text}", ("echo", "{text}")),
    ],
)
async def test_a_value_is_one_argument_or_fills_its_slot(world: World, line: str, argv: tuple[str, ...]) -> None:
    world.cluster.programs |= dict.fromkeys(["qctl", "psql", "echo"], said("done"))
    world.cluster.programs["qnames"] = said("jobs\nmails\n")
    await run(world, line)
    assert world.cluster.ran[-1] == argv


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("queue", "NAME is missing: "),
        ("queue job", "NAME: there is no 'job'. There is: jobs, mails."),
        ("queue jobs --most 51", "--most: '51' is not taken; it takes a whole number from 1 to 50."),
        ("queue jobs --most 5 --most 6", "--most is given twice."),
        ("queue jobs mails", "queue does not know what to do with 'mails'."),
        ("queue -- --help", "NAME: it begins with a dash"),
        (
            "schema 'a; drop table b'",
            "SCHEMA: 'a; drop table b' is not taken; it takes text of the form [a-z_.]+.",
        ),
        ("schema <@U1>", "SCHEMA: '<@U1>' is not taken"),
        ("quoted 'a\nb'", "TEXT: it has a line break"),
        ("quoted ''", "TEXT: it is empty"),
        ("quoted " + "x" * 201, "TEXT: it has 201 characters; at most 200 are taken."),
        ("quoted " + "x" * 10_000, "That command line has 10,007 characters; at most 3,000 are taken."),
        ("quoted 'a", "A quote is left open"),
        ("gpu --all", "gpu has no flag '--all'. It takes no flags."),
        ("gqu", "There is no command 'gqu'. Did you mean 'gpu'?"),
    ],
)
async def test_anything_else_is_refused_with_what_would_be_right(world: World, line: str, says: str) -> None:
    world.cluster.programs["qnames"] = said("jobs\n\n mails \n")
    with pytest.raises(UsageError) as caught:
        await run(world, line)
    assert says in caught.value.message
    assert all(argv[0] == "qnames" for argv in world.cluster.ran)


async def test_a_name_that_can_not_be_checked_runs_nothing(world: World) -> None:
    world.cluster.programs["qnames"] = HANG
    reply = await run(world, "queue jobs")
    assert reply.verdict is Verdict.UNKNOWN
    assert (
        reply.headline == "What a queue holds: not read, name can't be checked: commands in the pod get no answer"
    )
    assert ("qctl", "show", "jobs", "--newest=10") not in world.cluster.ran


async def test_a_list_of_names_that_failed_runs_nothing(world: World) -> None:
    world.cluster.programs["qnames"] = said("jobs\n", "no broker", 1)
    reply = await run(world, "queue jobs")
    assert reply.verdict is Verdict.UNKNOWN
    assert reply.headline.endswith("name can't be checked: qnames ended with exit code 1: no broker")
    assert ("qctl", "show", "jobs", "--newest=10") not in world.cluster.ran


async def test_a_dry_run_goes_on_though_it_reads_no_list(world: World) -> None:
    world.cluster.programs["qnames"] = said("")
    world.cluster.programs["qctl"] = said("")
    await run(world, "queue jobs", lambda ctx: replace(ctx, dry_run=True))
    assert ("qctl", "show", "jobs", "--newest=10") in world.cluster.ran


# Answers


@pytest.mark.parametrize(
    ("answer", "headline", "verdict"),
    [
        (said("used, total\n1 MiB, 2 MiB\n"), "GPU memory in use: 2 lines", None),
        (said("one line\n"), "GPU memory in use: one line", None),
        (said(""), "GPU memory in use: nothing was printed", None),
        (
            said("", "no GPU\nx", 9),
            "GPU memory in use: nothing was printed, and ended with exit code 9",
            "unknown",
        ),
        (said("a\nb", "", 1), "GPU memory in use: 2 lines, and ended with exit code 1", "unknown"),
        (
            said("\x7fELF\x02" + "\ufffd" * 300),
            "GPU memory in use: it is 305 bytes that are no text",
            "unknown",
        ),
        (said("\0\x01\x02" * 2000), "GPU memory in use: it is 6,000 bytes that are no text", "unknown"),
        (
            said("\0\x01\x02", "", 2),
            "GPU memory in use: it is 3 bytes that are no text, and ended with exit code 2",
            "unknown",
        ),
        (said("äöü\t\x1b[31m日本\n"), "GPU memory in use: äöü\t日本", None),
        (HANG, "GPU memory in use: not read, commands in the pod get no answer", "unknown"),
    ],
)
async def test_each_kind_of_output_has_a_clear_headline(
    world: World, answer: Any, headline: str, verdict: str | None
) -> None:
    world.cluster.programs["nvidia-smi"] = answer
    reply = await run(world, "gpu")
    assert reply.headline == headline
    assert (reply.verdict and reply.verdict.value) == verdict
    if isinstance(answer, ExecResult) and answer.stderr:
        assert "Stderr: no GPU" in text_of(reply)


WEB = "runbook: gpu\ncommands: {gpu: {summary: Health, http: {url: 'http://web/'}}}\n"
OBJECT = WEB.replace("http: {url: 'http://web/'}", "kubernetes: {resource: ciliumnetworkpolicies, name: x}")


@pytest.mark.parametrize(
    ("answer", "headline", "verdict"),
    [
        (HttpAnswer(200, "fine\n"), "Health: fine", None),
        (HttpAnswer(503, "a\nb\n"), "Health: 2 lines, but http://web/ answered with status 503", Verdict.UNKNOWN),
        (HttpAnswer(302, "moved"), "Health: moved, but http://web/ answered with status 302", Verdict.UNKNOWN),
        (HttpAnswer(500, ""), "Health: http://web/ answered with status 500", Verdict.UNKNOWN),
        (HttpAnswer(200, "\0\x01\x02"), "Health: it is 3 bytes that are no text", Verdict.UNKNOWN),
    ],
)
async def test_an_answer_that_failed_is_unknown(
    world: World, answer: HttpAnswer, headline: str, verdict: Verdict | None
) -> None:
    world.network = network = Serving()
    network.page = answer
    reply = await run(world, "gpu", lambda ctx: replace(ctx, book=book(WEB)))
    assert (reply.headline, reply.verdict) == (headline, verdict)


async def test_an_object_that_is_not_there_is_unknown(world: World) -> None:
    world.cluster.policies_answer = NotFound("There is none.")
    reply = await run(world, "gpu", lambda ctx: replace(ctx, book=book(OBJECT)))
    assert (reply.headline, reply.verdict) == (
        "Health: there is no ciliumnetworkpolicies x",
        Verdict.UNKNOWN,
    )


async def test_a_program_that_is_missing_is_named(world: World) -> None:
    world.cluster.programs["nvidia-smi"] = said("", "sh: 1: nvidia-smi: not found", 127)
    reply = await run(world, "gpu")
    assert reply.headline == "GPU memory in use: there is no nvidia-smi in kali"
    assert reply.verdict is Verdict.UNKNOWN


async def test_programs_get_the_lines(world: World) -> None:
    world.cluster.programs["nvidia-smi"] = said("one line\n")
    assert (await run(world, "gpu")).data == {"lines": ["one line"], "truncated": False, "outcome": {}}
    world.cluster.programs["nvidia-smi"] = said("a\n" * 1_001)
    data = (await run(world, "gpu")).data
    assert data["lines"] == ["a"] * 1_000
    assert data["truncated"] is True


async def test_a_declared_exit_code_is_no_failure(world: World) -> None:
    entry = book(FILE.replace("--format=csv]", "--format=csv], ok: [0, 1]"))
    for code, verdict in ((1, None), (2, Verdict.UNKNOWN)):
        world.cluster.programs["nvidia-smi"] = said("a\nb", "", code)
        reply = await run(world, "gpu", lambda ctx: replace(ctx, book=entry))
        assert reply.verdict is verdict


async def test_a_table_has_the_columns_of_the_separator_that_fits(world: World) -> None:
    world.cluster.programs["nvidia-smi"] = said("memory.used, memory.total\n12 MiB, 24 MiB\n")
    [table] = (await run(world, "gpu")).tables
    assert (table.columns, table.rows) == (("memory.used", "memory.total"), (("12 MiB", "24 MiB"),))


async def test_a_table_is_bounded(world: World) -> None:
    rows = "\n".join(",".join([f"{n}" * 300, *"abcdefghijklm"]) for n in range(500))
    world.cluster.programs["nvidia-smi"] = said(rows)
    reply = await run(world, "gpu")
    [table] = reply.tables
    assert (len(table.rows), len(table.columns)) == (MOST_ROWS, 10)
    assert max(len(cell) for row in table.rows for cell in row) <= MOST_CELL
    assert reply.notes[:2] == ("399 more rows are not shown", "4 more columns are not shown")


async def test_what_is_no_table_is_shown_as_text(world: World) -> None:
    world.cluster.programs["nvidia-smi"] = said("alone\nand\nagain\n")
    reply = await run(world, "gpu")
    assert reply.tables == ()
    assert [excerpt.text for excerpt in reply.excerpts] == ["alone\nand\nagain"]


async def test_lines_are_bounded_and_a_gigabyte_says_that_there_was_more(world: World) -> None:
    world.cluster.programs["qnames"] = said("jobs")
    world.cluster.programs["qctl"] = ExecResult("\n".join(f"job {n}" for n in range(1_000)), "", 0, truncated=True)
    reply = await run(world, "queue jobs")
    assert len(reply.body) == MOST_LINES
    assert reply.notes[:2] == ("There was more output than is read", "960 more lines are not shown")


async def test_text_is_redacted_before_it_is_shown(world: World) -> None:
    world.cluster.programs["psql"] = said("ok\npassword=correct-horse-battery-9\n")
    assert "correct-horse" not in text_of(await run(world, "schema users"))


# Several targets


async def test_the_only_target_that_has_it_is_taken(world: World) -> None:
    def second(ctx: Context) -> Context:
        return replace(ctx, book=None, others=(replace(ctx, target=Target(name="east")),))

    world.cluster.programs["nvidia-smi"] = said("fine")
    reply = await run(world, "gpu", second)
    assert reply.headline == "GPU memory in use: fine"
    assert reply.notes[-1].startswith("east ·")


async def test_it_needs_the_right_to_the_target_that_is_taken(world: World) -> None:
    rule = AccessRule(role=roles.OPERATOR, users=("U1",), targets=("other",), name="others")

    def other(ctx: Context) -> Context:
        having = replace(ctx, access=AccessPolicy(rules=(rule,)))
        return replace(having, book=None, target=Target(name="other"), others=(having,))

    with pytest.raises(AccessDenied, match="for secure-agent-pod: it needs the role viewer for secure-agent-pod"):
        await run(world, "gpu", other)


async def test_a_target_without_it_says_which_has_it(world: World) -> None:
    with pytest.raises(UsageError) as caught:
        await run(world, "gpu", lambda ctx: replace(ctx, book=None))
    assert caught.value.message == "The runbook of secure-agent-pod has no command gpu."
    [gpu] = [c for c in declared.commands({"a": book(), "b": book()}) if c.name == "gpu"]
    ctx = replace(world.context(), book=None)
    with pytest.raises(UsageError) as caught:
        await gpu.run(ctx, gpu.params())
    assert caught.value.remedy == "a and b have it: use --target a."
    several = replace(ctx, others=(replace(ctx, book=book()), replace(ctx, book=book())))
    with pytest.raises(UsageError, match="Several targets have gpu: name one with --target a or b"):
        await gpu.run(several, gpu.params())


def test_a_parameter_may_be_called_like_a_method_of_a_model() -> None:
    assert usage(commands_of("schema")) == "/agentpod schema SCHEMA"
