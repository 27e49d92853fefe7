"""functions.*: an app says how a step of a workflow ended. These methods need no scope."""

from __future__ import annotations

from sandbox.slack import workflows
from sandbox.slack.errors import invalid_arguments
from sandbox.slack.model import Json
from sandbox.slack.web_api.call import Call, Method


def _success(call: Call) -> Json:
    outputs = call.structure("outputs")
    if not isinstance(outputs, dict):
        raise invalid_arguments("missing required field: outputs")
    workflows.end(call.core, call.text("function_execution_id"), outputs=outputs)
    return {}


def _error(call: Call) -> Json:
    workflows.end(call.core, call.text("function_execution_id"), error=call.text("error"))
    return {}


METHODS = {
    "functions.completeSuccess": Method(_success, 3),
    "functions.completeError": Method(_error, 3),
}
