"""The loggers of Slack's SDK and Bolt, kept to what an operator needs and free of credentials.

Both log requests, answers and addresses at debug level: tokens, Socket Mode tickets, people's words. So their
level is fixed here, whatever the root logger's is, and what is left loses anything that is a credential.
"""

from __future__ import annotations

import logging
import re

from bot.logs import TOKEN

SDK = logging.getLogger("slack_sdk")
BOLT = logging.getLogger("slack_bolt")
_TICKET = re.compile(r"(ticket=)[^\s&'\"<>)]+")


class _NoCredentials(logging.Filter):
    """Takes tokens and tickets out of messages and tracebacks."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Never drops a line."""
        record.msg, record.args = clean(record.getMessage()), ()
        if record.exc_info:
            record.exc_text = clean(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        return True


_FILTER = _NoCredentials()


def clean(text: str) -> str:
    """The text without tokens and tickets."""
    return _TICKET.sub(r"\1[redacted]", TOKEN.sub("[redacted]", text))


def quieten() -> None:
    """Fix the levels. Bolt's warnings are about how its own constructor was called: only its errors count."""
    for logger, level in ((SDK, logging.WARNING), (BOLT, logging.ERROR)):
        logger.setLevel(level)
        if _FILTER not in logger.filters:
            logger.addFilter(_FILTER)
