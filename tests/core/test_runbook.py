"""The command grammar: a typed line becomes a call, or an error that says what is wrong."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BeforeValidator, Field
from pydantic.fields import FieldInfo

from bot.domain.core.reply import Reply
from bot.domain.core.target import parse_duration
from bot.domain.rbac.roles import Capability
from bot.errors import UsageError
from bot.runbook.arguments import is_positional, listed_by
from bot.runbook.command import Command, Params
from bot.runbook.context import Context
from bot.runbook.grammar import called, parse, usage
from bot.runbook.lexer import MAX_LINE, split, with_units
from commands.registry import BUILTIN


class LogParams(Params):
    grep: str | None = Field(default=None, json_schema_extra={"metavar": "RE"})
    since: Annotated[timedelta, BeforeValidator(parse_duration)] | None = None
    previous: bool = False
    tail: int | None = Field(default=None, ge=1, le=1000)


class WordParams(Params):
    job: str = Field(json_schema_extra={"positional": True})
    labels: tuple[str, ...] = Field(default=(), json_schema_extra={"positional": True})


class HelpParams(Params):
    command: tuple[str, ...] = Field(default=(), json_schema_extra={"positional": True})


async def _run(_: Context, __: Params) -> Reply:
    return Reply("done")


def _command(name: str, params: type[Params], *aliases: str) -> Command:
    return Command(name, f"does {name}", Capability.VIEW, _run, params=params, aliases=aliases)


HOME = _command("", Params)
COMMANDS = (
    HOME,
    _command("logs", LogParams, "log"),
    _command("status", Params),
    _command("heartbeats", Params),
    _command("heartbeats push", WordParams),
    _command("help", HelpParams),
    _command("ssh keys", Params),
    _command("ssh info", Params),
    _command("snooze", Params),
)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", []),
        ("  status  ", ["status"]),
        ('logs --grep "a b"', ["logs", "--grep", "a b"]),
        ("logs --grep 'a \"b'", ["logs", "--grep", 'a "b']),
        ("logs --grep “a b”", ["logs", "--grep", "a b"]),
        (r"logs --grep a\ b", ["logs", "--grep", "a b"]),
        (r'logs --grep "\d+ \"x\""', ["logs", "--grep", r'\d+ "x"']),
        ("logs --grep ''", ["logs", "--grep", ""]),
        (r"logs it\’s", ["logs", "it’s"]),
        (r'logs "it\’s \“so\” \. it’s"', ["logs", r"it’s “so” \. it's"]),
        (r"logs \--x a\--y", ["logs", "--x", "a--y"]),
        ("\u200bstatus \u200b--x\ufeff 5\u2060 \u200b", ["status", "--x", "5"]),
        ("logs '\u200b--x' a\u200db", ["logs", "\u200b--x", "a\u200db"]),
        ("статус 🎉 مرحبا", ["статус", "🎉", "مرحبا"]),
    ],
)
def test_a_line_splits_into_the_words_a_person_meant(line: str, words: list[str]) -> None:
    assert split(line) == words


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('logs --grep "open', "A quote is left open: character 13 of the line."),
        ("logs --grep 'open", "A quote is left open"),
        ("logs \\", "backslash"),
        ("logs " + "x" * MAX_LINE, f"at most {MAX_LINE:,}"),
        ("sttaus", "Did you mean 'status'?"),
        ("sttaus=hunter2222", "There is no command 'sttaus'. Did you mean 'status'?"),
        ("logs --gerp x", "Did you mean --grep?"),
        ("logs --tail", "--tail needs a value"),
        ("logs --tail many", "--tail"),
        ("logs --tail 0", "--tail takes at least 1."),
        ("logs --tail 999999999", "--tail takes at most 1,000."),
        ("ssh", "ssh needs another word: ssh keys, ssh info."),
        ("SSH key", "ssh needs another word: ssh keys, ssh info."),
        ("nope", "There is no such command."),
        ("--tail 5 logs", "A command line begins with the command; its flags come after it."),
        ("logs --tail 1 --tail 2", "given twice"),
        ("logs --previous=yes", "takes no value"),
        ("logs --since soon", "not a duration"),
        ("logs please", "does not know what to do with 'please'"),
        ("logs --grep --previous please", "--grep needs a value after it, and '--previous' is a flag."),
        ("logs --grep --PREVIOUS please", "--grep needs a value after it, and '--previous' is a flag."),
        ("logs --grep=--previous please", "does not know what to do with 'please'"),
        ("heartbeats push", "JOB is missing"),
        ("status --target", "--target needs a name"),
    ],
)
def test_a_wrong_line_says_what_was_wrong(line: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(line, COMMANDS)
    assert says in caught.value.message


@pytest.mark.parametrize("line", ["hunter2222", "TOKEN=hunter2222", "ghp_hunter2222 is the token", "h" * 60])
def test_an_unknown_word_may_be_a_secret_and_is_not_quoted(line: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(line, COMMANDS)
    error = caught.value
    assert error.message == "There is no such command."
    assert error.suggestion is None
    assert error.remedy == "/agentpod help lists what you may run."


def test_a_typo_suggests_the_right_command_line() -> None:
    with pytest.raises(UsageError) as caught:
        parse("statsu", COMMANDS)
    assert caught.value.suggestion == "status"


def test_a_long_unknown_word_is_not_quoted_whole() -> None:
    with pytest.raises(UsageError) as caught:
        parse("x" * 2900, COMMANDS)
    assert len(caught.value.message) < 200


@pytest.mark.parametrize(
    ("line", "name", "values"),
    [
        ("", "", {}),
        ("STATUS", "status", {}),
        ("log --tail 5", "logs", {"tail": 5}),
        ("logs --tail=5 --previous", "logs", {"tail": 5, "previous": True}),
        ("logs —grep x —previous", "logs", {"grep": "x", "previous": True}),
        ("logs --grep ''", "logs", {"grep": ""}),
        ("logs --since 1h30m", "logs", {"since": timedelta(minutes=90)}),
        ("heartbeats", "heartbeats", {}),
        ("heartbeats push exercise a=b c=d", "heartbeats push", {"job": "exercise", "labels": ("a=b", "c=d")}),
        ("heartbeats push -- --odd", "heartbeats push", {"job": "--odd"}),
        ("heartbeats push -- --dry-run", "heartbeats push", {"job": "--dry-run"}),
        ("heartbeats push -- --target", "heartbeats push", {"job": "--target"}),
        ("logs --grep -- --tail 5", "logs", {"grep": "--", "tail": 5}),
        (
            "heartbeats push -- --target --target=x",
            "heartbeats push",
            {"job": "--target", "labels": ("--target=x",)},
        ),
        ("heartbeats push — —x", "heartbeats push", {"job": "—x"}),
        (r"heartbeats push \--dry-run", "heartbeats push", {"job": "--dry-run"}),
        (r"heartbeats push \--help", "heartbeats push", {"job": "--help"}),
        (r"heartbeats push \-- \—x", "heartbeats push", {"job": "--", "labels": ("—x",)}),
    ],
)
def test_a_right_line_becomes_a_call(line: str, name: str, values: dict[str, object]) -> None:
    invocation = parse(line, COMMANDS)
    assert invocation.command.name == name
    assert invocation.params.model_dump(exclude_unset=True) == values


def test_the_target_flag_belongs_to_every_command() -> None:
    assert parse("status --target blue", COMMANDS).target == "blue"
    assert parse("logs --target=blue --tail 3", COMMANDS).target == "blue"
    before = parse("--target blue heartbeats push x", COMMANDS)
    assert (before.command.name, before.target) == ("heartbeats push", "blue")
    odd = parse(r"heartbeats push \--target --target blue -- --dry-run", COMMANDS)
    assert (odd.target, odd.dry_run) == ("blue", False)
    named = called("--target blue logs", COMMANDS)
    assert named is not None
    assert named.name == "logs"


@pytest.mark.parametrize(
    ("line", "about"),
    [
        ("logs --help", ("logs",)),
        ("logs --tail 5 --help", ("logs",)),
        ("heartbeats push —help", ("heartbeats", "push")),
        ("logs --previous --help --target x", ("logs",)),
        ("logs --tail 0 --help", ("logs",)),
    ],
)
def test_the_help_flag_shows_a_command_s_help(line: str, about: tuple[str, ...]) -> None:
    invocation = parse(line, COMMANDS)
    assert (invocation.command.name, invocation.params.model_dump()) == ("help", {"command": about})


def test_a_flag_that_help_lacks_is_not_taken_for_a_secret() -> None:
    with pytest.raises(UsageError) as caught:
        parse("help --all", BUILTIN)
    assert caught.value.message == "help has no flag '--all'. It takes no flags."
    assert caught.value.remedy is None
    for line in ("help ssh-key --hunter", "help --hunter2222", "help --all hunter", "secrets set --hunter"):
        with pytest.raises(UsageError, match="not repeated") as caught:
            parse(line, BUILTIN)
        assert "treat it as leaked" in (caught.value.remedy or "")


def test_a_value_that_reads_help_is_a_value() -> None:
    assert parse("logs --grep --help", COMMANDS).params.model_dump()["grep"] == "--help"
    assert parse("heartbeats push -- --help", COMMANDS).command.name == "heartbeats push"


def test_a_dry_run_is_asked_for_before_two_dashes() -> None:
    assert parse("heartbeats push --dry-run -- job", COMMANDS).dry_run
    assert parse("logs --grep -- --dry-run", COMMANDS).dry_run, "the dashes are the pattern"
    assert not parse("heartbeats push -- --dry-run", COMMANDS).dry_run


def test_usage_shows_flags_with_their_kind_of_value() -> None:
    assert usage(COMMANDS[1]) == "/agentpod logs [--grep RE] [--since TIME] [--previous] [--tail N]"
    assert usage(COMMANDS[4]) == "/agentpod heartbeats push JOB [LABELS]"


@given(st.text(max_size=200))
def test_any_text_is_parsed_or_refused_in_words(line: str) -> None:
    refusal = ""
    try:
        assert parse(line, COMMANDS).command in COMMANDS
    except UsageError as error:
        refusal = error.message
    assert len(refusal) < 600


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), max_size=6))
def test_quoted_words_round_trip(words: list[str]) -> None:
    plain = [w for w in words if not set(w) & set("“”„«»‘’")]
    line = " ".join("'" + w.replace("'", "'\"'\"'") + "'" for w in plain)
    assert split(line) == plain


REQUIRED = [
    (command, name, info)
    for command in BUILTIN
    for name, info in command.params.model_fields.items()
    if is_positional(info) and info.is_required()
]


@pytest.mark.parametrize(("command", "name", "info"), REQUIRED, ids=[f"{c.name} {n}" for c, n, _ in REQUIRED])
def test_a_missing_argument_says_what_it_is_and_which_command_lists_what_there_is(
    command: Command, name: str, info: FieldInfo
) -> None:
    with pytest.raises(UsageError) as caught:
        parse(command.name, BUILTIN, prefix="@agentpod")
    error = caught.value
    assert error.message.startswith(f"{name.upper()} is missing: ")
    assert (info.description or "?")[1:12] in error.message
    assert parse(error.suggestion or "nothing", BUILTIN).command.name == listed_by(info)
    assert error.remedy == f"@agentpod {listed_by(info)} lists what there is."


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("i-2 2 h", "i-2 2h"),
        ("--since 5 min", "--since 5m"),
        ("1 h 30 min", "1h30m"),
        ("1h 30 min", "1h30m"),
        ("h 2", "h 2"),
        ("2 hens", "2 hens"),
        ("i-2 d", "i-2 d"),
    ],
)
def test_a_time_is_read_as_the_bot_writes_it(typed: str, read: str) -> None:
    assert with_units(typed.split()) == read.split()
