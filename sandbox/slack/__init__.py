"""A local Slack workspace that follows Slack's documented wire behaviour. Start with :class:`Workspace`."""

from sandbox.slack.errors import SlackError
from sandbox.slack.message import Message
from sandbox.slack.user_actions import Interaction
from sandbox.slack.workspace import Workspace

__all__ = ["Interaction", "Message", "SlackError", "Workspace"]
