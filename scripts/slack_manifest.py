"""The parts of deploy/slack-manifest.yaml that come from the code: the usage hint and the shortcuts."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Collection, Iterator

from bot.adapters.slack.shortcuts import SHORTCUTS
from commands.registry import MODULES

MOST_HINT = 1000
"""Slack's limit of characters in a usage hint."""
Tree = dict[str, "Tree"]


def usage_hint(names: Collection[str]) -> str:
    """Return all commands in their order, those that begin with the same word together: ``cron [edit | undo]``."""
    known, tree = set(names), Tree()
    for name in names:
        at = tree
        for word in name.split():
            at = at.setdefault(word, {})
    hint = " | ".join(_shown(tree, "", known))
    if len(hint) > MOST_HINT:
        raise ValueError(f"the usage hint has {len(hint)} characters; Slack takes {MOST_HINT}")
    return hint


def _shown(tree: Tree, before: str, known: set[str]) -> Iterator[str]:
    for word, below in tree.items():
        name = f"{before} {word}".strip()
        choices = " | ".join(_shown(below, name, known))
        needed = "[]" if name in known else "<>"
        yield f"{word} {needed[0]}{choices}{needed[1]}" if below else word


def manifest(text: str) -> str:
    """Return the manifest with its made parts written anew."""
    hint = textwrap.wrap(usage_hint([name for name in MODULES if name]), 96, break_long_words=False)
    lines = "".join(f"        {line}\n" for line in hint)
    text = re.sub(r"(?m)^      usage_hint:.*\n(?:        .*\n)*", f"      usage_hint: >-\n{lines}", text)
    return re.sub(r"(?m)^  shortcuts:.*\n(?:    .*\n)*", f"  shortcuts:{_MADE}\n{''.join(_shortcuts())}", text)


_MADE = " # scripts/slack_manifest.py writes these, and the usage hint"


def _shortcuts() -> Iterator[str]:
    for one in SHORTCUTS:
        yield (
            f"    - name: {one.name}\n"
            f"      type: {one.kind}\n"
            f"      callback_id: {one.callback}\n"
            f'      description: "{one.description}"\n'
        )
