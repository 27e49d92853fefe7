"""``incidents``, ``ack`` and ``snooze``: what they display and answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from bot.domain.core import words
from bot.domain.core.aside import Aside
from bot.domain.core.probes import Verdict
from bot.domain.core.reply import Mention, plain
from bot.domain.core.target import Target
from bot.domain.incidents import alerting
from bot.domain.incidents.alerting import AlertRules, Incident
from bot.domain.incidents.problem import Problem
from bot.domain.incidents.sources.inside import INSIDE
from bot.domain.outbox.key import MessageKey
from bot.domain.outbox.message import OutboxMessage
from bot.domain.rbac import roles
from bot.domain.rbac.access import AccessPolicy, AccessRule
from bot.errors import UsageError
from bot.runbook.grammar import parse
from commands.registry import BUILTIN
from tests.commands.fakes import NOW, World, text_of, undelivered
from tests.times import utc

RULES = AlertRules()
MIN = timedelta(minutes=1)


def incident(job: str, severity: Any = "warning", ago: int = 10) -> Incident:
    since = NOW - ago * MIN
    problem = Problem(f"heartbeat:p:{job}", "heartbeat", "p", job, "no heartbeat", severity, since)
    made = alerting.decide(None, problem, RULES, NOW)
    assert made is not None
    return replace(made, id=f"i-{job}")


def acked(job: str) -> Incident:
    return alerting.acknowledged(incident(job), "U2", RULES, NOW)


def over(made: Incident) -> Incident:
    done = alerting.decide(alerting.decide(made, None, RULES, NOW), None, RULES, NOW + 2 * MIN)
    assert done is not None
    return done


@dataclass
class Book:
    """A ledger with incidents and their acknowledgements."""

    kept: list[Incident] = field(default_factory=list)
    undelivered: list[OutboxMessage] = field(default_factory=list)
    unread: list[Aside] = field(default_factory=list)
    answered: list[tuple[str, str, Any]] = field(default_factory=list)

    async def incidents(
        self,
        notified: bool = True,
        live: bool | None = None,
        since: datetime | None = None,
        limit: int | None = 100,
        **_: Any,
    ) -> Sequence[Incident]:
        return [i for i in self.kept if i.notified == notified and live in (None, i.open)][:limit]

    async def incident(self, id_: str) -> Incident | None:
        return next((i for i in self.kept if i.id == id_), None)

    async def dead(self, since: datetime) -> Sequence[OutboxMessage]:
        assert since == NOW - timedelta(days=7)
        return self.undelivered

    async def set_aside(self, since: datetime) -> Sequence[Aside]:
        assert since == NOW - timedelta(days=7)
        return self.unread

    async def acknowledge(self, id_: str, by: str) -> Incident:
        self.answered.append((id_, by, None))
        return alerting.acknowledged(self.kept[0], by, RULES, NOW)

    async def snooze(self, id_: str, by: str, until: datetime) -> Incident:
        self.answered.append((id_, by, until))
        return alerting.snoozed(self.kept[0], by, until, NOW)


@pytest.fixture
def book() -> Book:
    return Book([incident("alpha"), incident("beta", "critical", 90), over(incident("gamma"))])


async def say(world: World, book: Book, line: str, zone: str = "UTC", **changes: Any) -> Any:
    invocation = parse(line, BUILTIN)
    made = undelivered(book)
    ctx = replace(world.context(), ledger=book, alerts=book, timezone=zone, undelivered=made, **changes)
    return await invocation.command.run(ctx, invocation.params)


async def test_the_worst_incident_is_first_and_resolved_ones_are_last(world: World, book: Book) -> None:
    reply = await say(world, book, "incidents")
    assert reply.headline == "CRITICAL beta: no heartbeat; 1 more open incident"
    assert reply.verdict is Verdict.FAIL
    assert [line.split("\n")[-1] for line in reply.body] == [
        "i-beta · for 1 h 30 min",
        "i-alpha · for 10 min",
        # as in its message: since the recovery, not since its confirmation
        "i-gamma · ended 0 s ago · was: no heartbeat",
    ]
    assert [b.command for b in reply.buttons] == ["ack i-beta", "ack i-alpha"]


async def test_with_several_targets_each_incident_names_its_own(world: World) -> None:
    first = incident("alpha")
    other = replace(first, id="i-other", problem=replace(first.problem, target="q", key="heartbeat:q:alpha"))
    young = alerting.decide(None, replace(first.problem, hold=60 * MIN), RULES, NOW)
    assert young is not None
    book = Book([first, other, young])
    reply = await say(world, book, "incidents", several=True, others=(world.context(),))
    assert [line.split("\n")[0] for line in reply.body] == [
        "i-alpha · for 10 min",
        "⚠️ WARNING alpha (q): no heartbeat",
        "🤫 alpha (p): no heartbeat",
    ]
    assert [b.label for b in reply.buttons] == ["Acknowledge alpha (p)", "Acknowledge alpha (q)"]
    assert (await say(world, book, "incidents i-other", several=True)).headline == reply.body[1].split("\n")[0]
    assert (await say(world, book, "ack i-alpha", several=True)).headline.startswith(
        "👀 Acknowledged: alpha (p). No "
    )
    assert (await say(world, book, "snooze i-alpha 2h", several=True)).headline.startswith(
        "💤 alpha (p) is snoozed"
    )
    assert [b.label for b in (await say(world, book, "incidents")).buttons] == ["Acknowledge alpha"] * 2


async def test_what_an_incident_was_is_a_sentence(world: World) -> None:
    one = incident("sshd")
    one = replace(one, problem=replace(one.problem, summary="is not running"))
    recovering = alerting.decide(one, None, RULES, NOW - 5 * MIN)
    assert recovering is not None
    reply = await say(world, Book([recovering]), "incidents")
    assert str(reply.body[0]).endswith(" · was: sshd is not running")


async def test_a_recovering_incident_offers_no_acknowledgement(world: World, book: Book) -> None:
    recovering = alerting.decide(book.kept[1], None, RULES, NOW - 5 * MIN)
    assert recovering is not None
    book.kept[1] = recovering
    reply = await say(world, book, "incidents")
    assert [line.split("\n")[-1].split(" ")[0] for line in reply.body] == ["i-alpha", "i-beta", "i-gamma"]
    assert (reply.headline, reply.verdict) == ("WARNING alpha: no heartbeat; 1 more open incident", Verdict.WARN)
    alone = await say(world, Book([recovering]), "incidents")
    again = "beta sends heartbeats again, resolved if it stays so"
    assert (alone.headline, alone.verdict) == (again, Verdict.OK)
    assert alone.body == ("i-beta · for 1 h 25 min · was: no heartbeat",), "it lasted until it was gone"
    both = await say(world, Book([recovering, replace(recovering, id="i-beta2")]), "incidents")
    assert both.headline == f"{again}; 1 more open incident"
    assert [b.command for b in reply.buttons] == ["ack i-alpha"]


async def test_held_back_problems_are_not_reported_as_healthy(world: World) -> None:
    problem = incident("delta").problem
    muted = alerting.decide(None, replace(problem, muted="maintenance nightly"), RULES, NOW)
    young = alerting.decide(None, replace(problem, subject="the pod", hold=60 * MIN), RULES, NOW)
    assert muted is not None
    assert young is not None
    passed = replace(young, recovered_at=NOW)
    reply = await say(world, Book([muted, young, passed]), "incidents")
    assert (reply.headline, reply.verdict) == (
        "delta: no heartbeat (held back); 1 more problem held back",
        Verdict.WARN,
    )
    assert utc(reply.body, NOW) == (
        "🤫 delta: no heartbeat\nno alert: maintenance nightly",
        "🤫 the pod: no heartbeat\nno alert before 12:50 UTC: it may be over by itself",
    )
    both = await say(world, Book([incident("alpha"), muted]), "incidents")
    assert (both.headline, both.verdict) == ("WARNING alpha: no heartbeat; 1 problem held back", Verdict.WARN)


async def test_what_can_t_be_read_is_never_healthy(world: World) -> None:
    why = [("Why", "kali: The bot may not create pods/exec in p.")]
    problem = replace(INSIDE.problem(world.target, NOW, why), hold=15 * MIN)
    held = alerting.decide(None, problem, RULES, NOW)
    told = alerting.decide(None, replace(problem, hold=timedelta()), RULES, NOW)
    assert held is not None
    assert told is not None
    reply = await say(world, Book([held, over(incident("gamma"))]), "incidents")
    unread = f"{problem.subject} can't be read"
    assert (reply.headline, reply.verdict) == (f"Could not tell: {unread}", Verdict.UNKNOWN)
    assert utc(reply.body[0], NOW) == (
        f"🤫 {unread}: kali: The bot may not create pods/exec in p\n"
        "no alert before 12:15 UTC: it may be over by itself"
    )
    assert (await say(world, Book([told]), "incidents")).verdict is Verdict.UNKNOWN
    late = alerting.decide(None, replace(incident("beta", "critical").problem, hold=60 * MIN), RULES, NOW)
    assert late is not None
    both = await say(world, Book([held, late]), "incidents")
    assert both.headline == f"Could not tell: {unread}; 1 more problem held back"
    recovering = alerting.decide(incident("delta"), None, RULES, NOW)
    assert recovering is not None
    again = await say(world, Book([recovering, held]), "incidents")
    assert again.headline == f"Could not tell: {unread}", "before the good news"
    critical = await say(world, Book([told, incident("beta", "critical")]), "incidents")
    assert critical.verdict is Verdict.FAIL, "a problem that is known counts more"


async def test_without_problems_the_answer_is_one_line(world: World) -> None:
    reply = await say(world, Book(), "incidents")
    assert (reply.headline, reply.verdict, reply.body) == ("Nothing is wrong now", Verdict.OK, ())


async def test_undelivered_messages_are_shown(world: World, book: Book) -> None:
    book.undelivered = [
        OutboxMessage(MessageKey("incident:i-1"), "C1", error="There is no channel C1 (channel_not_found).")
    ]
    assert "Not delivered: The alert i-1, for channel C1: There is no channel" in text_of(
        await say(world, book, "incidents")
    )


async def test_an_incident_is_shown_with_all_its_notifications(world: World, book: Book) -> None:
    text = text_of(await say(world, book, "incidents i-gamma"))
    assert "gamma sends heartbeats again" in text
    assert "firing" in text
    assert "resolved" in text
    with pytest.raises(UsageError, match="no incident with that id") as unknown:
        await say(world, book, "incidents i-gamna")
    assert unknown.value.remedy == "Did you mean /agentpod incidents i-gamma?"


async def test_an_incident_s_timeline_has_days_and_names(world: World, book: Book) -> None:
    before = replace(incident("delta"), notices=(alerting.Notice(alerting.Reason.FIRST_FIRING, NOW - 1440 * MIN),))
    book.kept.append(alerting.acknowledged(before, "U07MAYA0001", RULES, NOW))
    reply = await say(world, book, "incidents i-delta")
    assert [(f.label, f.value) for f in utc(reply, NOW).facts[-2:]] == [
        ("Sun 22 Nov, 12:00 UTC", "firing"),
        ("12:00 UTC", ("acknowledged by ", Mention("U07MAYA0001"))),
    ]


async def test_the_newest_of_equal_severity_is_first_and_words_say_what_somebody_did(world: World) -> None:
    acked = replace(incident("old", ago=90), state=alerting.IncidentState.ACKED)
    snoozed = replace(incident("older", ago=95), snoozed_until=NOW + 30 * MIN)
    found = Book([acked, incident("new", ago=5), snoozed])
    lines = [plain(line).split("\n")[-1] for line in utc((await say(world, found, "incidents")).body, NOW)]
    assert lines == [
        "i-new · for 5 min",
        "i-old · for 1 h 30 min · acknowledged",
        "i-older · for 1 h 35 min · snoozed until 12:30 UTC",
    ]


async def test_an_acknowledgement_names_its_user(world: World, book: Book) -> None:
    reply = await say(world, book, "ack i-alpha")
    assert book.answered == [("i-alpha", "U1", None)]
    assert reply.headline.startswith("👀 Acknowledged: alpha. No more reminders until ")


@pytest.mark.parametrize(
    ("time", "zone", "until"),
    [
        ("30m", "UTC", NOW + 30 * MIN),
        ("2h", "UTC", NOW + 120 * MIN),
        ("tomorrow", "UTC", datetime.fromisoformat("2026-11-24T09:00+00:00")),
        ("Tomorrow", "Asia/Tokyo", datetime.fromisoformat("2026-11-24T00:00+00:00")),
        ("tomorrow", "America/New_York", datetime.fromisoformat("2026-11-24T14:00+00:00")),
    ],
)
async def test_a_snooze_ends_at_the_given_time(
    world: World, book: Book, time: str, zone: str, until: datetime
) -> None:
    await say(world, book, f"snooze i-alpha {time}", zone)
    assert book.answered == [("i-alpha", "U1", until)]


@pytest.mark.parametrize("time", ["soon", "-1h", "0s", "10s", "8d", "yesterday"])
async def test_a_time_that_makes_no_sense_is_refused(world: World, book: Book, time: str) -> None:
    with pytest.raises(UsageError):
        await say(world, book, f"snooze i-alpha {time}")
    assert book.answered == []


async def test_without_slack_no_user_can_acknowledge(world: World) -> None:
    with pytest.raises(UsageError, match="answered in Slack"):
        await world.run("ack i-alpha")


async def test_an_unreadable_incident_is_named_with_the_table_that_keeps_it(world: World, book: Book) -> None:
    book.unread = [Aside("incident", "i-1", NOW, "a newer agentpod wrote it (form 2, and this one knows 1)")]
    said = text_of(await say(world, book, "incidents"))
    assert "Set aside: Incident i-1 can't be read: a newer agentpod wrote it" in said
    assert "the ledger's table set_aside" in said


LABELS = {
    "ack": "Acknowledge {}",
    "snooze 2h": "Snooze {} for 2 h",
    "report": "Report {}",
    "report logs": "Report with log lines {}",
}


@pytest.mark.parametrize(("line", "until"), [("ack", None), ("snooze 2h", 2), ("snooze", 0.5)])
async def test_without_an_id_the_only_open_incident_is_meant(world: World, line: str, until: float | None) -> None:
    world.role = roles.OPERATOR
    book = Book([incident("alpha"), over(incident("gamma"))])
    reply = await say(world, book, line)
    default = "That is 30 min, as no time was given: `/agentpod snooze i-alpha 2h` sets another."
    assert reply.body == ((default,) if line == "snooze" else ())
    at = NOW + timedelta(hours=until) if until is not None else None
    assert book.answered == [("i-alpha", "U1", at)]


async def test_without_an_id_the_only_one_that_nobody_acknowledged_is_meant(world: World) -> None:
    world.role = roles.OPERATOR
    book = Book([incident("beta"), acked("alpha")])
    await say(world, book, "ack")
    assert book.answered == [("i-beta", "U1", None)]
    book.kept.append(incident("delta"))
    reply = await say(world, book, "ack")
    assert reply.headline == "Which one? 2 of 3 open incidents are not acknowledged"
    assert [b.label for b in reply.buttons] == ["Acknowledge beta", "Acknowledge delta", "Incidents"]


async def test_the_list_says_who_answered_and_until_when(world: World) -> None:
    muted = replace(incident("beta"), snoozed_by="U2", snoozed_until=NOW + timedelta(minutes=30))
    reply = await say(world, Book([acked("alpha"), muted]), "incidents")
    said = "\n".join(map(plain, reply.body))
    assert "acknowledged by @U2" in said
    assert f"snoozed by @U2 until {words.moment(NOW + timedelta(minutes=30))}" in said


@pytest.mark.parametrize("line", LABELS)
async def test_of_several_open_incidents_one_is_chosen_by_a_button(world: World, book: Book, line: str) -> None:
    world.role = roles.OPERATOR
    reply = await say(world, book, line)
    assert reply.headline == "Which one? 2 incidents are open"
    name, _, rest = line.partition(" 2h") if line == "snooze 2h" else (line, "", "")
    assert [(b.label, b.command) for b in reply.buttons] == [
        *(
            (LABELS[line].format(job), f"{name} i-{job}{' 2h' if line == 'snooze 2h' else rest}")
            for job in ("alpha", "beta")
        ),
        ("Incidents", "incidents"),
    ]
    assert book.answered == []


@pytest.mark.parametrize(("line", "offered"), [("ack", ()), ("report", ("report i-gamma",))])
async def test_where_none_is_open_a_report_is_still_offered(
    world: World, line: str, offered: tuple[str, ...]
) -> None:
    world.role = roles.OPERATOR
    reply = await say(world, Book([over(incident("gamma"))]), line)
    assert reply.headline == "No incident is open"
    assert [b.command for b in reply.buttons] == [*offered, "incidents"]


async def test_incidents_that_the_caller_may_not_answer_are_not_meant(world: World) -> None:
    world.role = roles.VIEWER
    reply = await say(world, Book([incident("alpha")]), "ack")
    assert reply.headline == "No incident is open"


async def test_a_terminal_says_the_lines_to_choose_from(world: World, book: Book) -> None:
    caller = replace(world.context().caller, surface="terminal")
    with pytest.raises(UsageError, match="Which one") as raised:
        await say(world, book, "report", caller=caller)
    assert raised.value.remedy == "Say which: /agentpod report i-alpha (alpha) or /agentpod report i-beta (beta)."


async def test_a_menu_has_each_incidents_report(world: World, book: Book) -> None:
    [menu] = (await say(world, book, "incidents")).menus
    assert [(o.label, o.command) for o in menu.options] == [
        ("beta, for 1 h 30 min", "report i-beta"),
        ("alpha, for 10 min", "report i-alpha"),
        ("gamma, ended 0 s ago", "report i-gamma"),
    ]


def of_target(target: str, made: Incident) -> Incident:
    problem = replace(made.problem, target=target, key=f"heartbeat:{target}:{made.problem.subject}")
    return replace(made, problem=problem)


TWO = {"targets": ("secure-agent-pod", "q"), "several": True}


@pytest.mark.parametrize("line", ["ack", "snooze 2h", "report", "report logs"])
async def test_of_more_than_a_hundred_incidents_all_count(world: World, line: str) -> None:
    world.role = roles.OPERATOR
    found = Book([incident(f"job-{number}") for number in range(120)])
    assert (await say(world, found, line)).headline == "Which one? 120 incidents are open"


@pytest.mark.parametrize("line", ["ack", "snooze 2h", "report", "report logs"])
async def test_a_named_target_has_only_incidents_that_concern_it(world: World, line: str) -> None:
    world.role = roles.OPERATOR
    here = world.target.name
    found = Book([of_target("q", incident("alpha")), of_target("q", incident("beta"))])
    reply = await say(world, found, line, **TWO)
    assert (reply.headline, found.answered) == (f"No incident of {here} is open", [])
    assert [b.command for b in reply.buttons] == ["incidents"]
    found.kept += [of_target(here, incident("gamma")), of_target(here, incident("delta"))]
    reply = await say(world, found, line, **TWO)
    assert reply.headline == f"Which one? 2 incidents of {here} are open"
    assert reply.buttons[0].label.removesuffix(" for 2 h").endswith(f" gamma ({here})")
    assert len(reply.buttons) == 3


async def test_the_list_of_a_named_target_has_only_what_concerns_it(world: World) -> None:
    found = Book([of_target("q", incident("alpha")), of_target("q", over(incident("beta")))])
    reply = await say(world, found, "incidents", **TWO)
    assert (reply.headline, reply.body) == (f"Nothing is wrong in {world.target.name} now", ())


@pytest.mark.parametrize("line", ["ack", "snooze 2h"])
async def test_what_has_recovered_is_answered_only_where_nothing_else_is(world: World, line: str) -> None:
    world.role = roles.OPERATOR
    recovering = alerting.decide(incident("beta"), None, RULES, NOW)
    assert recovering is not None
    for kept, meant in (([recovering, incident("alpha")], "i-alpha"), ([recovering], "i-beta")):
        found = Book(kept)
        await say(world, found, line)
        assert [id_ for id_, *_ in found.answered] == [meant]
    assert (await say(world, Book([recovering, incident("alpha")]), "report")).headline.startswith("Which one? 2")


async def test_a_report_offers_what_ended_last_of_what_the_caller_may_see(world: World) -> None:
    rule = AccessRule(role=roles.OPERATOR, users=("U1",), targets=("q",), name="q's own")
    ended = [of_target(world.target.name, over(incident(f"job-{n}"))) for n in range(120)]
    found = Book([*ended, of_target("q", over(incident("mine")))])
    other = replace(world.context(), target=Target(name="q"))
    reply = await say(world, found, "report", access=AccessPolicy(rules=(rule,)), others=(other,), **TWO)
    assert [b.command for b in reply.buttons] == ["report i-mine", "incidents"]


async def test_what_a_long_list_leaves_out_is_counted(world: World) -> None:
    ended = [over(incident(f"job-{n}")) for n in range(13)]
    reply = await say(world, Book(ended), "incidents")
    assert reply.body[-1] == "… and 3 more that ended"
    messages = [OutboxMessage(MessageKey(f"incident:i-{n}"), f"C{n}", error=f"reason {n}") for n in range(14)]
    facts = (await say(world, Book(undelivered=messages), "incidents")).facts
    assert (facts[-1].value, len(facts)) == ("… and 4 more", 11)


@pytest.mark.parametrize("muted", [False, True])
async def test_many_incidents_elsewhere_hide_none_of_what_the_caller_may_see(world: World, muted: bool) -> None:
    rule = AccessRule(role=roles.OPERATOR, users=("U1",), targets=("q",), name="q's own")
    elsewhere = [of_target(world.target.name, incident(f"job-{n}")) for n in range(250)]
    every = (*elsewhere, of_target("q", incident("mine")))
    kept = [replace(i, fired_at=None if muted else i.fired_at) for i in every]
    other = replace(world.context(), target=Target(name="q"))
    changes = {"access": AccessPolicy(rules=(rule,)), "others": (other,), **TWO}
    reply = await say(world, Book(kept), "incidents", **changes)
    assert reply.data["held" if muted else "open"] == [kept[-1].problem.key if muted else "i-mine"]
    assert "Nothing is wrong" not in reply.headline


@pytest.mark.parametrize("line", ["snooze tomorrow 2h", "snooze 2h 3h", "snooze alpha 2h"])
async def test_a_word_that_is_no_id_is_not_taken_for_one(world: World, line: str) -> None:
    found = Book([incident("alpha")])
    with pytest.raises(UsageError, match="A snooze takes one time and one id"):
        await say(world, found, line)
    assert found.answered == []


async def test_id_and_time_come_in_either_order(world: World, book: Book) -> None:
    await say(world, book, "snooze 2h i-alpha")
    assert book.answered == [("i-alpha", "U1", NOW + 120 * MIN)]
