"""The parts of the Slack app's manifests that come from the code: usage hint, shortcuts, workflow steps."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Collection, Iterator

from bot.adapters.slack.shortcuts import SHORTCUTS
from bot.adapters.slack.steps import STEPS, Parameter
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


def with_workflows(base: str) -> str:
    """Return the manifest that has the workflow steps as well: ``base`` with what they need."""
    _, _, rest = base.partition("\n")
    head = (
        "# Made by scripts/reference.py: slack-manifest.yaml with workflow steps, which need a paid plan of\n"
        "# Slack, and an app that is ready for organisations. docs/slack.md says more.\n"
    )
    ready = "  org_deploy_enabled: true # steps need it\n  function_runtime: remote\n"
    return head + rest.replace("  org_deploy_enabled: false\n", ready) + "".join(_functions())


def _functions() -> Iterator[str]:
    yield "functions:\n"
    for step in STEPS:
        yield f'  {step.callback}:\n    title: {step.title}\n    description: "{step.description}"\n'
        for kind, parameters in (("input", step.inputs), ("output", step.outputs)):
            yield f"    {kind}_parameters:\n"
            yield from map(_parameter, parameters)


def _parameter(one: Parameter) -> str:
    return (
        f"      {one.name}:\n"
        f"        name: {one.name}\n"
        f"        type: {one.type}\n"
        f"        title: {one.title}\n"
        f'        description: "{one.description}"\n'
        f"        is_required: {str(one.required).lower()}\n"
    )


_MADE = " # scripts/slack_manifest.py writes these, and the usage hint"


def _shortcuts() -> Iterator[str]:
    for one in SHORTCUTS:
        yield (
            f"    - name: {one.name}\n"
            f"      type: {one.kind}\n"
            f"      callback_id: {one.callback}\n"
            f'      description: "{one.description}"\n'
        )
