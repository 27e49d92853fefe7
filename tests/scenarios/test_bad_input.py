"""Any wrong input gets an answer that says what was wrong, and no input takes effect as markup."""

from __future__ import annotations

import json

import pytest

from sandbox.slack import seed
from tests.scenarios.talk import World

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("scenarios-bad_input")]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("statsu", "Did you mean 'status'?"),
        ("xyzzy", "There is no such command"),
        ("logs --gerp x", "Did you mean --grep?"),
        ("logs --tail", "--tail needs a value"),
        ('logs --grep "open', "A quote is left open"),
        ("logs --grep '('", "--grep"),
        ("logs --since soon", "not a duration"),
        ("logs --container nope", "kali"),
        ("status please", "does not know what to do with 'please'"),
        ("status --target blue", "There is no target of that name"),
        ("x" * 3000, "There is no such command"),
        ("logs " + "x" * 3000, "at most 3,000"),
        ("🎉", "There is no such command"),
        ("مرحبا", "There is no such command"),
        ("can-i fly", "There is no such command"),
        ("help nonsense", "There is no such command"),
    ],
)
async def test_an_invalid_command_line_gets_a_specific_error(world: World, line: str, says: str) -> None:
    answer = await world.ask(line)
    assert says in answer.text


async def test_a_typo_is_answered_with_a_working_button_for_the_right_command(world: World) -> None:
    answer = await world.ask("whoamy")
    [message] = answer.messages
    buttons = [e for b in message.blocks or [] if b["type"] == "actions" for e in b["elements"]]
    [button] = [b for b in buttons if "whoami" in b["value"]]
    done = await world.workspace.click(seed.MAYA, message, button["action_id"], block_id=None)
    assert done.ok
    after = await world.final(lambda: [m for m in done.messages if seed.MAYA in m.all_text()])
    assert "operator" in after.text


@pytest.mark.parametrize(
    "nasty",
    [
        "<!channel>",
        "<!here> now",
        "<@U07JONAS002>",
        "`code` *bold* _it_ ~s~",
        "```",
        "<https://evil.example|click>",
    ],
)
async def test_markup_in_arguments_stays_text(world: World, nasty: str) -> None:
    quoted = nasty.replace("'", "")
    answer = await world.ask(f"'{quoted}'")
    # Slack interprets markup in `text` and in mrkdwn objects, but not in rich text and plain text.
    read_by_slack = "".join([*(m.text for m in answer.messages), *_mrkdwn([m.blocks for m in answer.messages])])
    for live in ("<!channel>", "<!here>", "<@U07JONAS002>", "<https://evil.example|click>"):
        assert live not in read_by_slack
    kinds = {"broadcast", "user", "link", "usergroup"}
    assert not kinds & set(_element_types([m.blocks for m in answer.messages]))


def _element_types(node: object) -> list[str]:
    if isinstance(node, dict):
        return [str(node.get("type")), *(t for v in node.values() for t in _element_types(v))]
    return [t for item in node for t in _element_types(item)] if isinstance(node, list) else []


def _mrkdwn(node: object) -> list[str]:
    if isinstance(node, dict):
        own = [str(node["text"])] if node.get("type") == "mrkdwn" else []
        return own + [t for v in node.values() for t in _mrkdwn(v)]
    return [t for item in node for t in _mrkdwn(item)] if isinstance(node, list) else []


async def test_markup_and_secrets_in_log_lines_stay_text_and_hidden(world: World) -> None:
    await world.break_("pod-noisy-logs")
    answer = await world.ask("logs --tail 200")
    sent = json.dumps([[m.text, m.blocks] for m in answer.messages])
    assert "<!channel>" not in "".join(m.text for m in answer.messages)
    assert "broadcast" not in _element_types([m.blocks for m in answer.messages])
    assert "[redacted]" in answer.text or "redacted" in answer.text
    assert "xoxb-" not in sent
    assert "ghp_" not in sent


async def test_a_user_without_a_role_is_told_the_rule_and_the_contact(world: World) -> None:
    answer = await world.ask("status", user=seed.SAM, channel=seed.GENERAL)
    assert "You may not run status" in answer.text
    assert "no access rule names you" in answer.text
    assert "Priya" in answer.text


@pytest.mark.parametrize("line", ["help", "whoami"])
async def test_help_and_whoami_are_open_to_everybody(world: World, line: str) -> None:
    answer = await world.ask(line, user=seed.SAM, channel=seed.GENERAL)
    assert "may not run" not in answer.text


async def test_a_viewer_may_run_status_but_not_logs(world: World) -> None:
    answer = await world.ask("logs", user=seed.PRIYA)
    assert "may not run" not in answer.text  # approver covers operator
    answer = await world.ask("can-i logs", user=seed.PRIYA)
    assert "approvers" in answer.text


async def test_help_lists_only_what_the_caller_may_run(world: World) -> None:
    everybody = await world.ask("help", user=seed.SAM, channel=seed.GENERAL)
    operator = await world.ask("help")
    assert "logs" in operator.text
    assert "logs" not in everybody.text.replace("whoami", "")
