"""Limits the loggers of Slack's SDK and Bolt, and redacts credentials from them.

At debug level both log requests, responses and addresses, with tokens, Socket Mode tickets and people's messages.
So their level is fixed here, whatever the root logger's is, and credentials are redacted from the rest.
"""

from __future__ import annotations

import logging
import re

from bot.logs import TOKEN

SDK = logging.getLogger("slack_sdk")
BOLT = logging.getLogger("slack_bolt")
_TICKET = re.compile(r"(ticket=)[^\s&'\"<>)]+")


class _NoCredentials(logging.Filter):
    """Redacts tokens and tickets in messages and tracebacks."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact a record; always True, as no record is dropped."""
        record.msg, record.args = clean(record.getMessage()), ()
        if record.exc_info:
            record.exc_text = clean(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        return True


_FILTER = _NoCredentials()


def clean(text: str) -> str:
    """Redact tokens and tickets."""
    return _TICKET.sub(r"\1[redacted]", TOKEN.sub("[redacted]", text))


def quieten() -> None:
    """Set the levels and the filter. Bolt logs errors only: its warnings are about its constructor's arguments."""
    for logger, level in ((SDK, logging.WARNING), (BOLT, logging.ERROR)):
        logger.setLevel(level)
        if _FILTER not in logger.filters:
            logger.addFilter(_FILTER)
