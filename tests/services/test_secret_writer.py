"""Secret values and SSH keys: stored once, by an allowed requester; never called missing where they may exist."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import SecretStr

from bot.domain.approvals.actions.action import RepairAction
from bot.domain.approvals.actions.secret_set import SECRET_SET
from bot.domain.approvals.actions.ssh_key_add import SSH_KEY_ADD
from bot.domain.approvals.actions.ssh_key_remove import LAST, SSH_KEY_REMOVE
from bot.domain.approvals.approval import Choice, RequestState
from bot.domain.approvals.repair import Proposal, RepairRequest, secret_snapshot
from bot.domain.core.reply import Reply
from bot.domain.health import ssh_keys
from bot.domain.rbac import roles
from bot.domain.rbac.access import AccessPolicy, AccessRule, Identity
from bot.errors import Conflict, Denied, NotFound, Refused, Transient, Uncertain
from bot.runbook.context import Caller
from bot.services.approvals.changes import VALUE_WITHIN
from bot.services.approvals.secret_writer import STOPPED, UNSURE
from bot.services.approvals.value_intake import NO_VALUE
from tests.people import member
from tests.services.workbench import JONAS, KEY, MAYA, OPS, PRIYA, SECRET, TARGET, Bench, bench, opened

VALUE = "hunter2222"
NOBODY_KNOWS = "it may have been sent, and nobody knows whether it was stored"


async def asked(one: Bench, action: RepairAction = SECRET_SET, **details: str) -> RepairRequest:
    """Open a request for the Secret as it is now."""
    wanted = {"secret": SECRET, "key": KEY, **details}
    proposal = Proposal(action, secret_snapshot(one.cluster.secret_), "why", "", subject="it", details=wanted)
    return (await one.approval_service.ask(proposal, TARGET.name, one.caller(MAYA))).repair


async def approved(one: Bench, action: RepairAction = SECRET_SET, **details: str) -> RepairRequest:
    repair = await asked(one, action, **details)
    return (await one.say(repair, Choice.APPROVE, JONAS))[1]


async def give(one: Bench, repair: RepairRequest, value: str = VALUE, who: str = MAYA) -> Reply:
    """Fill in the form."""
    return await one.approval_service.values.take(
        f"secret:{repair.id}", {"value": SecretStr(value)}, one.caller(who)
    )


async def ended(one: Bench, repair: RepairRequest) -> tuple[RequestState, str]:
    found = await one.ended(repair)
    return found.state, found.outcome.text if found.outcome else ""


# -- a value


async def test_value_is_stored_once_and_its_form_works_once(one: Bench) -> None:
    repair = await approved(one)
    assert (await give(one, repair)).headline.startswith("✅")
    assert one.cluster.file == VALUE.encode()
    assert f"{repair.id} took its value already" in (await give(one, repair, "another")).headline
    assert (one.cluster.stored, one.cluster.file) == (1, VALUE.encode())


async def test_retry_after_is_on_the_card_until_it_ends(one: Bench) -> None:
    repair = await approved(one)
    one.cluster.before = [Transient("Throttled.", retry_after=0.3)]
    giving = asyncio.create_task(give(one, repair))
    await one.until(repair, lambda c: c.wait is not None)
    await one.deliver()
    waiting = "⏳ New value for it: waiting 0 s, the API server asked for a pause"
    assert waiting in one.chat.headlines()
    assert (await giving).headline.startswith("✅")
    await one.deliver()
    assert waiting not in one.chat.headlines()


async def test_one_of_two_concurrent_forms_counts(one: Bench) -> None:
    repair = await approved(one)
    said = await asyncio.gather(give(one, repair, "first"), give(one, repair, "second"))
    assert sum(reply.headline.startswith("✅") for reply in said) == 1
    assert one.cluster.stored == 1


async def test_request_without_a_value_in_time_fails(one: Bench) -> None:
    repair = await approved(one)
    one.clock.pass_(seconds=VALUE_WITHIN.total_seconds() + 1)
    assert f"The time to give {repair.id} its value is over" in (await give(one, repair)).headline
    assert await one.approval_service.expire() == 1
    assert await ended(one, repair) == (RequestState.FAILED, NO_VALUE)
    one.clock.pass_(hours=-1)
    assert "is over: failed" in (await give(one, repair)).headline
    assert one.cluster.sent == 0


@pytest.mark.parametrize(
    ("who", "prepare", "words"),
    [
        (PRIYA, None, "Only the requester can enter the value"),
        (MAYA, "open", "is not approved yet"),
        (MAYA, "late", "its value is over"),
        (MAYA, "gone", "is no longer in the settings"),
        (MAYA, "restart", "No request with that id is waiting for a value"),
    ],
)
async def test_form_opens_only_for_the_requester_while_awaited(
    one: Bench, who: str, prepare: str | None, words: str
) -> None:
    repair = await asked(one) if prepare == "open" else await approved(one)
    if prepare == "late":
        one.clock.pass_(hours=1)
    if prepare == "gone":
        one.executor.targets = {}
    if prepare == "restart":
        repair = await one.ask()
    with pytest.raises(Refused, match=words):
        await one.approval_service.may_give_value(repair.id, one.caller(who))
    assert words in (await give(one, repair, who=who)).headline or who == PRIYA
    assert one.cluster.sent == 0
    await one.approval_service.sum_up(all_=True)
    said = [(r.actor, r.subject, r.data.get("more", 0)) for r in await one.trail() if r.kind == "refusal"]
    assert said == [(who, repair.id, 0), (who, repair.id, 1)], (
        "each look and each form that was refused is counted"
    )


async def test_form_names_its_request(one: Bench) -> None:
    repair = await approved(one)
    assert (await one.approval_service.may_give_value(repair.id, one.caller(MAYA))).id == repair.id
    with pytest.raises(Refused, match="No request with that id is waiting"):
        await one.approval_service.may_give_value("r-forged", one.caller(MAYA))


async def test_somebody_elses_value_is_refused(one: Bench) -> None:
    one.approval_service.access = AccessPolicy(rules=(AccessRule(role=roles.APPROVER, users=("*",)),))
    repair = await approved(one)
    assert (await give(one, repair, who=PRIYA)).headline == "Only the requester can enter the value."
    assert (await one.now(repair)).state is RequestState.APPROVED
    assert one.cluster.sent == 0


async def test_channel_role_gives_the_value_in_a_direct_message(
    one: Bench,
) -> None:
    repair = await approved(one)
    in_private = Caller(member(MAYA, "D07MAYA0001"), "modal")
    sent = {"value": SecretStr(VALUE)}
    one.approval_service.access = AccessPolicy(rules=(AccessRule(role=roles.OPERATOR, channels=(OPS,)),))
    assert (
        "Nothing was stored"
        in (await one.approval_service.values.take(f"secret:{repair.id}", sent, in_private)).headline
    )
    one.approval_service.access = AccessPolicy(
        rules=(AccessRule(role=roles.OPERATOR, users=(MAYA,), channels=(OPS,)),)
    )
    assert (await one.approval_service.values.take(f"secret:{repair.id}", sent, in_private)).headline.startswith(
        "✅"
    )


async def test_requester_who_lost_the_role_gives_no_value(one: Bench) -> None:
    repair = await approved(one)

    async def looked_up_again(identity: Identity) -> Identity:
        return replace(identity, user="U07SOMEONE1")

    one.approval_service.freshen = looked_up_again
    reply = await give(one, repair)
    assert "it needs the role operator, and no access rule names you here. Nothing was stored." in reply.headline
    assert reply.body == ("Ask an approver.",)
    [refusal] = [r for r in await one.trail() if r.kind == "refusal"]
    assert (refusal.actor, refusal.subject) == (MAYA, repair.id)
    assert (await one.now(repair)).state is RequestState.APPROVED
    assert one.cluster.sent == 0


@pytest.mark.parametrize(("value", "words"), [("\r\n", "is empty"), ("hunter\ud8002222", "half a character")])
async def test_invalid_value_is_refused_before_the_claim(one: Bench, value: str, words: str) -> None:
    repair = await approved(one)
    reply = await give(one, repair, value)
    assert words in reply.headline
    assert reply.body == (f"secrets enter {repair.id}",)
    assert (await give(one, repair)).headline.startswith("✅")


async def test_defect_is_answered_and_the_value_is_not_logged(
    one: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    repair = await approved(one)

    async def broken() -> None:
        raise ValueError(f"no idea what to do with {VALUE}")

    one.cluster.look_at_secret = broken
    with caplog.at_level(logging.DEBUG):
        reply = await give(one, repair)
    assert f"`/agentpod approvals {repair.id}` says how it ended" in reply.headline
    assert VALUE not in caplog.text
    one.cluster.look_at_secret = None
    one.clock.pass_(seconds=11)
    assert await one.executor.take_over() == 1
    assert await ended(one, repair) == (RequestState.FAILED, STOPPED)


# -- answers that are lost


@pytest.mark.parametrize("after", [[], [Transient("x")], [Transient("x")] * 10])
async def test_lost_answer_is_checked_and_not_written_twice(one: Bench, after: list[Exception]) -> None:
    one.cluster.after = [Uncertain("no answer")]
    repair = await approved(one)
    one.cluster.reads = [None, *after]
    await give(one, repair)
    assert (await ended(one, repair))[0] is RequestState.SUCCEEDED
    assert (one.cluster.stored, one.cluster.sent) == (1, 1)


@pytest.mark.parametrize("error", [Transient("Connection refused."), Denied("No."), NotFound("Gone.")])
async def test_lost_answer_that_can_not_be_checked_is_not_called_undone(one: Bench, error: Exception) -> None:
    one.cluster.after = [Uncertain("no answer")]
    repair = await approved(one)
    one.cluster.reads = [None, *[error] * 100]
    reply = await give(one, repair)
    state, text = await ended(one, repair)
    assert (state, one.cluster.stored) == (RequestState.FAILED, 1)
    assert text.startswith(NOBODY_KNOWS)
    assert NOBODY_KNOWS in reply.headline


async def test_secret_changed_after_a_lost_answer_is_not_called_void(one: Bench) -> None:
    repair = await approved(one)

    async def written_over() -> None:
        if one.cluster.stored:
            one.cluster.secret_ = replace(one.cluster.secret_, resource_version="99", annotations={})

    one.cluster.after = [Uncertain("no answer")]
    one.cluster.look_at_secret = written_over
    await give(one, repair)
    assert await ended(one, repair) == (RequestState.FAILED, f"{NOBODY_KNOWS}: the Secret {SECRET} was changed")


@pytest.mark.parametrize(
    ("before", "text"),
    [
        ([Denied("The policy says no.")], "nothing was stored: the policy says no"),
        ([Transient("It is away.")] * 5, "nothing was stored: it is away"),
        (
            [Uncertain("no answer")] * 5,
            "the API server did not take it in 5 tries: it was not there at the last look",
        ),
    ],
)
async def test_failed_write_is_reported_as_far_as_it_is_known(
    one: Bench, before: list[Exception | None], text: str
) -> None:
    one.cluster.before = before
    repair = await approved(one)
    await give(one, repair)
    assert await ended(one, repair) == (RequestState.FAILED, text)
    assert one.cluster.stored == 0


@pytest.mark.parametrize("before", [[Conflict("x")], [Transient("x")] * 4, [Uncertain("x")] * 2])
async def test_transient_failure_is_tried_again(one: Bench, before: list[Exception | None]) -> None:
    one.cluster.before = before
    repair = await approved(one)
    await give(one, repair)
    assert (await ended(one, repair))[0] is RequestState.SUCCEEDED
    assert one.cluster.stored == 1


async def test_value_for_a_changed_secret_is_void(one: Bench) -> None:
    repair = await approved(one)
    one.cluster.change_secret(b"theirs")
    await give(one, repair)
    assert await ended(one, repair) == (RequestState.VOID, f"the Secret {SECRET} was changed")
    assert one.cluster.file == b"theirs"


# -- leases


def slowly(one: Bench) -> tuple[asyncio.Event, asyncio.Event]:
    """Make reads of the Secret hang; returns the event set when one began, and the event that ends it."""
    begun, goes_on = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        begun.set()
        await goes_on.wait()

    one.cluster.look_at_secret = wait
    return begun, goes_on


async def test_slow_value_keeps_its_lease(one: Bench) -> None:
    """Meanwhile neither this process's recovery task nor another replica ends the request as not stored."""
    repair = await approved(one)
    begun, goes_on = slowly(one)
    storing = asyncio.create_task(give(one, repair))
    await begun.wait()
    for _ in range(3):
        one.clock.pass_(seconds=8)  # a lease lasts ten, and is renewed
        until = one.clock.now()
        await one.until(repair, lambda c, now=until: c.held is not None and c.held.until > now)
        assert await one.executor.take_over() == 0
        assert await bench(one.ledger, name="two", like=one).executor.take_over() == 0
    goes_on.set()
    assert (await storing).headline.startswith("✅")
    assert (await ended(one, repair))[0] is RequestState.SUCCEEDED


async def test_fresh_claim_survives_recovery_at_start(one: Bench) -> None:
    repair = await approved(one)
    begun, goes_on = slowly(one)
    claimed = await one.approval_service.values.claim(repair.id, one.caller(MAYA))
    assert await one.executor.take_over(at_start=True) == 0  # claimed, but storing has not begun
    storing = asyncio.create_task(one.executor.store(claimed, SecretStr(VALUE)))
    await begun.wait()
    assert await one.executor.take_over(at_start=True) == 0
    goes_on.set()
    assert (await storing).state is RequestState.SUCCEEDED


async def test_process_that_lost_its_lease_stores_nothing(tmp_path: Path) -> None:
    """The process hangs for long between its read and its call."""
    async with opened(tmp_path, exclusive=False) as ledger:
        one = bench(ledger)
        one.executor.renew = 1e9  # while it hangs, it doesn't renew its lease either
        repair = await approved(one)
        begun, goes_on = slowly(one)
        storing = asyncio.create_task(give(one, repair))
        await begun.wait()
        one.clock.pass_(seconds=11)
        one.cluster.look_at_secret = None
        two = bench(ledger, name="two", like=one)
        assert await two.executor.take_over() == 1
        assert await ended(two, repair) == (RequestState.FAILED, UNSURE)
        goes_on.set()
        assert "Another process has taken" in (await storing).headline
        assert one.cluster.sent == 0


async def test_stop_waits_for_a_value_that_is_being_stored(one: Bench) -> None:
    repair = await approved(one)
    begun, goes_on = slowly(one)
    storing = asyncio.create_task(give(one, repair))
    await begun.wait()
    stopping = asyncio.create_task(one.executor.stop(5))
    await asyncio.sleep(0)
    goes_on.set()
    await stopping
    await asyncio.gather(storing, return_exceptions=True)
    assert one.cluster.stored == 1
    if (await one.now(repair)).state is RequestState.EXECUTING:  # stopped before the outcome was saved
        assert await bench(one.ledger, name="two", like=one).executor.take_over() == 1
    assert (await ended(one, repair))[0] is RequestState.SUCCEEDED


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("blips", [0, 3])
async def test_takeover_finds_out_whether_a_value_was_stored(tmp_path: Path, stored: bool, blips: int) -> None:
    async with opened(tmp_path) as ledger:
        one = bench(ledger)
        repair = await approved(one)
        await one.approval_service.values.claim(repair.id, one.caller(MAYA))  # and then it dies
        if stored:
            one.cluster.change_secret(VALUE.encode(), **{"agentpod.dev/approval": repair.id})
        two = bench(ledger, name="two", like=one)
        one.cluster.reads = [Transient("away")] * blips
        assert await two.executor.take_over(at_start=True) == 1
        expected = (
            (RequestState.SUCCEEDED, "stored; the pod has it after a restart")
            if stored
            else (RequestState.FAILED, STOPPED)
        )
        assert await ended(two, repair) == expected
        assert one.cluster.sent == 0  # the value is gone: it is never given again


async def test_takeover_that_can_not_read_makes_no_claim(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        one = bench(ledger)
        repair = await approved(one)
        await one.approval_service.values.claim(repair.id, one.caller(MAYA))
        two = bench(ledger, name="two", like=one)
        one.cluster.reads = [Transient("It is away.")] * 100
        await two.executor.take_over(at_start=True)
        assert await ended(two, repair) == (RequestState.FAILED, f"{NOBODY_KNOWS}: it is away")


# -- keys


def public(comment: str) -> str:
    """A public key, the same in each process that collects these tests."""
    key = ed25519.Ed25519PrivateKey.from_private_bytes(comment.encode().ljust(32)).public_key()
    return f"{key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()} {comment}"


FIRST, SECOND, NEW = public("maya"), public("jonas"), public("new")
ODD = b'# caf\xe9, no UTF-8\r\n\n   \nrestrict,command="a b" ' + FIRST.encode() + b"\n"
"""A messy file, whose other bytes must not change."""


def print_of(line: str) -> str:
    return ssh_keys.parse_key(line).fingerprint


def adding(line: str = NEW) -> dict[str, Any]:
    return {"action": SSH_KEY_ADD, "line": line, "fingerprint": print_of(line)}


def removing(line: str, **more: str) -> dict[str, Any]:
    return {"action": SSH_KEY_REMOVE, "fingerprint": print_of(line), **more}


@pytest.mark.parametrize(
    ("before", "wanted", "after"),
    [
        (ODD, adding(), ODD + NEW.encode() + b"\n"),
        (ODD.rstrip(b"\n"), adding(), ODD + NEW.encode() + b"\n"),
        (ODD + SECOND.encode() + b"\n\n", removing(SECOND), ODD + b"\n"),
        (ODD + SECOND.encode(), removing(FIRST), b"# caf\xe9, no UTF-8\r\n\n   \n" + SECOND.encode()),
        (FIRST.encode() + b"\n", removing(FIRST, **{LAST: "yes"}), b""),
    ],
)
async def test_key_is_added_or_removed_and_other_bytes_stay(
    one: Bench, before: bytes, wanted: dict[str, Any], after: bytes
) -> None:
    one.cluster.file = before
    repair = await approved(one, **wanted)
    assert (await ended(one, repair))[0] is RequestState.SUCCEEDED
    assert (one.cluster.file, one.cluster.stored) == (after, 1)
    assert one.cluster.secret_.annotations == {"agentpod.dev/approval": repair.id}


@pytest.mark.parametrize(
    ("file", "wanted", "words"),
    [
        (NEW.encode(), adding(), "that key is there already"),
        (FIRST.encode(), removing(SECOND), "no key has the fingerprint"),
        (b"# nobody else\n" + FIRST.encode(), removing(FIRST), "nobody asked for the last one to go"),
    ],
)
async def test_unsuitable_key_file_is_left_as_it_is(
    one: Bench, file: bytes, wanted: dict[str, Any], words: str
) -> None:
    """For instance, removing the last key has to be requested explicitly, since it locks everybody out."""
    one.cluster.file = file
    state, text = await ended(one, await approved(one, **wanted))
    assert (state, one.cluster.sent) == (RequestState.VOID, 0)
    assert words in text


@pytest.mark.parametrize(
    "reads", [[Transient("x")], [None, Transient("x")], [None, Transient("x"), Transient("x")]]
)
async def test_blip_does_not_fail_an_approved_key(one: Bench, reads: list[Exception | None]) -> None:
    one.cluster.reads = reads
    assert (await ended(one, await approved(one, **adding())))[0] is RequestState.SUCCEEDED
    assert one.cluster.stored == 1


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("reads", [[], [Transient("x")], [None, Transient("x")], [Transient("x")] * 3])
async def test_key_of_a_dead_process_is_added_once(
    tmp_path: Path, stored: bool, reads: list[Exception | None]
) -> None:
    async with opened(tmp_path) as ledger:
        one = bench(ledger)
        plain, dead = one.cluster.set_secret_key, asyncio.Event()

        async def dies(*given: Any) -> Any:
            if stored:
                await plain(*given)
            dead.set()
            await asyncio.Event().wait()

        one.cluster.set_secret_key = dies  # type: ignore[method-assign]
        repair = await approved(one, **adding())
        await dead.wait()
        died = one.executor._tasks.pop(repair.id)
        one.cluster.set_secret_key = plain  # type: ignore[method-assign]
        one.cluster.reads = reads
        two = bench(ledger, name="two", like=one)
        assert await two.executor.take_over(at_start=True) == 1
        assert (await ended(two, repair))[0] is RequestState.SUCCEEDED
        assert (one.cluster.stored, one.cluster.file) == (1, NEW.encode() + b"\n")
        died.cancel()
        await asyncio.gather(died, return_exceptions=True)


async def test_key_that_may_have_been_sent_is_not_called_undone(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        one = bench(ledger)
        one.cluster.after = [Uncertain("no answer")]
        one.cluster.reads = [None, None, *[Transient("It is away.")] * 100]
        repair = await approved(one, **adding())
        assert await ended(one, repair) == (RequestState.FAILED, f"{NOBODY_KNOWS}: it is away")
        assert one.cluster.stored == 1
        await one.executor.stop(1)
