"""``egress``: Cilium's egress policy; ``egress test``: whether the pod reaches only what it should."""

from __future__ import annotations

from bot.domain.rbac.roles import Capability
from commands.shared.check_list import check_list

COMMAND = check_list(
    "egress",
    "Cilium's egress policy: is it there, and VALID?",
    ("egress-enabled", "egress-valid"),
    audited=False,
    details="Needs the right to list Cilium's policies: deploy/options/egress.",
    more=(("Test it", "egress test"),),
)
TEST = check_list(
    "egress test",
    "From the pod: what must answer, what must be blocked",
    ("egress-allows", "egress-blocks"),
    details="Runs curl in the pod; a blocked address takes 5 s.",
    needs=Capability.READ_LOGS,
    more=(("Policy", "egress"),),
)
