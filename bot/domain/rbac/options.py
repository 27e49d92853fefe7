"""The options of ``deploy/options`` that give the bot more rights: off until somebody applies them."""

from __future__ import annotations

from bot.domain.core.config_rotation import DEFAULT_SECRET
from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.workload import Right


@dataclass(frozen=True)
class Option:
    """A folder of ``deploy/options``."""

    name: str
    gives: str
    """What it lets the bot read or change, for people."""
    used_by: str
    """The commands that need it."""
    verbs: tuple[str, ...]
    resource: str
    group: str
    wanted: bool
    """Whether its absence is an error: where the bot needs it unasked, or only where a setting asks for it."""
    namespace: str = ""
    """Where it grants them, if not in the target's namespace."""
    names: tuple[str, ...] = ()
    """The objects that it is limited to, where others of that kind are granted elsewhere."""

    @property
    def folder(self) -> str:
        """Its folder, as remedies name it."""
        return f"deploy/options/{self.name}"

    def grants(self, right: Right) -> bool:
        """Whether it grants the right."""
        here = not self.namespace or right.namespace == self.namespace
        named = not self.names or right.name in self.names
        return (
            here
            and named
            and right.verb in self.verbs
            and (right.resource, right.group) == (self.resource, self.group)
        )


_CILIUM = ("ciliumnetworkpolicies", "cilium.io")
_REPAIR = ("cilium-repair", "Cilium's policies and agents", "egress repair")
OPTIONS = (
    Option(
        "argocd", "the Argo CD Application", "status and argocd", ("get",), "applications", "argoproj.io", True
    ),
    Option("egress", "Cilium's policies", "egress and diagnose", ("list",), *_CILIUM, False),
    Option(*_REPAIR, ("get", "delete", "create"), *_CILIUM, True),
    Option(*_REPAIR, ("list", "delete"), "pods", "", True, "kube-system"),
    Option(
        "configs-rotate",
        "the Secret of the config files",
        "configs rotate",
        ("get", "patch"),
        "secrets",
        "",
        True,
        names=(DEFAULT_SECRET,),
    ),
    Option("configmaps", "the ConfigMaps in config_maps", "changes", ("get",), "configmaps", "", True),
)


def option_of(right: Right) -> Option | None:
    """Return the option that grants a right, if one does."""
    return next((option for option in OPTIONS if option.grants(right)), None)
