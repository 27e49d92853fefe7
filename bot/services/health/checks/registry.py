"""Which checks `status` makes, in the order of the handbook: a check is one module, and one line here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from bot.domain.core.target import Target
from bot.domain.core.workload import Right
from bot.services.health.check import Check, rights_of
from bot.services.health.checks.addresses import AddressesCheck, EndpointsCheck
from bot.services.health.checks.argocd import ArgocdCheck
from bot.services.health.checks.claim import ClaimCheck
from bot.services.health.checks.crontab import CrontabCheck
from bot.services.health.checks.disk import DiskCheck
from bot.services.health.checks.egress import EgressCheck
from bot.services.health.checks.events import EventsCheck
from bot.services.health.checks.external_secrets import ExternalSecretsCheck
from bot.services.health.checks.heartbeats import HeartbeatsCheck
from bot.services.health.checks.identity import IdentityCheck
from bot.services.health.checks.network import NetworkCheck
from bot.services.health.checks.pod import PodCheck
from bot.services.health.checks.processes import ProcessesCheck
from bot.services.health.reads import CheckContext

BUILTIN: tuple[type[Check], ...] = (
    PodCheck,  # pods, Deployment
    EventsCheck,  # events, whose they are
    IdentityCheck,  # id in each container
    ProcessesCheck,  # ps in each container
    AddressesCheck,  # Services
    EndpointsCheck,  # Services, EndpointSlices
    NetworkCheck,  # a connection to each service
    ArgocdCheck,  # the Application
    EgressCheck,  # the egress policy, whether a repair left it missing
    ExternalSecretsCheck,  # the ExternalSecrets
    ClaimCheck,  # volume claims, which the pod uses
    DiskCheck,  # df in the container that has the home
    CrontabCheck,  # cat and ps in the first container
    HeartbeatsCheck,  # the Pushgateway, what the ledger remembers of each job
)
_known = BUILTIN


def checks_of(ctx: CheckContext) -> list[Check]:
    """All checks that the target needs, in order."""
    return [check for kind in _known for check in kind.of(ctx)]


def left_out(ctx: CheckContext, checks: Sequence[Check]) -> list[str]:
    """What is not among the target's ``checks`` because the settings say so, a phrase each."""
    made = {type(check) for check in checks}
    return [phrase for kind in _known if kind not in made and (phrase := kind.left_out(ctx))]


def rights(target: Target) -> list[Right]:
    """What all checks need of Kubernetes."""
    return rights_of(_known, target)


def steps() -> dict[str, tuple[tuple[str, str], ...]]:
    """The commands that help when a check is not ok, by the check's id."""
    return {kind.id: kind.steps for kind in _known if kind.steps}


@contextmanager
def also(*more: type[Check]) -> Iterator[None]:
    """Within the block, `status` makes ``more`` as well. Raises ValueError where an id is taken."""
    global _known
    if taken := {kind.id for kind in more} & {kind.id for kind in _known}:
        raise ValueError(f"the check {', '.join(sorted(taken))!r} is registered twice")
    before, _known = _known, (*_known, *more)
    try:
        yield
    finally:
        _known = before
