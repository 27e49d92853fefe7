"""Receipts follow their request: until its end or the address's, within its uses, across restarts and errors."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from bot.adapters.sinks.slack import ReceiptSink
from bot.domain.approvals import message_keys, receipt
from bot.domain.approvals.approval import ApprovalPolicy, Choice
from bot.domain.approvals.receipt import CLOSING, MOST, Receipt, Receipts
from bot.domain.approvals.repair import RepairRequest
from bot.domain.core.reply import Link, Reply
from bot.errors import NotFound, Transient, Uncertain
from bot.services.approvals.receipts import MARK, ReceiptKeeper, ReceiptMessages
from tests.services.workbench import (
    ACCESS,
    JONAS,
    MAYA,
    PRIYA,
    Bench,
    FakeChat,
    bench,
    opened,
    sending,
)

pytestmark = pytest.mark.asyncio
URL = "https://hooks.example.com/commands/T1/1/abc"


@dataclass
class Slack(FakeChat):
    """A chat whose response URLs work five times at most."""

    told: list[Reply] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    tries: int = 0

    async def respond(self, url: str, reply: Reply) -> None:
        assert url == URL
        self.tries += 1
        if self.failures:
            raise self.failures.pop(0)
        if self.tries > 5:
            raise NotFound("used_url")
        self.told.append(reply)


class Linking:
    """Links to every message."""

    async def to(self, label: str, key: str) -> tuple[Link, ...]:
        return (Link(label, f"https://chat.example.com/{key}"),) if key else ()


class Stage:
    """A bench with receipts."""

    def __init__(self, one: Bench, slack: Slack, links: Linking | None = None) -> None:
        self.one, self.slack = one, slack
        self.keeper = ReceiptKeeper(one.ledger, one.clock)
        messages = ReceiptMessages(one.ledger, one.clock, one.policy, ACCESS, cast(Any, links))
        self.worker = sending(one.ledger, slack, one.clock, messages.kinds(), ReceiptSink(slack))
        self.worker.kinds = self.worker.kinds.with_(list(one.outbox_worker.kinds))

    async def follow(self, repair: RepairRequest, user: str = MAYA, *, left: int = 4, **more: Any) -> None:
        until = self.one.clock.now() + timedelta(minutes=29)
        await self.keeper.follow(Receipt(repair.id, user, **{"url": URL, "until": until, "left": left, **more}))
        await self.deliver()

    async def deliver(self) -> None:
        """Deliver what is due, retries included."""
        for _ in range(5):
            while await self.worker.deliver():
                pass
            self.one.clock.pass_(seconds=70)

    async def kept(self) -> Receipts:
        return receipt.load(await self.one.ledger.mark(MARK))

    @property
    def headlines(self) -> list[str]:
        return [reply.headline for reply in self.slack.told]


@pytest.fixture
def stage(one: Bench) -> Stage:
    return Stage(one, Slack())


async def test_a_receipt_says_how_its_request_ends_and_is_forgotten(stage: Stage) -> None:
    repair = await stage.one.ask()
    await stage.follow(repair)
    assert stage.headlines == [], "the first answer says the same"
    await stage.one.say(repair, Choice.APPROVE, JONAS)
    await stage.one.ended(repair)
    await stage.deliver()
    assert stage.headlines[-1].startswith("✅ Restarted")
    assert [plain.label for plain in stage.slack.told[-1].facts] == ["Approved by"]
    assert await stage.kept() == Receipts()


@pytest.mark.parametrize(
    ("choice", "user", "says"),
    [(Choice.DENY, JONAS, "denied"), (Choice.WITHDRAW, MAYA, "withdrawn")],
)
async def test_a_receipt_says_that_nothing_is_done(stage: Stage, choice: Choice, user: str, says: str) -> None:
    repair = await stage.one.ask()
    await stage.follow(repair)
    await stage.one.say(repair, choice, user, "no")
    await stage.deliver()
    [told] = stage.slack.told
    assert told.headline.endswith(says)
    assert not told.buttons


async def test_a_receipt_says_that_nobody_decided_in_time(stage: Stage) -> None:
    policy = ApprovalPolicy(expires_after=timedelta(minutes=10))
    one = bench(stage.one.ledger, like=stage.one, policy=policy)
    repair = await one.ask()
    await stage.follow(repair)
    one.clock.pass_(minutes=11)
    await one.approval_service.expire()
    await stage.deliver()
    [told] = stage.slack.told
    assert "expired" in told.headline


async def test_a_receipt_links_the_card_as_soon_as_it_is_posted(one: Bench) -> None:
    stage = Stage(one, Slack(), Linking())
    repair = await one.ask()
    await stage.follow(repair)
    [told] = stage.slack.told
    assert told.headline == "✋ Restart of secure-agent-pod: waits for an approver"
    assert [link.label for link in told.links] == ["Card"]
    await stage.one.approval_service.expire()
    await stage.deliver()
    assert len(stage.slack.told) == 1, "nothing has changed"


async def test_each_approval_of_several_is_said(stage: Stage) -> None:
    one = bench(stage.one.ledger, like=stage.one, policy=ApprovalPolicy(needed=2))
    repair = await one.ask()
    await stage.follow(repair)
    await one.say(repair, Choice.APPROVE, JONAS)
    await stage.deliver()
    assert stage.headlines == ["✋ Restart of secure-agent-pod: has 1 of 2 approvals"]
    await one.say(repair, Choice.APPROVE, PRIYA)
    await one.ended(repair)
    await stage.deliver()
    assert stage.headlines[-1].startswith("✅")


async def test_the_last_use_is_kept_for_the_end(stage: Stage) -> None:
    one = bench(stage.one.ledger, like=stage.one, policy=ApprovalPolicy(needed=2))
    repair = await one.ask()
    await stage.follow(repair, left=1)
    await one.say(repair, Choice.APPROVE, JONAS)
    await stage.deliver()
    assert stage.headlines == []
    await one.say(repair, Choice.DENY, PRIYA, "no")
    await stage.deliver()
    assert [headline.endswith("denied") for headline in stage.headlines] == [True]


async def test_before_its_address_ends_a_receipt_stops_to_say_that_it_waits(stage: Stage) -> None:
    one = bench(stage.one.ledger, like=stage.one, policy=ApprovalPolicy(expires_after=timedelta(hours=8)))
    repair = await one.ask()
    await stage.follow(repair)
    one.clock.pass_(minutes=10)
    await stage.keeper.close_due()
    await stage.deliver()
    assert stage.headlines == []
    one.clock.time += timedelta(minutes=29) - CLOSING - (one.clock.time - repair.request.created_at)
    one.clock.pass_(seconds=20)
    for _ in range(2):
        await stage.keeper.close_due()
        while await stage.worker.deliver():
            pass
    [told] = stage.slack.told
    assert told.headline == "✋ Restart of secure-agent-pod: asked"
    assert "This message is no longer updated." in str(told.body)
    assert [button.command for button in told.buttons] == [f"withdraw {repair.id}"]
    await one.say(repair, Choice.DENY, JONAS, "no")
    await stage.deliver()
    assert len(stage.slack.told) == 1
    assert await stage.kept() == Receipts()


async def test_a_receipt_survives_a_restart(tmp_path: Path) -> None:
    slack = Slack()
    async with opened(tmp_path) as ledger:
        one = bench(ledger)
        repair = await one.ask()
        await Stage(one, slack).follow(repair)
        clock = one.clock
    async with opened(tmp_path) as ledger:
        other = bench(ledger)
        other.clock.time = clock.time
        await other.say(repair, Choice.DENY, JONAS, "no")
        await Stage(other, slack).deliver()
    assert [reply.headline.endswith("denied") for reply in slack.told] == [True]


@pytest.mark.parametrize("error", [Transient("Slack is away."), Uncertain("No answer.")])
async def test_after_an_error_a_receipt_is_sent_again_within_its_uses(stage: Stage, error: Exception) -> None:
    repair = await stage.one.ask()
    await stage.follow(repair)
    stage.slack.failures = [error, error]
    await stage.one.say(repair, Choice.DENY, JONAS, "no")
    await stage.deliver()
    assert (len(stage.slack.told), stage.slack.tries) == (1, 3)


async def test_an_address_is_never_used_more_often_than_it_can_be(stage: Stage) -> None:
    repair = await stage.one.ask()
    await stage.follow(repair)
    stage.slack.failures = [Transient("Slack is away.")] * 20
    await stage.one.say(repair, Choice.DENY, JONAS, "no")
    for _ in range(3):
        await stage.deliver()
    assert stage.slack.tries == 4
    assert await stage.one.ledger.dead(stage.one.clock.now() - timedelta(days=1)) == []


async def test_a_spent_address_is_given_up_silently(stage: Stage) -> None:
    repair = await stage.one.ask()
    await stage.follow(repair)
    stage.slack.failures = [NotFound("used_url")]
    await stage.one.say(repair, Choice.DENY, JONAS, "no")
    await stage.deliver()
    assert (stage.slack.tries, await stage.kept()) == (1, Receipts())
    assert await stage.one.ledger.dead(stage.one.clock.now() - timedelta(days=1)) == []


async def test_who_joins_has_a_receipt_of_their_own(stage: Stage) -> None:
    repair = await stage.one.ask()
    await stage.one.ask(JONAS)
    await stage.follow(repair, JONAS)
    await stage.one.say(repair, Choice.DENY, PRIYA, "no")
    await stage.deliver()
    [told] = stage.slack.told
    assert told.notes == (f"You asked for the same as {repair.id}",)


async def test_a_second_receipt_of_the_same_person_leaves_the_first_one_followed(stage: Stage) -> None:
    repair = await stage.one.ask()
    await stage.follow(repair)
    await stage.follow(repair, url="https://hooks.example.com/commands/T1/2/another")
    await stage.one.say(repair, Choice.DENY, JONAS, "no")
    await stage.deliver()
    assert len(stage.slack.told) == 1


async def test_a_message_that_can_be_edited_is_edited(stage: Stage) -> None:
    repair = await stage.one.ask()
    at = await stage.slack.post(MAYA, Reply("Asked"))
    await stage.follow(repair, url="", until=None, left=0, channel=at.channel, ts=at.ts)
    stage.one.clock.pass_(minutes=20)
    await stage.keeper.close_due()
    await stage.one.say(repair, Choice.DENY, JONAS, "no")
    await stage.deliver()
    assert stage.slack.shown[at.ts].headline.endswith("denied")
    assert await stage.kept() == Receipts()


async def test_nothing_is_followed_for_a_request_that_is_not_there(stage: Stage) -> None:
    await stage.keeper.follow(Receipt("r-22222222", MAYA, URL))
    assert await stage.one.ledger.mark(MARK) is None
    assert await stage.one.ledger.delivery(message_keys.receipt("r-22222222", MAYA)) is None


async def test_few_receipts_are_kept_and_nonsense_is_none() -> None:
    many = Receipts().with_(*(Receipt(f"r-{number}", MAYA, URL, left=1) for number in range(MOST + 5)))
    assert len(many.followed) == MOST
    assert many.of("r-0", MAYA) is None
    assert receipt.load(receipt.dump(many)) == many
    for text in (None, "", "nonsense", '{"v":9}'):
        assert receipt.load(text) == Receipts()


async def test_the_address_is_not_in_what_is_logged() -> None:
    assert URL not in repr(Receipts((Receipt("r-1", MAYA, URL),)))
    assert replace(Receipt("r-1", MAYA, URL), left=3).url == URL
