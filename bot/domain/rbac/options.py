"""The options of ``deploy/options`` that let the bot read more: off until somebody applies them."""

from __future__ import annotations

from dataclasses import dataclass

from bot.domain.core.workload import Right


@dataclass(frozen=True)
class Option:
    """A folder of ``deploy/options``."""

    name: str
    gives: str
    """What it lets the bot read, for people."""
    used_by: str
    """The commands that need it."""
    verb: str
    resource: str
    group: str
    wanted: bool
    """Whether the bot reads it unasked with the default settings, so that its absence is an error."""

    @property
    def folder(self) -> str:
        """Its folder, as remedies name it."""
        return f"deploy/options/{self.name}"

    def grants(self, right: Right) -> bool:
        """Whether it grants the right."""
        return (right.verb, right.resource, right.group) == (self.verb, self.resource, self.group)


OPTIONS = (
    Option("argocd", "the Argo CD Application", "status and argocd", "get", "applications", "argoproj.io", True),
    Option(
        "egress", "Cilium's policies", "egress and diagnose", "list", "ciliumnetworkpolicies", "cilium.io", False
    ),
)


def option_of(right: Right) -> Option | None:
    """Return the option that grants a right, if one does."""
    return next((option for option in OPTIONS if option.grants(right)), None)
