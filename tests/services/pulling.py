"""A fake cluster whose pod runs an image of the fake registry, and requests of its pull."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from bot.domain.approvals.actions.image_action import details
from bot.domain.approvals.actions.image_pull import IMAGE_PULL, SETTABLE
from bot.domain.approvals.actions.image_set import IMAGE_SET, INSTEAD_OF, PINNED, subject
from bot.domain.approvals.approval import Choice
from bot.domain.approvals.repair import Proposal, RepairRequest
from bot.domain.core.images import pinned
from bot.domain.core.workload import Container, Pod
from bot.services.approvals.actions.image_execution import ImageState
from tests.fake_registry import AMD, FOUND, LATEST, NEW, OLD, REPOSITORY, TAGGED, FakeRegistry
from tests.services.workbench import JONAS, MAYA, TARGET, Bench, FakeCluster


@dataclass
class Pulling(FakeCluster):
    """The node pulls what the registry says when the new pod starts, unless ``pulls`` says what else."""

    registry: FakeRegistry = field(default_factory=FakeRegistry)
    pulls: str | None = None
    """The digest that new pods report; empty: none."""

    def __post_init__(self) -> None:
        """The first pod runs the old image."""
        one = Container("kali", LATEST, pull_policy="Always")
        self.deployment_ = replace(self.deployment_, images={"kali": LATEST}, template=(one,))
        self.pods_ = [_running(pod, OLD) for pod in self.pods_]

    def _replace_pod(self, approval: str) -> None:
        super()._replace_pod(approval)
        wanted = self.deployment_.images["kali"]
        pulled = wanted.partition("@")[2] or self.registry.names[wanted].digest
        if not self.stuck:
            self.pods_[-1] = _running(self.pods_[-1], pulled if self.pulls is None else self.pulls)


def _running(pod: Pod, digest: str) -> Pod:
    [one] = pod.containers
    return replace(pod, containers=(replace(one, image_id=f"{REPOSITORY}@{digest}" if digest else None),))


def pulling(one: Bench) -> Pulling:
    """The bench's cluster."""
    assert isinstance(one.cluster, Pulling)
    return one.cluster


async def asked(one: Bench, digest: str = NEW, *, settable: bool = False) -> RepairRequest:
    """Request a pull, as the command does, of what ``digest`` stands for."""
    cluster = pulling(one)
    state = ImageState(cluster.deployment_, tuple(cluster.pods_), ((LATEST, digest),))
    proposal = Proposal(
        IMAGE_PULL,
        state.snapshot,
        "why",
        "It will be down.",
        (),
        "kali",
        {
            **details("kali", LATEST, AMD, replace(FOUND, digest=digest), OLD),
            **({SETTABLE: "yes"} if settable else {}),
        },
    )
    return (await one.approval_service.ask(proposal, TARGET.name, one.caller(MAYA))).repair


async def set_asked(one: Bench, image: str = TAGGED) -> RepairRequest:
    """Request another image, as the command does."""
    cluster = pulling(one)
    state = ImageState(cluster.deployment_, tuple(cluster.pods_), ((image, NEW),))
    found = {PINNED: pinned(image, NEW), INSTEAD_OF: cluster.deployment_.images["kali"]}
    proposal = Proposal(
        IMAGE_SET,
        state.snapshot,
        "why",
        "It will be down.",
        (),
        subject(image, "kali"),
        {**details("kali", image, AMD, FOUND, OLD), **found},
    )
    return (await one.approval_service.ask(proposal, TARGET.name, one.caller(MAYA))).repair


async def approved(one: Bench, repair: RepairRequest) -> RepairRequest:
    """Approve it, and wait for its end."""
    await one.say(repair, Choice.APPROVE, JONAS)
    return await one.ended(repair)
