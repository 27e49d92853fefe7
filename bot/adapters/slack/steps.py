"""The custom steps of Slack's workflows: what each runs, and what it hands back to the workflow.

The person is the one whom Slack passes as the workflow's ``user_context``, which nobody who builds a workflow can
type in. A step that is run for nobody, such as on a schedule, is refused.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bot.adapters.slack.api import Api
from bot.adapters.slack.errors import SlackRefused
from bot.adapters.slack.people import People
from bot.adapters.slack.request import SlackRequest, StepRun
from bot.adapters.slack.unfinished import CUT_SHORT
from bot.domain.core import labels, words
from bot.domain.core.reply import Reply, plain
from bot.domain.rbac.roles import Capability
from bot.errors import AgentpodError
from bot.runbook.command import Command
from bot.runbook.context import Caller
from bot.runbook.dispatch import Dispatcher

logger = logging.getLogger("agentpod.slack")
Json = Mapping[str, Any]
Outputs = dict[str, str]
RESTART, CHECK = "ask_for_restart", "run_check"
MOST_TEXT = 3000
"""Characters of an output, and of a reason for a failure."""
CHECKS = ("Observe", "Runbook")
"""The groups of the commands that a step may run, if all who may see the target may run them."""
OVER = "execution_not_in_running_state"
_NOBODY = (
    "Refused: Slack doesn't say who runs this workflow. Start it from a link or a shortcut, or put a step before "
    "this one in which somebody presses a button."
)


@dataclass(frozen=True)
class Parameter:
    """An input or an output of a step."""

    name: str
    title: str
    description: str
    type: str = "string"
    required: bool = True


@dataclass(frozen=True)
class Step:
    """A step as the app's manifest has it. ``outputs_of`` makes its outputs from the command's reply."""

    callback: str
    title: str
    description: str
    inputs: tuple[Parameter, ...]
    outputs: tuple[Parameter, ...]
    outputs_of: Callable[[Reply], Outputs]


def _of_request(reply: Reply) -> Outputs:
    return {"request_id": str(reply.data.get("id", "")), "state": str(reply.data.get("state", ""))}


def _of_check(reply: Reply) -> Outputs:
    verdict = reply.verdict.value if reply.verdict is not None else "none"
    return {"verdict": verdict, "headline": words.cut_at_word(reply.headline, MOST_TEXT)}


_PERSON = Parameter(
    "person", "Who asks", "The person who runs the workflow: only Slack fills it in", "slack#/types/user_context"
)
_TARGET = Parameter(
    "target", "Target", "The agent pod by its name in the settings; empty for the first", required=False
)
STEPS = (
    Step(
        RESTART,
        labels.of("restart"),
        "Asks for a restart of the agent pod on behalf of the person; an approver decides",
        (_PERSON, Parameter("reason", "Reason for the restart", "Approvers and the audit trail see it"), _TARGET),
        (
            Parameter("request_id", "Id of the request", "Such as r-7k2m9xwq, for approvals and withdraw"),
            Parameter("state", "State of the request", "Such as open, while it waits for an approver"),
        ),
        _of_request,
    ),
    Step(
        CHECK,
        "Run a check",
        "Runs a check of the agent pod on behalf of the person",
        (
            _PERSON,
            Parameter(
                "check",
                "Check to run",
                "A command such as storage or heartbeats; empty for status",
                required=False,
            ),
            _TARGET,
        ),
        (
            Parameter("verdict", "Verdict of the check", "ok, warn, fail or unknown; none for a list without one"),
            Parameter("headline", "First line of the answer", "What the check found, in one line"),
        ),
        _of_check,
    ),
)


def read(event: Json) -> SlackRequest | None:
    """Return the request of a ``function_executed`` event; its user is empty if Slack says nobody."""
    execution, function = event.get("function_execution_id"), event.get("function")
    callback = function.get("callback_id") if isinstance(function, dict) else None
    if not isinstance(execution, str) or not execution or not isinstance(callback, str):
        return None
    inputs = event.get("inputs")
    given: Json = inputs if isinstance(inputs, dict) else {}
    person = given.get("person")
    user = person.get("id") if isinstance(person, dict) else ""
    line, answers, said = _line(callback, given)
    return SlackRequest(
        "workflow",
        user if isinstance(user, str) else "",
        user if isinstance(user, str) else "",  # a workflow runs in no channel
        line,
        f"workflow:{execution}",
        answers=answers,
        step=StepRun(execution, callback),
        said=said,
    )


def _line(callback: str, given: Json) -> tuple[str | None, Mapping[str, str], str]:
    """Return the line to run with its answers; or None, and why not."""
    target, reason, check = (_text(given, name) for name in ("target", "reason", "check"))
    if target is None or reason is None or check is None:
        return None, {}, "Refused: an input has characters that can't be shown, or is no text."
    where = f" --target {words.quoted(target)}" if target else ""
    if callback == RESTART:
        return (
            (f"restart{where}", {"reason": reason}, "") if reason else (None, {}, "Refused: a reason is needed.")
        )
    if callback == CHECK:
        return f"{(check or 'status').lower()}{where}", {}, ""
    return None, {}, "agentpod has no such step (any more)."


def _text(given: Json, name: str) -> str | None:
    """An input as one line; empty where it is left out, None where it can't be used."""
    value = given.get(name)
    if value is None:
        return ""
    line = " ".join(value.split()) if isinstance(value, str) else "\0"
    return line if line.isprintable() else None


async def run(
    request: SlackRequest, step: StepRun, request_id: str, *, dispatcher: Dispatcher, people: People, api: Api
) -> None:
    """Run a step for its person, and tell the workflow how it ended. Never raises AgentpodError."""
    why = await _refused(request, dispatcher)
    reply = Reply(why) if why else await _reply(request, request_id, dispatcher, people)
    reply = await api.clean(reply)
    if bool(why) or reply.form is not None or "error" in reply.data:
        await _end(api, step, "functions.completeError", error=words.cut_at_word(_said(reply), MOST_TEXT))
    else:
        await _end(api, step, "functions.completeSuccess", outputs=_outputs(step, reply))


async def cut_short(step: StepRun, api: Api) -> None:
    """Tell the workflow that the step was not finished. One that has ended already stays as it is."""
    await _end(api, step, "functions.completeError", error=CUT_SHORT)


async def _end(api: Api, step: StepRun, method: str, **how: Any) -> None:
    try:
        await api.call(method, function_execution_id=step.execution, **how)
    except SlackRefused as error:
        if error.word != OVER:  # a workflow that was stopped, or that has the answer already
            logger.warning("a workflow's step could not be ended: %s", error.message)
    except AgentpodError as error:
        logger.warning("a workflow's step could not be ended: %s", error.message)


async def _refused(request: SlackRequest, dispatcher: Dispatcher) -> str:
    """Why a step is not run at all, which is recorded; empty if it may be tried."""
    command = dispatcher.command(request.line)
    name = command.name if command is not None else "workflow"
    if not request.user:
        await dispatcher.record(name, "", "workflow", "nobody runs it")
        return _NOBODY
    if request.line is None:
        return request.said
    if problem := dispatcher.problem(request.line, request.answers) if request.answers else "":
        return f"Refused: the reason can't be used. {words.upper_first(problem)}"
    if request.step is not None and request.step.callback == CHECK and not _is_check(command):
        await dispatcher.record(name, "", request.user, "not a check")
        return "Refused: a workflow can run only checks, such as status, storage or heartbeats."
    return ""


def _is_check(command: Command | None) -> bool:
    return command is not None and command.needs is Capability.VIEW and command.group in CHECKS


async def _reply(request: SlackRequest, request_id: str, dispatcher: Dispatcher, people: People) -> Reply:
    identity = await people.identity(request.user, request.channel, (), anew=True)
    return await dispatcher.run(
        request.line or "",
        Caller(identity, "workflow", request.dedup),
        request_id=request_id,
        progress=_silent,
        answers=request.answers,
    )


async def _silent(_: Reply) -> None:
    """A workflow gets no partial answers."""


def _said(reply: Reply) -> str:
    return "\n".join([reply.headline, *map(plain, reply.body)])


def _outputs(step: StepRun, reply: Reply) -> Outputs:
    return next(one for one in STEPS if one.callback == step.callback).outputs_of(reply)
