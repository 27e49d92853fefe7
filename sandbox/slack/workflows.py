"""Workflows: runs of the app's custom steps, and what the app makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.slack import seed
from sandbox.slack.errors import SlackError
from sandbox.slack.executions import Execution
from sandbox.slack.message import Message
from sandbox.slack.model import Json
from sandbox.slack.store import new_id

if TYPE_CHECKING:
    from sandbox.slack.core import Core
    from sandbox.slack.events import Events
    from sandbox.slack.manifest import Function


class Workflows:
    """Starts workflows of one step each."""

    def __init__(self, core: Core, events: Events) -> None:
        """``events`` delivers ``function_executed``."""
        self._core, self._events = core, events

    def run(self, user: str, channel: str, callback_id: str, inputs: Json) -> Execution:
        """Run a step with these inputs; Slack adds the person. Raises SlackError for an unknown step or input."""
        function = next((f for f in self._core.manifest.functions if f.callback_id == callback_id), None)
        if function is None:
            raise SlackError("unknown_function")
        given = {name: value for name, value in inputs.items() if value not in ("", None)}
        if unknown := set(given) - set(function.inputs):
            raise SlackError(f"unknown input {min(unknown)}")
        for name, parameter in function.inputs.items():
            if parameter["type"] == "slack#/types/user_context":
                given.pop(name, None)
                if user:
                    given[name] = {"id": user, "secret": new_id("s")}
            elif parameter.get("is_required") and name not in given:
                raise SlackError(f"missing input {name}")
        execution = Execution(new_id("Fx"), function, user, channel, self._event(function, given))
        execution.event["function_execution_id"] = execution.id
        self._core.executions[execution.id] = execution
        self._core.workflow_tokens.add(execution.event["bot_access_token"])
        self.deliver(execution)
        return execution

    def deliver(self, execution: Execution) -> None:
        """Send the event of a run, also once more as Slack does where an acknowledgement was lost."""
        self._events.send("function_executed", execution.event)

    def _event(self, function: Function, inputs: Json) -> Json:
        return {
            "type": "function_executed",
            "function": {
                "id": f"Fn{function.callback_id[:8].upper()}",
                "callback_id": function.callback_id,
                "title": function.title,
                "description": function.description,
                "type": "app",
                "input_parameters": _listed(function.inputs),
                "output_parameters": _listed(function.outputs),
                "app_id": seed.APP_ID,
                "date_created": 1,
                "date_updated": 1,
                "date_deleted": 0,
            },
            "inputs": inputs,
            "function_execution_id": "",
            "workflow_execution_id": new_id("Wx"),
            "event_ts": self._core.store.next_ts(),
            "bot_access_token": f"xwfp-sandbox-{new_id('')}",
        }


def _listed(parameters: Json) -> list[Json]:
    return [{"name": name, **given} for name, given in parameters.items()]


def end(core: Core, execution_id: str, *, outputs: Json | None = None, error: str = "") -> None:
    """End a run as the app says; its workflow posts the outcome where it was started. Raises SlackError."""
    execution = core.executions.get(execution_id)
    if execution is None:
        raise SlackError("function_execution_not_found")
    if execution.state != "running":
        raise SlackError("execution_not_in_running_state")
    if outputs is not None:
        needed = {n for n, p in execution.function.outputs.items() if p.get("is_required")}
        texts = all(isinstance(value, str) for value in outputs.values())
        if not needed <= set(outputs) <= set(execution.function.outputs) or not texts:
            raise SlackError("parameter_validation_failed")
    execution.state = "failed" if outputs is None else "done"
    execution.outputs, execution.error = outputs or {}, error
    if execution.channel:
        core.store.add(_outcome(core, execution))


def _outcome(core: Core, execution: Execution) -> Message:
    lines = [f"{label(execution, name)}: {value}" for name, value in execution.outputs.items()]
    what = "\n".join(lines) if execution.state == "done" else f"The step failed: {execution.error}"
    text = f"Workflow *{execution.function.title}* for <@{execution.user}>\n{what}"
    return Message(execution.channel, core.store.next_ts(), seed.RELAY, text, bot_id=seed.RELAY_BOT)


def label(execution: Execution, name: str) -> str:
    """The title of an output."""
    return str(execution.function.outputs[name]["title"])
