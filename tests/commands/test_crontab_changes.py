"""`cron edit`, `cron undo` and `cron run`: what is refused, what the form holds, and what the card says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from bot.domain.approvals.crontab_change import change_of
from bot.domain.approvals.repair import Proposal
from bot.domain.core import moments
from bot.domain.core.cron.edit import digest
from bot.domain.core.redact import PLACEHOLDER
from bot.domain.core.target import Target
from bot.domain.core.workload import ExecResult
from bot.errors import AgentpodError, Refused, Transient, UsageError
from bot.runbook.context import Caller
from bot.runbook.drafts import drafted
from bot.runbook.grammar import parse
from commands.registry import BUILTIN
from tests.commands.fakes import CRONTAB, NOW, said, text_of
from tests.commands.test_secrets import Cluster, Room
from tests.people import member

PATH = "/home/claude/.crontab"
PREVIOUS = f"{PATH}.agentpod-previous"


class Files(Cluster):
    """A pod with a crontab and maybe the version before."""

    def __init__(self, **texts: str) -> None:
        super().__init__()
        self.texts = {PATH: texts.get("crontab", CRONTAB)}
        if "previous" in texts:
            self.texts[PREVIOUS] = texts["previous"]
        self.mode = "81a4"
        self.secrets_answer = frozenset({"open-sesame-42"})

    async def exec(self, pod: str, container: str, argv: Sequence[str], **more: Any) -> ExecResult:
        program, *paths = argv
        if program == "stat":
            if not self.texts:
                return said(stderr=f"stat: cannot statx '{PATH}': No such file or directory", code=1)
            return said("".join(f"{self.mode} 1000 1000\n" for _ in paths[2:]))
        if program == "test":
            return said(code=0 if paths[1].endswith("session-manager.sh") else 1)
        if program == "ls" and paths[-1] == "/opt/scripts":
            return said("session-manager.sh\nold.sh\n")
        if program not in ("cat", "sha256sum"):
            return await super().exec(pod, container, argv, **more)
        gone = [path for path in paths if path not in self.texts]
        there = [self.texts[path] for path in paths if path in self.texts]
        out = "".join(there) if program == "cat" else "".join(
            f"{digest(self.texts[path])}  {path}\n" for path in paths if path in self.texts
        )  # fmt: skip
        return said(
            out, "".join(f"{program}: {path}: No such file or directory\n" for path in gone), int(bool(gone))
        )


def room_of(**texts: str) -> Room:
    room = Room(cluster=Files(**texts))
    room.target = Target(cron="debian") if texts.get("cron") == "debian" else Target()
    return room


async def proposed(text: str, **texts: str) -> Proposal:
    room = room_of(**texts)
    await room.say("cron edit --reason why", {"crontab": text})
    [proposal] = room.approval_service.asked
    return proposal


def warned(proposal: Proposal) -> list[str]:
    return [value for label, value in proposal.facts if label == "Warning"]


async def test_the_form_has_the_crontab_redacted() -> None:
    reply = await room_of().say("cron edit")
    assert reply.form is not None
    assert reply.form.fields[1].initial == CRONTAB.replace("open-sesame-42", PLACEHOLDER)
    assert f"--of {digest(CRONTAB)[:12]}" in reply.form.command


async def test_without_the_secrets_values_nothing_is_shown() -> None:
    room = room_of()
    room.cluster.secrets_answer = Transient("The API server is busy.")
    with pytest.raises(AgentpodError, match="busy"):
        await room.say("cron edit")


async def test_the_request_has_only_the_new_lines_and_digests() -> None:
    shown = CRONTAB.replace("open-sesame-42", PLACEHOLDER)
    proposal = await proposed(shown.replace("0 21", "0 22"))
    change = change_of(proposal.details)
    assert change is not None
    assert (change.before, change.after) == (digest(CRONTAB), digest(CRONTAB.replace("0 21", "0 22")))
    assert "open-sesame-42" not in repr(proposal)
    assert ("Change", "audit-digest.sh: daily at 21:00 → daily at 22:00") in proposal.facts
    assert any(label == "Next runs when asked" for label, _ in proposal.facts)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (
            "*/20 * * * * /opt/scripts/session-manager.sh\n",
            "session-manager is stale after 10 min, but up to 20 min",
        ),
        ("", "no job is left: nothing runs any more"),
        ("@daily x\n@daily x\n", "x is there 2 times"),
        ("0 21 * * * /opt/scripts/audit-digest.sh\n", "no line pushes session-manager any more"),
        ("CRON_TZ=Europe/Berlin\n", "all schedules move to another time zone"),
    ],
)
async def test_what_is_hardly_meant_is_a_warning_on_the_card(text: str, part: str) -> None:
    assert any(part in one for one in warned(await proposed(text))), part


async def test_debian_s_percent_sign_is_a_warning() -> None:
    assert any(
        "ends the command at %" in one for one in warned(await proposed("@daily date +%H\n", cron="debian"))
    )
    assert not any("%" in one for one in warned(await proposed("@daily date +%H\n")))


async def test_many_changes_are_bounded() -> None:
    proposal = await proposed("".join(f"{n} * * * * job-{n}\n" for n in range(60)))
    said_ = [value for label, value in proposal.facts if label == "Change"]
    assert len(said_) == 7
    assert said_[-1].startswith("and 5")
    assert len(proposal.facts) < 14


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (CRONTAB, "Nothing to do: the crontab is like that already."),
        (CRONTAB.replace("open-sesame-42", f"{PLACEHOLDER}x"), "Line 5 has a redacted part"),
        ("@daily x --password open-sesame-42\n", "Line 1 has something in it that looks like a secret"),
        (f"# ok\nTOKEN=ghp_{'a1B2c3' * 6}\n", "Line 2 has something in it that looks like a secret"),
        ("# x\n" * 2_001, "A crontab of more than 2,000 lines can't be checked"),
        ("# \x1b[2J\n", "Line 1 has a character that can't be shown"),
    ],
)
async def test_what_is_refused(text: str, part: str) -> None:
    with pytest.raises(Refused) as caught:
        await proposed(text)
    assert part in caught.value.message
    assert "ghp_" not in str(caught.value)


async def test_a_wrong_line_is_shown_as_cron_shows_it() -> None:
    room = room_of()
    reply = await room.say("cron edit --reason why", {"crontab": "# x\n5 61 * * * /opt/scripts/late.sh\n"})
    assert room.approval_service.asked == []
    assert reply.headline == "Line 2 is wrong: nothing was asked for"
    assert "line 2: 5 61 * * * /opt/scripts/late.sh\n          ^^" in text_of(reply)
    assert text_of(reply).count("this is not a valid hour") == 1
    assert (reply.verdict, reply.is_error, reply.exit_code) == (None, True, 2), "the pod may be healthy"


async def test_after_a_wrong_line_the_form_has_what_was_typed() -> None:
    room = room_of()
    typed = '# say “hi” \\ "x"\n5 61 * * * /opt/scripts/late.sh\n'
    reply = await room.say("cron edit --reason 'two words'", {"crontab": typed})
    [again] = [b for b in reply.buttons if b.label == "Open the form"]
    clicked, reason = drafted(parse(again.command, BUILTIN), Caller(member("U1", "C1"), "button"))
    assert (reason, clicked.params.model_dump()["crontab"]) == ("two words", typed)
    ctx = replace(room.context(), repairs=room.approval_service, ledger=room.marks)
    form = (await clicked.command.run(ctx, clicked.params)).form
    assert form is not None
    assert form.fields[1].initial == typed
    with pytest.raises(Refused, match="Somebody has changed the crontab"):
        await clicked.command.run(replace(ctx, cluster=Files(crontab="@daily other\n")), clicked.params)


async def test_a_crontab_that_no_button_holds_leaves_the_reason_in_the_form() -> None:
    typed = "# a comment of some length\n" * 80 + "5 61 * * * /opt/scripts/late.sh\n"
    reply = await room_of().say("cron edit --reason 'two words'", {"crontab": typed})
    assert reply.buttons[0].command == 'cron edit --reason "two words"'


async def test_line_ends_of_windows_become_line_feeds() -> None:
    change = change_of((await proposed("@daily x\r\n@weekly y\r\n")).details)
    assert change is not None
    assert change.after == digest("@daily x\n@weekly y\n")
    change = change_of((await proposed("@daily x\n", crontab="@daily x\r\n")).details)
    assert change is not None
    assert change.after == digest("@daily x\n")


async def test_an_edit_of_an_older_crontab_is_refused() -> None:
    with pytest.raises(Refused, match="Somebody has changed the crontab since the form was opened"):
        await room_of().say(f"cron edit --reason why --of {'0' * 12}", {"crontab": "@daily x\n"})


async def test_a_crontab_that_no_form_holds_is_refused_with_the_way_in_a_shell() -> None:
    for text in ("# 0123456789\n" * 1_600, f"# {'x' * 3_000}\n"):
        with pytest.raises(Refused, match="a form can't hold it") as caught:
            await room_of(crontab=text).say("cron edit")
        assert "--crontab" in (caught.value.remedy or "")


async def test_a_link_and_a_missing_crontab_are_refused() -> None:
    room = room_of()
    room.cluster.mode = "a1ff"  # type: ignore[attr-defined]
    with pytest.raises(AgentpodError, match="is no plain file"):
        await room.say("cron edit")
    room = room_of()
    room.cluster.texts.clear()  # type: ignore[attr-defined]
    with pytest.raises(Refused, match=r"There is no crontab at /home/claude/\.crontab"):
        await room.say("cron edit")


async def test_a_terminal_names_the_flags() -> None:
    room = room_of()
    why = '--reason "why it is needed"'
    for line, says, example in (
        ("cron edit", "cron edit needs --reason and --crontab.", f'{why} --crontab "$(cat FILE)"'),
        ("cron undo", "cron undo needs a reason, which approvers and the audit trail see.", why),
        ("cron run old.sh", "cron run old.sh needs a reason, which approvers and the audit trail see.", why),
    ):
        invocation = parse(line, BUILTIN)
        caller = Caller(member("U1", "C1"), "terminal")
        ctx = replace(room.context(), repairs=room.approval_service, ledger=room.marks, caller=caller)
        with pytest.raises(UsageError) as refused:
            await invocation.command.run(ctx, invocation.params)
        assert refused.value.message == says
        assert refused.value.remedy == f"For example: /agentpod {line} {example}"


async def test_undo_shows_what_comes_back() -> None:
    room = room_of(previous=CRONTAB.replace("*/5", "*/2"))
    await room.say("cron undo --reason why")
    [proposal] = room.approval_service.asked
    assert ("Change", "session-manager.sh: every 5 min → every 2 min") in proposal.facts
    change = change_of(proposal.details)
    assert change is not None
    assert (change.edit, change.after) == (None, digest(CRONTAB.replace("*/5", "*/2")))


@pytest.mark.parametrize(
    ("texts", "part"),
    [({}, "There is no version before"), ({"previous": CRONTAB}, "Nothing to do: the version before is the same")],
)
async def test_undo_is_refused_without_another_version(texts: dict[str, str], part: str) -> None:
    with pytest.raises(Refused, match=part):
        await room_of(**texts).say("cron undo --reason why")


async def test_undo_of_a_version_that_cron_refuses_is_not_asked_for() -> None:
    room = room_of(previous="61 * * * * x\n")
    assert (await room.say("cron undo --reason why")).headline.startswith("Line 1 is wrong")
    assert room.approval_service.asked == []


async def test_a_run_is_asked_for_with_its_next_run_by_the_schedule() -> None:
    room = room_of()
    await room.say("cron run session-manager.sh --reason why")
    [proposal] = room.approval_service.asked
    facts = dict(proposal.facts)
    assert facts["Runs"] == "/opt/scripts/session-manager.sh, in kali"
    warning = moments.short(facts["Warning"], NOW)
    assert warning == "its schedule, too, runs it soon, when asked: 12:05 UTC (in 5 min)"
    with pytest.raises(Refused, match=r"old\.sh is gone, or not executable any more"):
        await room.say("cron run old.sh --reason why")
    with pytest.raises(UsageError, match="There is no such script"):
        await room.say("cron run other.sh --reason why")
