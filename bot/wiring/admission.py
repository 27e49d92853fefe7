"""The admission policies that an installation needs, from its targets and their runbooks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import yaml

from bot.domain.approvals.actions import registry as actions
from bot.domain.core.target import Target
from bot.domain.rbac.admission import account_of, home_of, policies
from bot.domain.rbac.admission_rules import Guarded
from bot.errors import AgentpodError
from bot.wiring.exec_forms import all_exec_forms
from bot.wiring.rights import Books

HEADER = (
    "# What the bot's account may write; the API server refuses it all else. Made from the settings and the",
    "# targets' runbooks by `agentpod runbook rights --policies`: do so again whenever these change.",
)


def manifests(targets: Sequence[Target], books: Books, account: str | None = None) -> list[dict[str, Any]]:
    """Return the policies and bindings for the targets of one cluster.

    ``account`` is the bot's user name there; None: that of the ServiceAccount in the first target's namespace.
    Raises AgentpodError for a selector that can't be written as a policy.
    """
    user = account or account_of(targets[0].namespace)
    try:
        return policies(
            user, home_of(user) or targets[0].namespace, [_guarded(target, books) for target in targets]
        )
    except ValueError as error:
        hint = "Correct targets[].selector."
        raise AgentpodError(f"No admission policy can be made: {error}.", remedy=hint) from None


def _guarded(target: Target, books: Books) -> Guarded:
    return Guarded(
        target.namespace,
        target.deployment,
        target.selector,
        all_exec_forms(target, books.get(target.name)),
        list(dict.fromkeys(write for action in actions.builtin() for write in action.writes(target))),
    )


def as_yaml(documents: Iterable[dict[str, Any]]) -> list[str]:
    """Return manifests as lines of YAML in ASCII, each document after ``---``."""
    lines: list[str] = []
    for document in documents:
        text = yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=10_000)
        lines += ["---", *text.removesuffix("\n").split("\n")]
    return lines


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as such, and sequences a step further in."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        """See `yaml.Dumper`."""
        super().increase_indent(flow, False)


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)
