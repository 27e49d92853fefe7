"""Block Kit rendering: within Slack's limits, without active markup, and nothing dropped silently."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bot.adapters.slack import blocks, fallbacks, pages
from bot.domain.core.outside import Outside
from bot.domain.core.probes import SIGNS, Finding, Verdict
from bot.domain.core.reply import Button, Card, Excerpt, Fact, Mention, Reply, Table
from sandbox.slack.blocks import message_blocks

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=60) | st.sampled_from(
    ["<!channel> *b* `c`", "x" * 5_000, "lines\n" * 900, "\u202eright to left", ""]
)
words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
verdicts = st.sampled_from(Verdict)
many = st.lists(text, max_size=4).map(tuple)
findings = st.builds(Finding, words, text, verdicts, text, many, st.none() | text, st.none() | text, st.none())
tables = st.builds(
    Table,
    st.lists(text, max_size=22).map(tuple),
    st.lists(st.lists(text, max_size=22).map(tuple), max_size=8).map(tuple),
    text,
)
replies = st.builds(
    Reply,
    text,
    st.none() | verdicts,
    many,
    st.lists(findings, max_size=6).map(tuple),
    st.lists(st.builds(Fact, text, text, st.none() | verdicts, st.booleans()), max_size=8).map(tuple),
    st.lists(tables, max_size=3).map(tuple),
    st.lists(st.builds(Excerpt, text, text, words), max_size=3).map(tuple),
    st.lists(st.builds(Button, text, text), max_size=30).map(tuple),
    many,
    many,
    text,
    proof=st.none() | st.builds(Excerpt, text, text, words),
    cards=st.lists(
        st.builds(Card, many, st.lists(st.builds(Button, text, text), max_size=30).map(tuple)), max_size=3
    ),
)


def shown(rendered: blocks.Rendered) -> str:
    pieces = ["".join(blocks._texts(m.blocks)) for m in rendered.messages]
    return "".join(pieces) + "".join(f.content for f in rendered.files)


def squeezed(value: str) -> str:
    return "".join(value.replace("`", "").split())  # what stands in backquotes is shown as code


@hypothesis_settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(replies, st.booleans())
def test_any_reply_renders_into_messages_that_slack_accepts(reply: Reply, key: bool) -> None:
    rendered = blocks.render(reply, key="k" if key else "")
    assert 1 <= len(rendered.messages) <= pages.MAX_MESSAGES
    for message in rendered.messages:
        message_blocks(message.blocks, lambda _: None)
        assert message.text.strip()
        assert len(message.text) <= 4_000


@hypothesis_settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(replies)
def test_nothing_is_lost_in_silence(reply: Reply) -> None:
    reply = Outside().of(reply)
    everything = squeezed(shown(blocks.render(reply)))
    values: list[str] = [reply.headline, *reply.body, *(f.value for f in reply.facts), *reply.notes]
    values += [line for card in reply.cards for line in card.lines]
    values += [reply.proof.text, reply.proof.title] if reply.proof is not None else []
    values += [e.text for e in reply.excerpts] + [c for t in reply.tables for r in t.rows for c in r]
    for finding in reply.findings:
        values += [finding.title]
        if finding.verdict is not Verdict.OK:
            values += [finding.summary, *finding.evidence, finding.remedy or "", finding.run or ""]
    assert [v for v in values if squeezed(v) not in everything] == []


def test_what_proves_the_headline_stands_under_it_before_what_to_do() -> None:
    proof = Excerpt("sshd: not running", "processes of kali, read at 22:29:48 UTC")
    reply = Reply(
        "sshd does not run", Verdict.FAIL, ("Restart the pod.",), facts=(Fact("Ruled out", "x"),), proof=proof
    )
    [message] = blocks.render(reply).messages
    found = ["".join(blocks._texts(block)) for block in message.blocks]
    assert found[1:] == [proof.text, proof.title, "Restart the pod.", "Ruled out: x"]
    assert message.blocks[1]["elements"][0]["type"] == "rich_text_preformatted"
    assert fallbacks.as_text(reply).splitlines()[1:4] == [
        f"    {proof.text}",
        f"    {proof.title}",
        "Restart the pod.",
    ]


def test_commands_in_backquotes_are_code_in_headlines_bodies_and_remedies() -> None:
    finding = Finding("a", "A", Verdict.FAIL, "is off", (), "See `status`, or `pods --all`.")
    reply = Reply("`a b` is off", body=("Set `x`, not ` or `y.",), findings=(finding,))
    [message] = blocks.render(reply).messages
    found = [
        e for b in message.blocks for s in b["elements"] for e in s["elements"] if e.get("style", {}).get("code")
    ]
    assert [e["text"] for e in found] == ["a b", "x", "status", "pods --all"]
    assert found[0]["style"] == {"bold": True, "code": True}


def test_an_attached_excerpt_is_a_file_however_short_it_is() -> None:
    whole = Excerpt("# All of it", filename="report.md", attached=True)
    rendered = blocks.render(Reply("In short", excerpts=(whole,)))
    assert [(file.name, file.content) for file in rendered.files] == [("report.md", "# All of it")]
    assert "All of it" not in blocks.plain(rendered.messages[0])
    assert "All of it" not in fallbacks.as_text(Reply("In short", excerpts=(whole,)))


def test_the_first_line_has_sign_and_headline_and_the_word_where_something_is_wrong() -> None:
    def first(verdict: Verdict, headline: str = "x") -> Any:
        return blocks.render(Reply(headline, verdict)).messages[0].blocks[0]["elements"][0]["elements"][0]

    assert first(Verdict.OK)["text"] == "✅ x"
    assert first(Verdict.FAIL)["text"] == "🔴 Not healthy: x"
    assert first(Verdict.UNKNOWN)["text"].startswith("❓ Could not tell: ")
    assert first(Verdict.OK, "Healthy: 12 checks")["text"] == "✅ Healthy: 12 checks"
    assert first(Verdict.OK)["style"] == {"bold": True}


def test_a_headline_that_says_the_verdict_gets_the_sign_alone() -> None:
    for headline in ("Could not tell: the API server does not answer", "Healthy, with 1 warning: late"):
        for verdict in Verdict:
            assert fallbacks.heading(Reply(headline, verdict)) == f"{SIGNS[verdict]} {headline}"


def test_what_the_headline_says_is_not_repeated_below_it() -> None:
    finding = Finding("pod", "Pod", Verdict.FAIL, "kali is in CrashLoopBackOff", ("exit code 1",))
    rendered = blocks.render(Reply("Not healthy: kali is in CrashLoopBackOff", Verdict.FAIL, findings=(finding,)))
    assert shown(rendered).count("CrashLoopBackOff") == 1
    assert "🔴 Pod" in shown(rendered)
    assert rendered.messages[0].text.count("CrashLoopBackOff") == 1


def test_a_command_that_has_a_button_is_not_written_out_as_well() -> None:
    finding = Finding("pod", "Pod", Verdict.FAIL, "x", run="/agentpod logs --previous")
    reply = Reply("y", Verdict.FAIL, findings=(finding,), buttons=(Button("Logs before", "logs --previous"),))
    assert "/agentpod logs --previous" not in shown(blocks.render(reply))
    assert "/agentpod logs --previous" in shown(blocks.render(reply, buttons=False))


def test_a_command_that_the_remedy_names_is_shown_once_as_it_has_to_be_typed() -> None:
    finding = Finding(
        "ssh", "SSH", Verdict.FAIL, "down", (), "`/agentpod diagnose ssh` finds it.", "/agentpod diagnose ssh"
    )
    assert shown(blocks.render(Reply("h", findings=(finding,)))).count("/agentpod diagnose ssh") == 1
    small = Reply("h", notes=("r-1 · approvers can decide with /agentpod approve r-1",))
    assert "with /ops approve r-1" in str(blocks.render(small, prefix="/ops").messages[0].blocks)
    other = replace(finding, run="/ops diagnose ssh")
    assert shown(blocks.render(Reply("h", findings=(other,)), prefix="/ops")).count("/ops diagnose ssh") == 1


def test_a_second_table_is_lines_that_wrap() -> None:
    table = Table(("Service", "Address"), (("ssh", "192.168.55.215"),), "Others", (Verdict.OK,))
    message = blocks.render(Reply("x", tables=(table, table))).messages[0]
    assert [b["type"] for b in message.blocks].count("table") == 1
    assert message.blocks[-1]["elements"][0]["elements"][0] == {
        "type": "text",
        "text": "✅ ssh",
        "style": {"bold": True},
    }


def test_a_mention_in_a_table_shows_a_name() -> None:
    table = Table(("When", "Who"), (("13:40", (Mention("U0CAROL01"), " asked for restart")),))
    message = blocks.render(Reply("x", tables=(table, table))).messages[0]
    message_blocks(message.blocks, lambda _: None)
    [first] = [b for b in message.blocks if b["type"] == "table"]
    assert first["rows"][1][0] == {"type": "raw_text", "text": "13:40"}
    assert first["rows"][1][1]["elements"][0]["elements"] == [
        {"type": "user", "user_id": "U0CAROL01"},
        {"type": "text", "text": " asked for restart"},
    ]
    assert {"type": "user", "user_id": "U0CAROL01"} in message.blocks[-1]["elements"][0]["elements"]
    assert "@U0CAROL01" in fallbacks.as_text(Reply("x", tables=(table,)))


def test_when_all_is_ok_the_count_is_said_once() -> None:
    ok = tuple(Finding(str(n), f"T{n}", Verdict.OK, "fine") for n in range(3))
    everything = shown(blocks.render(Reply("Healthy: 3 checks ok", Verdict.OK, findings=ok)))
    assert "T0 · T1 · T2" in everything
    assert everything.count("3") == 1


def test_many_checks_that_are_ok_or_awaited_are_not_all_listed() -> None:
    ok = tuple(Finding(str(n), f"T{n}", Verdict.OK, "fine") for n in range(200))
    everything = shown(blocks.render(Reply("Healthy: 200 checks ok", Verdict.OK, findings=ok)))
    assert "T18 · T19 · 180 more" in everything
    assert "T20" not in everything
    waiting = shown(blocks.render(Reply("Checking", pending=tuple(f"P{n}" for n in range(21)))))
    assert "P19, 1 more" in waiting


def test_facts_are_lines_of_one_block_without_gaps() -> None:
    reply = Reply("h", facts=(Fact("User", "U1", code=True), Fact("Role", "viewer")))
    [_, facts] = blocks.render(reply).messages[0].blocks
    assert [section["type"] for section in facts["elements"]] == ["rich_text_section"] * 2
    assert "\n" not in "".join(blocks._texts(facts))
    assert blocks.plain(blocks.render(reply).messages[0]) == "h\nUser: U1\nRole: viewer"


def test_what_is_ok_is_folded_and_what_is_not_comes_first() -> None:
    ok = [Finding(str(n), f"T{n}", Verdict.OK, "fine") for n in range(9)]
    bad = Finding("b", "Bad", Verdict.FAIL, "broken", ("seen",), "Mend it.", "/agentpod logs")
    lines = "\n".join(
        blocks._texts(blocks.render(Reply("h", Verdict.FAIL, findings=(*ok, bad))).messages[0].blocks)
    )
    assert lines.index("🔴 Bad") < lines.index("✅ 9 ok: T0, T1")


def test_fallback_text_is_inert() -> None:
    escaped = fallbacks.escape("<!channel> *b* _i_ `c` a_b & <@U1>")
    assert "<" not in escaped
    assert "a_b" in escaped
    assert "*b*" not in escaped


def test_fallback_text_has_what_a_card_says_and_notifies_nobody_again() -> None:
    denied = Fact("Denied by", (Mention("U3"), ": after 10:00, please"))
    facts = (Fact("Asked by", (Mention("U1"), ", ", Mention("U4"))), Fact("Reason", "it hangs"), denied)
    card = Reply("Restart: needs approval", body=("The old pod ends.",), facts=facts, notify=(Mention("U2"),))
    assert fallbacks.fallback(card) == (
        "Restart: needs approval\nThe old pod ends.\nReason: it hangs\n"
        "Denied by: somebody: after 10:00, please <@U2>"
    )


def test_fallback_text_has_the_names_of_people_as_far_as_they_are_known() -> None:
    facts = (Fact("Asked by", (Mention("U1"),)), Fact("Acknowledged", ("by ", Mention("U2"), " at 09:00")))
    asked = Reply("Alert", facts=facts)
    [message] = blocks.render(asked, name_of=lambda user: "Maya <!here>" if user == "U1" else "").messages
    assert message.text == "Alert\nAsked by: Maya &lt;!here&gt;\nAcknowledged: by somebody at 09:00"
    assert "'user_id': 'U1'" in str(message.blocks), "the message itself has the mention"


def test_fallback_text_is_no_longer_than_a_notification_takes() -> None:
    text = fallbacks.fallback(Reply("h", body=("word " * 1_000,)))
    assert text.startswith("h\nword word")
    assert len(text) < 800


def test_a_long_report_shows_both_ends_and_counts_the_middle() -> None:
    text = "\n".join(f"line {number} {'x' * 40}" for number in range(200))
    rendered = blocks.render(Reply("h", excerpts=(Excerpt(text, filename="report.md", ends=True),)))
    everything = shown(rendered)
    assert "line 0 " in everything
    assert "line 199 " in everything
    assert "lines left out …" in everything
    assert [file.content for file in rendered.files] == [text]


def test_a_column_that_may_be_long_is_wrapped() -> None:
    [message] = blocks.render(Reply("h", tables=(Table(("#", "What"), (("1", "long"),), wrapped=(1,)),))).messages
    [table] = [block for block in message.blocks if block["type"] == "table"]
    assert table["column_settings"] == [None, {"is_wrapped": True}]


def test_a_command_in_a_fact_is_code_as_in_a_paragraph() -> None:
    reply = Reply("down", facts=(Fact("What to do", "Read it; `diagnose` compares."),))
    *_, section = [b for m in blocks.render(reply).messages for b in m.blocks if b["type"] == "rich_text"]
    texts = [(e["text"], e.get("style")) for e in section["elements"][0]["elements"]]
    assert texts[1:] == [("Read it; ", None), ("diagnose", {"code": True}), (" compares.", None)]
