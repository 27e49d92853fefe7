"""What is remembered of a followed log, what of it is shown, and in how many messages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from bot.domain.core.redact.words import PLACEHOLDER
from bot.domain.core.reply import Mention
from bot.domain.core.target import Target
from bot.domain.core.workload import Container, LogLine, Pod, Termination
from bot.domain.follow import messages, pages, position, window
from bot.domain.follow.messages import Follow, head
from bot.domain.follow.pages import Pages
from bot.domain.follow.position import LogPosition
from bot.domain.follow.request import End, FollowRequest, end_of_log
from bot.domain.follow.window import Window
from tests.times import utc

NOW = datetime(2026, 11, 23, 22, 41, 7, tzinfo=UTC)
BEGIN, END = "-----BEGIN OPENSSH PRIVATE KEY-----", "-----END OPENSSH PRIVATE KEY-----"


def line(second: int, fraction: int, text: str, zone: str = "Z") -> LogLine:
    return LogLine(f"2026-11-23T22:41:{second:02}.{fraction:09}{zone}", text)


def served(lines: list[LogLine], since: datetime | None) -> list[LogLine]:
    """What the API serves from a time on: whole seconds."""
    return [one for one in lines if since is None or one.at[:19] >= since.strftime("%Y-%m-%dT%H:%M:%S")]


# How far a log was read


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3), st.sampled_from("ab")), max_size=30),
    st.lists(st.integers(0, 30), max_size=4),
)
def test_whereever_the_connection_breaks_each_line_is_read_once(
    written: list[tuple[int, int, str]], breaks: list[int]
) -> None:
    lines = [line(*one) for one in sorted(written, key=lambda one: one[:2])]
    at, read = LogPosition(), []
    for stop in sorted(breaks):
        at.resume()
        read += at.unread(served(lines[:stop], at.since))
    at.resume()
    read += at.unread(served(lines, at.since))
    assert read == [one.text for one in lines]


def test_equal_lines_of_one_moment_are_all_read() -> None:
    at = LogPosition()
    same = [line(1, 0, "x")] * 3
    assert at.unread(same[:2]) == ["x", "x"]
    at.resume()
    assert at.unread(same) == ["x"]


def test_the_time_to_go_on_from_is_in_utc() -> None:
    at = LogPosition()
    at.unread([line(7, 5, "x", "+02:00")])
    assert at.since == datetime(2026, 11, 23, 20, 41, 7, tzinfo=UTC)


def test_of_a_second_with_too_many_lines_only_newer_ones_are_read_again() -> None:
    at = LogPosition()
    lines = [line(1, n, str(n)) for n in range(position.MOST + 10)]
    at.unread(lines)
    at.resume()
    assert at.unread([*lines, line(1, 999_999_999, "new")]) == ["new"]


# What waits to be shown


def test_the_lines_before_are_kept_to_recognise_what_goes_on() -> None:
    kept = Window()
    kept.add(["password:"])
    kept.take(0.0)
    kept.add(["next"])
    portion = kept.take(0.0)
    assert (portion.lines, portion.new) == (("password:", "next"), 1)


def test_a_tail_shows_the_newest_lines_and_keeps_those_before() -> None:
    kept = Window()
    kept.add([str(n) for n in range(20)])
    kept.start_at(3)
    portion = kept.take(0.0)
    assert portion.lines[-portion.new :] == ("17", "18", "19")
    assert len(portion.lines) == 20
    assert portion.skipped == 0


def test_memory_is_bounded_and_what_is_dropped_is_counted() -> None:
    kept = Window()
    kept.add(["x" * 100] * (window.MOST_LINES + 7))
    portion = kept.take(0.0)
    assert portion.new == window.MOST_LINES
    assert portion.skipped == 7
    kept.add(["y" * 16_000] * 100)
    assert kept.take(0.0).new * 16_000 <= window.MOST_CHARACTERS
    kept.add(["z"])
    assert sum(map(len, kept.take(0.0).lines)) <= window.CONTEXT_CHARACTERS + 1


def test_a_private_key_waits_for_its_end() -> None:
    kept = Window()
    kept.add(["before", BEGIN, "QUJD"])
    assert kept.take(0.0).new == 1
    kept.add(["another process", "REVG"])
    assert kept.take(5.0).new == 0
    kept.add([END])
    portion = kept.take(6.0)
    assert portion.lines[-portion.new :] == (BEGIN, "QUJD", "another process", "REVG", END)


def test_a_key_without_an_end_does_not_stop_the_log() -> None:
    kept = Window()
    kept.add([BEGIN, "QUJD"])
    assert kept.take(0.0).new == 0
    assert kept.take(window.PATIENCE).new == 2
    kept.add(["later"])
    assert kept.take(window.PATIENCE + 1).new == 1, "lines after it don't wait again"


def test_what_follows_a_key_s_beginning_stays_hidden_until_its_end() -> None:
    kept = Window()
    kept.add([BEGIN, "QUJD"])
    kept.take(0.0)
    kept.take(window.PATIENCE)
    kept.add(["another process", "REVG"])
    assert kept.take(window.PATIENCE + 1).lines[-2:] == (PLACEHOLDER, PLACEHOLDER)
    kept.add([END, "after"])
    assert kept.take(window.PATIENCE + 2).lines[-1] == "after"


def test_a_key_s_beginning_alone_does_not_hide_a_whole_log() -> None:
    kept = Window()
    kept.add([BEGIN, *(f"line {n}" for n in range(window.MOST_HIDDEN + 1))])
    lines = kept.take(0.0, last=True).lines
    assert (lines[1], lines[-2], lines[-1]) == (PLACEHOLDER, PLACEHOLDER, f"line {window.MOST_HIDDEN}")


def test_the_last_portion_has_everything() -> None:
    kept = Window()
    kept.add([BEGIN])
    assert kept.take(0.0, last=True).new == 1


# In how many messages


def test_a_full_message_stays_and_the_next_one_is_begun() -> None:
    shown = Pages()
    shown.add([f"first {n}" for n in range(30)])
    for page in shown.pages:
        page.sent = True
    shown.add([f"second {n}" for n in range(30)])
    assert [page.number for page in shown.unsent] == [1, 2]
    assert "second 29" in shown.pages[1].reply().excerpts[0].text
    assert shown.count == 60


def test_no_message_and_no_edit_is_larger_than_its_limit() -> None:
    shown = Pages()
    for _ in range(50):
        shown.add(["x" * 10_000] * 100)
        assert len(shown.unsent) <= 2
        for page in shown.unsent:
            page.sent = True
    assert len(shown.pages) == pages.MOST_PAGES
    for page in shown.pages:
        assert len(page.reply().excerpts[0].text) <= pages.MOST_CHARACTERS
        assert len(page.lines) <= pages.MOST_LINES
    assert "are not shown any more" in shown.pages[-1].reply().notes[0]


def test_lines_that_do_not_fit_into_one_edit_are_counted() -> None:
    shown = Pages()
    shown.add([f"line {n:04}" for n in range(1_000)], skipped=274)
    text = shown.pages[0].reply().excerpts[0].text.split("\n")
    assert text[0] == "… 1,235 lines skipped"
    assert text[-1] == "line 0999"
    assert (shown.count, shown.skipped) == (39, 1_235)


# How it ends, and what is said


def pod(restarts: int = 0, uid: str = "u", state: str = "running", ended: Termination | None = None) -> Pod:
    kali = Container(
        "kali",
        "kali:1",
        restarts=restarts,
        state=state,
        last_termination=ended,
        terminated=ended if state == "terminated" else None,
    )
    return Pod("pod-1", uid, "Running", containers=(kali,))


def test_the_log_goes_on_while_the_same_run_of_the_container_does() -> None:
    assert end_of_log([pod()], pod(), "kali") is None
    assert end_of_log([pod(restarts=3)], pod(restarts=3), "kali") is None
    assert end_of_log([], pod(), "kali") == End("The pod pod-1 is gone.")
    assert end_of_log([pod(uid="other")], pod(), "kali") == End("The pod pod-1 is gone.")
    killed = Termination("OOMKilled", 137)
    restarted = end_of_log([pod(1, ended=killed)], pod(), "kali")
    assert restarted == End("kali restarted (OOMKilled, exit code 137).", previous=True)
    assert end_of_log([pod(state="terminated", ended=killed)], pod(), "kali") == End(
        "kali has ended (OOMKilled, exit code 137)."
    )


def follow(**more: object) -> Follow:
    request = FollowRequest(Target(), pod(), "kali", line="logs --follow")
    return Follow("f-1", request, "U1", NOW, NOW + timedelta(minutes=10), **more)  # type: ignore[arg-type]


def test_the_message_names_its_end_from_the_start() -> None:
    said = head(follow())
    assert utc(said.headline, NOW) == (
        "📜 Following the log of pod-1/kali since 22:41:07 UTC, ends at 22:51:07 UTC at the latest"
    )
    assert [(b.label, b.command) for b in said.buttons] == [("Stop", "logs stop f-1")]
    assert Mention("U1") in said.body[0]


def test_the_last_edit_says_why_and_offers_what_is_left() -> None:
    ended = follow(
        ended=NOW + timedelta(seconds=90), end=End("kali restarted.", previous=True), lines=3, skipped=7
    )
    said = head(ended)
    assert said.headline == "📜 Followed the log of pod-1/kali for 1 min 30 s: 3 lines, 7 skipped"
    assert said.body[0] == "kali restarted."
    assert [b.command for b in said.buttons] == ["logs --previous", "logs --follow"]


def test_a_refusal_names_who_follows_already() -> None:
    said = messages.too_many([follow()], " of secure-agent-pod", [follow()])
    assert said.headline == "Not followed: 1 log of secure-agent-pod is being followed already"
    assert Mention("U1") in said.body[0]
    assert [b.command for b in said.buttons] == ["logs stop f-1"]
    hidden = messages.too_many([follow()], "", [])
    assert hidden.headline == "Not followed: 1 log is being followed already"
    assert (hidden.body, hidden.buttons) == (("Use `/agentpod logs`, which reads once.",), ())
