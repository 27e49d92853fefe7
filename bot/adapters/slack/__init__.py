"""Receives requests from Slack by Socket Mode or HTTP, and sends answers. Start with :class:`SlackAdapter`."""

from bot.adapters.slack.adapter import SlackAdapter
from bot.adapters.slack.api import SlackObserver
from bot.adapters.slack.check import CheckResult, check_slack
from bot.adapters.slack.connection import ConnectionStatus

__all__ = ["CheckResult", "ConnectionStatus", "SlackAdapter", "SlackObserver", "check_slack"]
