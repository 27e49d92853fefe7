"""``restart``: the request is for the intended target, also with several targets."""

from __future__ import annotations

from bot.domain.approvals.actions.action import RepairAction
from bot.domain.approvals.actions.force_restart import FORCE_RESTART
from bot.domain.approvals.actions.registry import BUILTIN as BUILTIN_ACTIONS
from bot.domain.approvals.actions.restart import RESTART
from bot.domain.approvals.actions.secret_set import SECRET_SET
from bot.domain.approvals.actions.ssh_key_remove import SSH_KEY_REMOVE
from bot.domain.approvals.approval import Request, RequestState, Snapshot
from bot.domain.approvals.card import card
from bot.domain.approvals.repair import RepairRequest
from bot.domain.core import words
from bot.runbook.grammar import parse
from commands.registry import BUILTIN
from tests.services.workbench import START


def _case(
    action: RepairAction, state: RequestState = RequestState.VOID, reason: str = 'a "quoted" \\ “reason”'
) -> RepairRequest:
    request = Request("r-22222222", "U1", START, START, Snapshot("u", 1), state=state)
    details = {"key": "TOKEN"}
    return RepairRequest(request, "the other pod", action, reason=reason, subject="SHA256:abc", details=details)


def test_a_repeated_request_is_for_the_same_action_and_target() -> None:
    for action in (RESTART, FORCE_RESTART, SECRET_SET, SSH_KEY_REMOVE):
        invocation = parse(action.again_line(_case(action)), BUILTIN)
        assert invocation.target == "the other pod"
        assert invocation.command.name == action.name.removesuffix(" --force")
        assert getattr(invocation.params, "force", False) is (action is FORCE_RESTART)


def test_every_button_of_every_card_is_a_valid_command_line() -> None:
    from bot.domain.approvals.approval import ApprovalPolicy

    for action in BUILTIN_ACTIONS:
        for state in RequestState:
            for button in card(_case(action, state, "why"), ApprovalPolicy(break_glass=("U1",))).buttons:
                parse(button.command, BUILTIN)


def test_a_quoted_reason_is_parsed_as_one_argument() -> None:
    for text in ("a b", "a “two words” b", "it’s", "--force", '\\"'):
        invocation = parse(f"restart --reason {words.quoted(text)}", BUILTIN)
        straight = text.replace("“", '"').replace("”", '"').replace("’", "'")
        assert invocation.params.model_dump() == {"reason": straight, "force": False}
