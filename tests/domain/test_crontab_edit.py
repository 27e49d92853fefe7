"""An edit of a crontab: lines that stay as shown keep their originals, and what changes is said in words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.core.cron.crontab import read_crontab
from bot.domain.core.cron.edit import BadEdit, Part, added, applied, edit_of, lines_of, text_of
from bot.domain.core.cron.supercronic_log import CrontabReads, crontab_reads
from bot.domain.core.redact import PLACEHOLDER
from bot.domain.heartbeats.crontab_changes import NamedJob, changes, other_changes, warnings

HIDDEN = f"TOKEN={PLACEHOLDER}"
OLD = "TOKEN=abc\n*/5 * * * * a\n\n# last\n0 4 * * * b\n"
SHOWN = [HIDDEN, "*/5 * * * * a", "", "# last", "0 4 * * * b"]


def edited(entered: str, original: str = OLD, shown: list[str] | None = None) -> str:
    return applied(original, edit_of(original, SHOWN if shown is None else shown, entered))


def test_what_is_left_as_shown_keeps_its_original() -> None:
    assert edited("\n".join(SHOWN)) == OLD
    assert edited("\n".join(SHOWN).replace("0 4", "0 5")) == OLD.replace("0 4", "0 5")
    assert edited("\n".join(reversed(SHOWN))) == "0 4 * * * b\n# last\n\n*/5 * * * * a\nTOKEN=abc\n"


def test_the_stored_edit_has_only_the_new_lines() -> None:
    edit = edit_of(OLD, SHOWN, "\n".join([*SHOWN, "@daily c"]))
    assert (added(edit), edit) == (["@daily c"], (Part(0, 5, ("@daily c",)),))
    assert "abc" not in repr(edit)


def test_the_original_itself_can_be_entered() -> None:
    assert added(edit_of(OLD, SHOWN, OLD.replace("0 4", "0 5"))) == ["0 5 * * * b"]


@pytest.mark.parametrize("line", [f"NAME={PLACEHOLDER}", f"0 1 * * * echo {PLACEHOLDER}"])
def test_a_changed_line_with_a_redacted_part_is_refused(line: str) -> None:
    with pytest.raises(BadEdit, match="line 1 has a redacted part"):
        edited(line)


@pytest.mark.parametrize("sign", ["\x00", "\x1b", "\u202e", "\x0b"])
def test_characters_that_can_not_be_shown_are_refused(sign: str) -> None:
    with pytest.raises(BadEdit, match="line 2 has a character"):
        edited(f"# one\n0 1 * * * {sign}x")


def test_line_ends_are_line_feeds_and_the_last_line_has_one() -> None:
    assert edited("# a\r\n0 1 * * * b\r\n\r\n\n") == "# a\n0 1 * * * b\n"
    old = "# a\r\n0 1 * * * b\r\n"
    assert edited("# a\n0 1 * * * b", old, ["# a", "0 1 * * * b"]) == old.replace("\r", "")
    assert edited("") == ""


def test_an_edit_of_another_file_is_refused() -> None:
    with pytest.raises(BadEdit, match="another crontab"):
        applied("# short\n", (Part(0, 2),))


LINES = st.lists(st.sampled_from(["# a", "0 1 * * * x", "", "A=1", "@daily y"]), max_size=12)


@given(LINES, LINES)
def test_any_edit_gives_what_was_entered(before: list[str], after: list[str]) -> None:
    old, new = text_of(before), text_of(after)
    assert applied(old, edit_of(old, lines_of(old), new)) == text_of(lines_of(new))


@pytest.mark.parametrize("line", ["# the same", "{n} * * * * job-{n}"])
def test_ten_thousand_lines_are_refused_and_as_many_as_are_checked_are_not(line: str) -> None:
    old = "".join(f"{line.format(n=n)}\n" for n in range(10_000))
    with pytest.raises(BadEdit, match="a crontab of more than 2,000 lines"):
        edit_of(old, lines_of(old), "# short")
    most = text_of(lines_of(old)[:1_999])
    assert applied(most, edit_of(most, lines_of(most), f"{most}# more\n")) == f"{most}# more\n"


def jobs(text: str) -> list[NamedJob]:
    return [NamedJob(job, job.command) for job in read_crontab(text, "supercronic").jobs]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("*/5 * * * * a\n", "*/10 * * * * a\n", ["a: every 5 min → every 10 min"]),
        ("0 4 * * * a\n", "", ["gone: a, daily at 04:00"]),
        ("", "0 4 * * * a\n", ["new: a, daily at 04:00"]),
        ("0 4 * * * a\n", "0 4 * * * b\n", ["a → b, daily at 04:00"]),
        ("0 4 * * * a\n", "0 4 * * * a\n0 4 * * * a\n", ["new: a, daily at 04:00"]),
        ("0 4 * * * a\n0 5 * * * b\n", "0 5 * * * b\n0 4 * * * a\n", []),
    ],
)
def test_what_changes_is_said_in_words(old: str, new: str, said: list[str]) -> None:
    assert changes(jobs(old), jobs(new), "supercronic") == said


def test_variables_and_comments_are_named_without_values() -> None:
    old, new = ["A=secret", "B=1", "# x"], ["A=other", "C=2"]
    assert other_changes(old, new) == [
        "variable A changed",
        "variable B gone",
        "variable C set",
        "comments changed",
    ]


def test_what_is_hardly_meant_is_a_warning() -> None:
    old, new = read_crontab("0 4 * * * a\n", "debian"), "0 4 * * * date +%H\n0 4 * * * date +%H\n0 0 30 2 * x\n"
    found = read_crontab(new, "debian")
    named = [NamedJob(job, job.command) for job in found.jobs]
    assert warnings(old, found, named, "debian") == [
        "line 3: it never runs: there is no such date or time",
        "date +%H is there 2 times",
        r"line 1: cron ends the command at %, write \% for the sign",
        r"line 2: cron ends the command at %, write \% for the sign",
    ]
    zoned = read_crontab("CRON_TZ=Europe/Berlin\n", "supercronic")
    said = warnings(read_crontab("", "supercronic"), zoned, [], "supercronic")
    assert said[0] == "no job is left: nothing runs any more"
    assert said[1].startswith("all schedules move to another time zone")


INFO = 'time="2026-11-30T01:47:51Z" level=info msg="read crontab: /x/.crontab"'
FATAL = 'time="2026-11-30T01:47:57Z" level=fatal msg="bad crontab line: \'*/99 * * * * echo two\' (use -debug …)"'
JOB = 'time="2026-11-30T01:47:57Z" level=info msg="read crontab: no" channel=stdout job.command="x"'


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ([INFO], CrontabReads(read=True)),
        ([INFO, FATAL], CrontabReads(True, "bad crontab line: '*/99 * * * * echo two' (use -debug …)")),
        ([JOB, "level=fatal msg=x", "read crontab: x", ""], CrontabReads()),
        (['{"level":"info","msg":"read crontab: /x","time":"t"}'], CrontabReads(read=True)),
        (['{"level":"fatal","msg":"bad crontab line: x"}'], CrontabReads(refused="bad crontab line: x")),
        (['{"level":"fatal","msg":"x","job.command":"y"}', "{", "[1]"], CrontabReads()),
    ],
)
def test_the_log_says_whether_supercronic_read_it(lines: list[str], found: CrontabReads) -> None:
    assert crontab_reads(lines) == found
