"""One message, or one window, as Slack gets it, and which parts of the bot it is an example of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from bot.adapters.slack import blocks, forms, home_tab, modal_answer
from bot.adapters.slack.pages import VIEW
from bot.domain.core.reply import Form, Reply

Json = dict[str, Any]
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
"""The time at which all examples are rendered: that of the fakes in `tests.commands.fakes`."""


@dataclass(frozen=True)
class Example:
    """A message (or several, where one is not enough), a window, or the Home tab."""

    feature: str
    """The heading of the page that it stands under."""
    title: str
    messages: tuple[Json, ...]
    """Slack's own JSON: ``text`` and ``blocks``; a view for a window or the Home tab."""
    covers: frozenset[str] = frozenset()
    """What it is an example of: ``command status``, ``request restart open``, ``source pod firing``."""
    private: bool = False
    """Whether only the one who asked sees it."""

    @property
    def name(self) -> str:
        """What findings call it."""
        return f"{self.feature}: {self.title}"


def message(
    feature: str, title: str, reply: Reply, covers: Iterable[str] = (), *, private: bool = False
) -> Example:
    """The example of a reply, rendered as for Slack."""
    hosted = tuple(replace(image, file="F0PICTURE01") for image in reply.images)
    key = "0123456789ab" if private and reply.shareable and reply.command else ""
    rendered = blocks.render(replace(reply, images=hosted), key=key, now=NOW)
    found = tuple({"text": one.text, "blocks": one.blocks} for one in rendered.messages)
    return Example(feature, title, found, frozenset(covers), private)


def window(feature: str, title: str, form: Form, covers: Iterable[str] = ()) -> Example:
    """The example of a form, as Slack opens it."""
    return Example(feature, title, (forms.view(form, forms.Origin("C07OPSPOD01")),), frozenset(covers), True)


def home(feature: str, title: str, reply: Reply, covers: Iterable[str] = ()) -> Example:
    """The example of a reply that the Home tab shows."""
    return Example(feature, title, (home_tab.view(reply, now=NOW),), frozenset(covers), True)


def answer(feature: str, title: str, line: str, reply: Reply, covers: Iterable[str] = ()) -> Example:
    """The example of a reply in a window above the Home tab."""
    rendered = blocks.render(reply, tables=False, room=VIEW, now=NOW)
    return Example(feature, title, (modal_answer.modal(line, rendered),), frozenset(covers), True)
