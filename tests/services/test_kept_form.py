"""What is approved is what is carried out: the ledger redacts nothing that a repair is made with or bound to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from bot.adapters.ledger.ledger import SqlLedger
from bot.domain.approvals.actions.heartbeat_push import HEARTBEAT_PUSH, details, snapshot
from bot.domain.approvals.actions.ssh_key_add import SSH_KEY_ADD
from bot.domain.approvals.approval import Choice, RequestState, Snapshot
from bot.domain.approvals.repair import Proposal
from bot.domain.core.workload import Container
from bot.errors import Refused
from tests.fake_registry import FOUND, NEW, FakeRegistry
from tests.services.pulling import Pulling, approved, pulling, set_asked
from tests.services.workbench import JONAS, MAYA, TARGET, Bench, bench, opened

TOKEN = "ghcr.io/derio-net/agent-token"
RANDOM = "ghcr.io/derio-net/token:9xk2pqw7vb4mzt8rj3ls"
"""A tag that may be a secret, so that it is redacted."""


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[SqlLedger]:
    async with opened(tmp_path) as made:
        yield made


@pytest.fixture
async def one(ledger: SqlLedger) -> AsyncIterator[Bench]:
    registry = FakeRegistry({f"{TOKEN}:1.4.2": FOUND, f"{TOKEN}:1.4.1": FOUND})
    cluster = Pulling(registry=registry)
    made = bench(ledger, cluster=cluster, registry=registry)
    _runs(made, f"{TOKEN}:1.4.1")
    yield made
    await made.executor.stop(1)


def _runs(one: Bench, image: str) -> None:
    cluster = pulling(one)
    template = (Container("kali", image, pull_policy="Always"),)
    cluster.deployment_ = replace(cluster.deployment_, images={"kali": image}, template=template)
    cluster.pulls = NEW


async def _redacted(ledger: SqlLedger, what: str, by: str) -> None:
    """Write a stored request as an older version did, which redacted more."""

    def write(connection: object) -> None:
        connection.execute(  # type: ignore[attr-defined]
            text("UPDATE cases SET body = replace(body, :what, :by)"), {"what": what, "by": by}
        )

    await ledger._change(write)  # type: ignore[arg-type]


async def test_an_image_whose_repository_is_called_token_is_set_as_approved(one: Bench) -> None:
    ended = await approved(one, await set_asked(one, f"{TOKEN}:1.4.2"))
    assert ended.state is RequestState.SUCCEEDED
    assert pulling(one).deployment_.images == {"kali": f"{TOKEN}:1.4.2@{NEW}"}


async def test_a_pod_of_such_an_image_can_be_restarted(one: Bench) -> None:
    _runs(one, f"{TOKEN}:1.4.2@{NEW}")
    assert (await approved(one, await one.ask())).state is RequestState.SUCCEEDED


async def test_a_request_that_would_not_be_kept_as_it_is_is_refused(one: Bench) -> None:
    labels = {"job": "audit_digest", "secret": "agent-configs"}
    key = {"line": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 maya password=hunter22"}
    proposals = {
        "its labels": Proposal(HEARTBEAT_PUSH, snapshot(labels, None), "why", "", (), "x", details(labels)),
        "its line": Proposal(SSH_KEY_ADD, Snapshot("u", 0), "why", "", (), "x", key),
        "its subject": Proposal(SSH_KEY_ADD, Snapshot("u", 0), "why", "", (), "password=hunter22", {}),
        "its file": Proposal(SSH_KEY_ADD, Snapshot("u", 0), "why", "", (), "x", {"file": "/[redacted]"}),
        "the target's version": Proposal(SSH_KEY_ADD, Snapshot("u", 0, version="password=hunter22"), "why", ""),
    }
    unseen = Proposal(SSH_KEY_ADD, Snapshot("u", 0), "why", "", (), "x", {"line": "zero\u200bwidth"})
    with pytest.raises(
        Refused, match=r": its line has a control or an invisible character. The ledger keeps none, so"
    ):
        await one.approval_service.ask(unseen, TARGET.name, one.caller(MAYA))
    for fact, proposal in proposals.items():
        with pytest.raises(Refused, match=f": something in {fact} looks like a secret") as refused:
            await one.approval_service.ask(proposal, TARGET.name, one.caller(MAYA))
        assert "hunter22" not in str(refused.value)
    _runs(one, RANDOM)
    with pytest.raises(Refused, match=r"^restart is refused: something in the image of kali looks like a secret"):
        await one.ask()
    assert await one.ledger.requests() == []


async def test_a_request_that_was_kept_redacted_is_not_carried_out(one: Bench, ledger: SqlLedger) -> None:
    repair = await set_asked(one, f"{TOKEN}:1.4.2")
    await _redacted(ledger, f"1.4.2@{NEW}", "[redacted]")
    await one.say(repair, Choice.APPROVE, JONAS)
    ended = await one.ended(repair)
    assert ended.state is RequestState.FAILED
    assert ended.outcome is not None
    assert ended.outcome.text.startswith("nothing was changed: the ledger kept the request without")
    assert (pulling(one).sent, pulling(one).deployment_.images) == (0, {"kali": f"{TOKEN}:1.4.1"})


@pytest.mark.parametrize(("now", "state"), [("1.4.1", RequestState.SUCCEEDED), ("", RequestState.VOID)])
async def test_a_snapshot_that_was_kept_redacted_is_compared_by_the_rest(
    one: Bench, ledger: SqlLedger, now: str, state: RequestState
) -> None:
    repair = await one.ask()
    await _redacted(ledger, "agent-token:1.4.1", "agent-token:[redacted]")
    _runs(one, f"{TOKEN}:{now}" if now else "ghcr.io/derio-net/other:1.4.1")
    await one.say(repair, Choice.APPROVE, JONAS)
    assert (await one.ended(repair)).state is state
