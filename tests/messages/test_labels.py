"""One label per action, and forms that say what they are about."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from bot.adapters.slack import forms
from bot.domain.core import labels
from bot.domain.rbac.roles import Capability
from bot.runbook.command import GROUPS
from bot.runbook.grammar import called
from commands.registry import BUILTIN
from tests.messages.example import Example

pytestmark = pytest.mark.xdist_group("messages")
GENERIC = ("Details", "Refresh", "Run again", "Share in channel", "Ask again", "Open the form")
"""Labels that stand beside what they are about, whatever that is."""
CHANGES = {
    Capability.HANDLE_INCIDENTS,
    Capability.PUSH_HEARTBEATS,
    Capability.REQUEST,
    Capability.DECIDE,
    Capability.BREAK_GLASS,
}


def clicks(examples: Sequence[Example]) -> Iterator[tuple[str, str, str]]:
    """Yield of each button and each option that runs something: the example, the label, and the command line."""
    for example in examples:
        for message in example.messages:
            for block in message["blocks"]:
                for element in block.get("elements", ()) if block["type"] == "actions" else ():
                    yield from ((example.name, *click) for click in of_element(element))


def of_element(element: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if element["type"] == "static_select":
        menu = element["placeholder"]["text"]
        yield from ((f"{menu} {o['text']['text']}", json.loads(o["value"])["c"]) for o in element["options"])
    elif "url" not in element:  # those that lead elsewhere run nothing
        yield element["text"]["text"], json.loads(element["value"])["c"]


def windows(examples: Sequence[Example]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, str]]]:
    for example in examples:
        for message in example.messages:
            if message.get("callback_id") == forms.CALLBACK:
                yield message, json.loads(message["private_metadata"])


def fits(label: str, line: str) -> bool:
    """Whether a button has its command's label, perhaps with what it is about, or is one of a few others."""
    if label in GENERIC:
        return True
    command = called(line, BUILTIN)
    if command is None:
        return label == f"Ask for: {line.partition(' --')[0]}"
    if command.name == "digest" and line != "digest":
        return label.split()[0] in ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
    if command.name == "help" and line != "help":
        return label in (
            f"Help on {line.removeprefix('help ')}",
            *(g for g in GROUPS if line == f"help {g.lower()}"),
        )
    return label == labels.of(line) or label.startswith(f"{labels.of(line)} ")


def test_every_button_has_the_label_of_its_action(examples: Sequence[Example]) -> None:
    found = list(clicks(examples))
    assert len(found) > 100
    assert [one for one in found if not fits(one[1], one[2])] == []


def test_every_form_has_the_label_of_its_action(examples: Sequence[Example]) -> None:
    found = list(windows(examples))
    assert len(found) > 12
    for view, kept in found:
        wanted = labels.of(kept["c"]) if kept["c"] else labels.LABELS["secrets enter"]
        assert view["title"]["text"] == wanted, kept


def test_every_form_opens_with_a_sentence_on_its_target_and_effect(examples: Sequence[Example]) -> None:
    for view, kept in windows(examples):
        first = view["blocks"][0]
        assert first["type"] == "section", kept
        said = first["text"]["text"]
        assert "secure-agent-pod" in said, said
        assert said.endswith("."), said


def test_every_command_has_a_label_of_its_own() -> None:
    assert {c.name for c in BUILTIN if c.name} - set(labels.LABELS) == set()
    assert {called(line, BUILTIN).name for line in labels.LABELS} == {c.name for c in BUILTIN if c.name}  # type: ignore[union-attr]
    assert len(set(labels.LABELS.values())) == len(labels.LABELS)
    assert max(map(len, labels.LABELS.values())) <= 24, "a form's title and a shortcut have no room for more"


NAMED = re.compile(r"(?<![*\w])\*([A-Z][^*\n]*)\*(?![*\w])")
OTHERS = ("Regenerate", "To go back", "Verified")
"""What the pages also write so: a button of Slack's own pages, and the names of two lines of cards."""


def test_the_pages_name_buttons_as_they_are_labelled() -> None:
    pages = [*Path("docs").rglob("*.md"), Path("README.md")]
    named = {(page.name, label) for page in pages for label in NAMED.findall(page.read_text())}
    known = {*labels.LABELS.values(), *GENERIC, *OTHERS}
    assert len(named) > 10
    assert [one for one in sorted(named) if one[1] not in known and not one[1].startswith("Back to ")] == []


def test_help_calls_what_changes_something_by_its_label() -> None:
    actions = [c for c in BUILTIN if c.needs in CHANGES and c.name != "withdraw"]
    assert len(actions) > 15
    for command in actions:
        assert command.summary.startswith(labels.LABELS[command.name]), command.name


@pytest.mark.parametrize(
    ("line", "label"),
    [
        ("restart", "Ask for a restart"),
        ('restart --reason "it hangs --force" --target "a"', "Ask for a restart"),
        ('restart --reason "it hangs" --target "a" --force', "Ask for a forced restart"),
        ("cron run x.sh", "Run a cron script"),
        ("ssh keys add", "Add an SSH key"),
        ("start sshd", ""),
        ("", ""),
    ],
)
def test_the_label_of_a_line(line: str, label: str) -> None:
    assert labels.of(line) == label
