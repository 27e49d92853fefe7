"""Incidents: when notices are due, line by line of docs/alerts.md, and what must never happen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from pydantic import ValidationError

from bot.domain.incidents.alerting import (
    AlertRules,
    Incident,
    IncidentState,
    Maintenance,
    NotNow,
    acknowledged,
    closed,
    decide,
    from_json,
    snoozed,
    step,
    to_json,
)
from bot.domain.incidents.problem import Problem, Reason

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
MIN = timedelta(minutes=1)
RULES = AlertRules()
P = Problem("heartbeat:pod:a", "heartbeat", "pod", "a", "no heartbeat since 08:00 UTC", "warning", NOW)


def reasons(incident: Incident | None) -> list[Reason]:
    return [] if incident is None else [n.reason for n in incident.notices]


def told(
    rules: AlertRules, story: Sequence[tuple[float, Problem | None]], start: Incident | None = None
) -> Incident:
    """The incident after looks at those minutes."""
    incident = start
    for minutes, problem in story:
        incident = decide(incident, problem, rules, NOW + minutes * MIN)
    assert incident is not None
    return incident


def rules(**changes: Any) -> AlertRules:
    return AlertRules.model_validate(changes)


def test_without_a_problem_there_is_no_incident() -> None:
    assert decide(None, None, RULES, NOW) is None


def test_a_problem_fires_at_once_and_starts_at_its_deadline() -> None:
    late = told(RULES, [(7, P)])
    assert (late.state, late.problem.since, late.fired_at) == (IncidentState.FIRING, NOW, NOW + 7 * MIN)
    assert reasons(late) == [Reason.FIRST_FIRING]


def test_the_pending_time_counts_from_the_deadline() -> None:
    waiting = rules(**{"for": "10m"})
    assert told(waiting, [(0, P), (9.99, P)]).state is IncidentState.PENDING
    assert told(waiting, [(0, P), (10, P)]).state is IncidentState.FIRING, "the boundary counts"
    assert told(waiting, [(60, P)]).state is IncidentState.FIRING, "the bot was away meanwhile"
    held = replace(P, hold=timedelta(minutes=2))
    assert told(RULES, [(1, held)]).state is IncidentState.PENDING
    assert told(RULES, [(2, held)]).state is IncidentState.FIRING


def test_a_problem_that_ends_while_pending_is_never_notified() -> None:
    gone = told(rules(**{"for": "10m"}), [(0, P), (5, None)])
    assert (gone.state, gone.notified, gone.notices) == (IncidentState.RESOLVED, False, ())


def test_it_resolves_after_keep_firing_and_lasted_until_it_was_gone() -> None:
    almost = told(RULES, [(0, P), (10, None), (10.9, None)])
    assert almost.state is IncidentState.RECOVERING
    over = told(RULES, [(11, None)], almost)
    assert (over.state, over.seconds) == (IncidentState.RESOLVED, 600.0)
    assert reasons(over) == [Reason.FIRST_FIRING, Reason.RESOLVED]
    assert told(rules(keep_firing="0s"), [(0, P), (10, None)]).state is IncidentState.RESOLVED


def test_a_problem_that_comes_back_at_once_stays_one_incident_without_a_notice() -> None:
    again = told(RULES, [(0, P), (10, None), (10.5, P), (20, P)])
    assert (again.state, reasons(again)) == (IncidentState.FIRING, [Reason.FIRST_FIRING])
    assert again.problem.since == NOW


def test_another_cause_keeps_what_it_began_as() -> None:
    crash, again = (
        replace(P, summary=f"keeps crashing (exit 1, {count})") for count in ("1 restart", "5 restarts")
    )
    missing, unready = replace(P, summary="Secret k is missing"), replace(P, summary="runs but is not ready")
    one = told(RULES, [(0, crash), (1, again)])
    assert (one.earlier, one.began_as) == ((), again.text), "a count is no other cause"
    other = told(RULES, [(2, missing), (3, None), (3.5, unready), (5, None)], one)
    assert other.earlier == (again.text, missing.text)
    assert (other.began_as, other.problem.text) == (again.text, unready.text)
    assert reasons(other) == [Reason.FIRST_FIRING, Reason.OTHER_CAUSE]
    back = told(RULES, [(2, missing), (3, again), (4, missing)], one)
    assert reasons(back) == [Reason.FIRST_FIRING], "it was there all the time"
    assert (back.earlier, back.began_as) == ((again.text,), again.text)
    assert from_json(to_json(other)) == other


def test_what_every_restart_passes_through_is_no_cause() -> None:
    crash, missing = replace(P, summary="keeps crashing (exit 1)"), replace(P, summary="Secret k is missing")
    ending, unready = (
        replace(P, summary=text, passing=True) for text in ("is terminating", "runs but is not ready")
    )
    one = told(RULES, [(0, ending), (1, crash), (2, ending), (3, missing), (4, unready), (5, None)])
    assert (one.began_as, one.earlier) == (crash.text, (crash.text, missing.text))
    assert told(RULES, [(0, ending), (1, missing), (2, unready)]).began_as == missing.text
    back = told(RULES, [(0, crash), (1, ending), (2, None), (2.5, crash)])
    assert (back.earlier, reasons(back)) == ((), [Reason.FIRST_FIRING]), "no other cause"
    assert told(RULES, [(0, ending), (1, unready)]).began_as == unready.text, "none is known"
    other = told(RULES, [(0, crash), (1, ending), (2, None), (2.5, missing)])
    assert reasons(other) == [Reason.FIRST_FIRING, Reason.OTHER_CAUSE]
    quiet = told(RULES, [(0, crash), (1, None), (1.5, unready)])
    assert reasons(quiet) == [Reason.FIRST_FIRING], "it says nothing of a cause"
    hours = told(RULES, [(0, unready), (180, crash), (185, None)])
    assert hours.began_as == unready.text, "it lasted"


def test_before_the_alert_a_cause_counts_until_another_is_known() -> None:
    crash, missing = replace(P, summary="keeps crashing (exit 1)"), replace(P, summary="Secret k is missing")
    ending = replace(P, summary="is terminating", passing=True)
    waiting = rules(**{"for": "10m"})
    assert told(waiting, [(0, crash), (5, ending), (10, ending)]).began_as == crash.text
    assert told(waiting, [(0, crash), (5, missing), (10, missing)]).earlier == ()


def test_only_the_first_and_the_newest_causes_are_kept() -> None:
    seen = [(minute, replace(P, summary=f"cause {name} is here")) for minute, name in enumerate("abcdefgh")]
    assert [text.split()[2] for text in told(RULES, seen).earlier] == ["a", "e", "f", "g"]


def test_a_poll_without_news_returns_the_same_incident() -> None:
    firing = told(RULES, [(0, P)])
    assert decide(firing, P, RULES, NOW + 5 * MIN) is firing


def test_reminders_come_until_it_is_acknowledged() -> None:
    story = [(m, P) for m in range(0, 60 * 9, 10)]
    assert reasons(told(RULES, story)) == [Reason.FIRST_FIRING, Reason.REMINDER_DUE, Reason.REMINDER_DUE]


def test_an_acknowledgement_ends_reminders_but_not_the_resolve_and_expires() -> None:
    mine = acknowledged(told(RULES, [(0, P)]), "U1", RULES, NOW + MIN)
    assert mine.state is IncidentState.ACKED
    quiet = told(RULES, [(m, P) for m in range(10, 700, 10)], mine)
    assert reasons(quiet) == [Reason.FIRST_FIRING, Reason.ACKED]
    assert reasons(told(RULES, [(700, None), (702, None)], quiet))[-1] is Reason.RESOLVED
    expired = told(RULES, [(60 * 12 + 1, P)], quiet)
    assert (expired.state, reasons(expired)[-1]) == (IncidentState.FIRING, Reason.REMINDER_DUE)
    for who, why in (("U1", "you have acknowledged it already"), ("U2", "it is acknowledged already")):
        with pytest.raises(NotNow, match=why):
            acknowledged(quiet, who, RULES, NOW + 30 * MIN)


def test_an_acknowledgement_survives_a_short_recovery() -> None:
    mine = acknowledged(told(RULES, [(0, P)]), "U1", RULES, NOW)
    back = told(RULES, [(5, None), (5.5, P)], mine)
    assert (back.state, back.recovered_at) == (IncidentState.ACKED, None)


def test_an_expired_snooze_gives_exactly_one_notice() -> None:
    quiet = snoozed(told(RULES, [(0, P)]), "U1", NOW + 30 * MIN, NOW)
    assert reasons(told(RULES, [(29, P)], quiet)) == [Reason.FIRST_FIRING, Reason.SNOOZED]
    awake = told(RULES, [(30, P), (31, P), (40, P)], quiet)
    assert reasons(awake) == [Reason.FIRST_FIRING, Reason.SNOOZED, Reason.SNOOZE_ENDED]
    with pytest.raises(NotNow, match="over already"):
        snoozed(quiet, "U1", NOW, NOW)


def test_a_higher_severity_ends_snooze_and_acknowledgement() -> None:
    worse = replace(P, severity="critical")
    for quiet in (
        snoozed(told(RULES, [(0, P)]), "U1", NOW + 60 * MIN, NOW),
        acknowledged(told(RULES, [(0, P)]), "U1", RULES, NOW),
    ):
        loud = told(RULES, [(5, worse), (6, worse)], quiet)
        assert (loud.state, loud.ack, loud.snoozed_until) == (IncidentState.FIRING, None, None)
        assert reasons(loud)[-1] is Reason.SEVERITY_RAISED
        assert reasons(loud).count(Reason.SEVERITY_RAISED) == 1


def test_muting_holds_notices_back_and_its_end_gives_exactly_one() -> None:
    muted = replace(P, muted="maintenance nightly")
    before = told(RULES, [(0, muted), (500, muted)])
    assert (before.state, before.notified) == (IncidentState.PENDING, False)
    assert reasons(told(RULES, [(501, P), (502, P)], before)) == [Reason.FIRST_FIRING]
    during = told(RULES, [(0, P), (1, muted), (600, muted)])
    assert reasons(during) == [Reason.FIRST_FIRING]
    after = told(RULES, [(601, P), (602, P)], during)
    assert reasons(after) == [Reason.FIRST_FIRING, Reason.SNOOZE_ENDED]
    assert "maintenance nightly" in after.notices[-1].text


def test_flapping_is_notified_once() -> None:
    incident, said = None, []
    for n in range(8):
        for minutes, problem in (
            (n * 5, replace(P, since=NOW + n * 5 * MIN)),
            (n * 5 + 1, None),
            (n * 5 + 3, None),
        ):
            incident = decide(incident, problem, RULES, NOW + minutes * MIN)
            assert incident is not None
            said = said if incident.id in [i for i, _ in said] else [*said, (incident.id, incident)]
    assert incident is not None
    assert len(said) == 4, "three, and the one that flaps"
    assert reasons(incident) == [Reason.FLAPPING]
    assert incident.state is IncidentState.RECOVERING
    quiet = told(RULES, [(200, None)], incident)
    assert reasons(quiet) == [Reason.FLAPPING, Reason.RESOLVED]


CRITICAL = replace(P, severity="critical")


def test_an_oscillating_severity_is_raised_once_and_keeps_the_acknowledgement() -> None:
    loop = told(RULES, [(0, P), (1, CRITICAL)])
    loop = acknowledged(loop, "U1", RULES, NOW + MIN)
    loop = told(RULES, [(n, P if n % 2 else CRITICAL) for n in range(2, 120)], loop)
    loop = told(RULES, [(120, None), (120.5, P), (121, CRITICAL)], loop)
    assert reasons(loop) == [Reason.FIRST_FIRING, Reason.SEVERITY_RAISED, Reason.ACKED]
    assert loop.ack is not None


def test_an_initially_critical_incident_is_not_raised_again() -> None:
    assert reasons(told(RULES, [(0, CRITICAL), (1, P), (2, CRITICAL)])) == [Reason.FIRST_FIRING]


def test_severity_is_raised_again_after_a_long_time_below_critical() -> None:
    again = told(RULES, [(0, CRITICAL), (1, P), (61, P), (62, CRITICAL), (63, CRITICAL)])
    assert reasons(again) == [Reason.FIRST_FIRING, Reason.SEVERITY_RAISED]


def test_a_severity_raised_while_muted_is_notified_afterwards_despite_a_snooze() -> None:
    quiet = snoozed(told(RULES, [(0, P)]), "U1", NOW + 600 * MIN, NOW)
    quiet = told(RULES, [(10, replace(CRITICAL, muted="maintenance x"))], quiet)
    assert reasons(quiet)[-1] is Reason.SNOOZED
    assert reasons(told(RULES, [(20, CRITICAL), (21, CRITICAL)], quiet))[2:] == [Reason.SEVERITY_RAISED]


def flapping() -> Incident:
    """Down for the fourth time in 16 minutes."""
    incident = None
    for n in range(4):
        incident = decide(incident, replace(P, since=NOW + 5 * n * MIN), RULES, NOW + 5 * n * MIN)
        if n < 3:
            incident = told(RULES, [(5 * n + 1, None), (5 * n + 3, None)], incident)
    assert incident is not None
    assert incident.flapping
    return incident


def test_flapping_that_ends_in_a_lasting_problem_is_notified_and_then_repeated() -> None:
    before = told(RULES, [(m, P) for m in range(16, 75)], flapping())
    assert reasons(before) == [Reason.FLAPPING]
    stays = told(RULES, [(m, P) for m in range(75, 75 + 8 * 60)], before)
    assert reasons(stays) == [Reason.FLAPPING, Reason.REMINDER_DUE, Reason.REMINDER_DUE]
    assert stays.notices[1].text == "it came and went before; now it stays"
    assert not stays.flapping


def test_there_are_no_reminders_while_flapping() -> None:
    often = rules(remind="10m")
    stays = told(often, [(m, P) for m in range(16, 75)], flapping())
    assert reasons(stays) == [Reason.FLAPPING]


def test_continued_flapping_is_not_called_lasting() -> None:
    story = [(16 + 30 * n + m, p) for n in range(8) for m, p in ((0, P), (5, None))]
    assert reasons(told(RULES, story, flapping())) == [Reason.FLAPPING]


@pytest.mark.parametrize("excuse", ["snooze", "maintenance"])
def test_an_expired_acknowledgement_gives_one_notice(excuse: str) -> None:
    mine = acknowledged(told(RULES, [(0, P)]), "U1", RULES, NOW)
    if excuse == "snooze":
        mine = snoozed(mine, "U1", NOW + 780 * MIN, NOW)
    quiet = replace(P, muted="maintenance x" if excuse == "maintenance" else "")
    mine = told(RULES, [(m, quiet) for m in (10, 400, 725, 779)], mine)
    after = told(RULES, [(m / 2, P) for m in range(2 * 780, 2 * 800)], mine)
    assert [r for r in reasons(after) if r is not Reason.SNOOZED][2:] == [Reason.SNOOZE_ENDED]
    assert (after.state, after.ack) == (IncidentState.FIRING, None)


def test_an_unavailable_source_has_no_reminders_even_after_an_acknowledgement() -> None:
    blind = replace(P, kind="blind")
    long = [(m, blind) for m in range(0, 60 * 30, 10)]
    assert reasons(told(RULES, long)) == [Reason.BLIND]
    mine = acknowledged(told(RULES, [(0, blind)]), "U1", RULES, NOW)
    after = told(RULES, long, mine)
    assert (reasons(after), after.state) == ([Reason.BLIND, Reason.ACKED], IncidentState.FIRING)


def test_a_clock_set_back_causes_no_notice_and_no_resolve() -> None:
    back = told(RULES, [(300, P), (0, P), (60, P), (301, P)])
    assert (reasons(back), back.state) == ([Reason.FIRST_FIRING], IncidentState.FIRING)
    gone = told(RULES, [(302, None), (290, None), (303, None)], back)
    assert reasons(gone) == [Reason.FIRST_FIRING, Reason.RESOLVED]


def test_an_unavailable_source_has_its_own_reasons() -> None:
    blind = replace(P, kind="blind")
    assert reasons(told(RULES, [(0, blind), (5, None), (7, None)])) == [Reason.BLIND, Reason.SIGHT_REGAINED]


def test_an_incident_without_its_job_is_closed_not_resolved() -> None:
    gone = closed(told(RULES, [(0, P)]), "the job is no longer in the settings", NOW + MIN)
    assert (gone.open, reasons(gone)) == (False, [Reason.FIRST_FIRING, Reason.CLOSED])
    assert closed(told(rules(**{"for": "5m"}), [(0, P)]), "x", NOW).notices == ()


def _answered(one: Incident, act: str, now: datetime) -> Incident:
    if act == "ack":
        return acknowledged(one, "U1", RULES, now)
    return snoozed(one, "U1", now + 30 * MIN, now)


@pytest.mark.parametrize("act", ["ack", "snooze"])
def test_resolved_and_pending_incidents_refuse_acknowledgement_and_snooze(act: str) -> None:
    over = told(RULES, [(0, P), (1, None), (3, None)])
    untold = told(rules(**{"for": "5m"}), [(0, P)])
    for one, why in (
        (over, "it is over"),
        (untold, "not been announced"),
        (closed(over, "gone", NOW), "closed: gone"),
    ):
        with pytest.raises(NotNow, match=why):
            _answered(one, act, NOW)


def test_incidents_of_keys_that_were_not_polled_stay_unchanged() -> None:
    firing = told(RULES, [(0, P)])
    assert step({P.key: firing}, [], RULES, NOW + 60 * MIN) == []
    [changed] = step({P.key: firing}, [], RULES, NOW + 60 * MIN, about=[P.key])
    assert changed.state is IncidentState.RECOVERING


def test_json_round_trip() -> None:
    full = snoozed(acknowledged(told(RULES, [(0, P)]), "U1", RULES, NOW), "U2", NOW + MIN, NOW)
    assert from_json(to_json(full)) == full


# Maintenance

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("at", "active"),
    [
        (datetime(2026, 11, 24, 1, 59, tzinfo=BERLIN), False),
        (datetime(2026, 11, 24, 2, 0, tzinfo=BERLIN), True),
        (datetime(2026, 11, 24, 2, 59, tzinfo=BERLIN), True),
        (datetime(2026, 11, 24, 3, 0, tzinfo=BERLIN), False),
        (datetime(2026, 6, 24, 2, 30, tzinfo=BERLIN), True),
    ],
)
def test_a_scheduled_window_uses_its_own_time_zone(at: datetime, active: bool) -> None:
    window = Maintenance(name="nightly", schedule="0 2 * * *", lasts="1h", timezone="Europe/Berlin")
    assert window.active(at.astimezone(UTC)) is active


def test_a_window_may_last_until_the_next_run_on_some_days() -> None:
    weekdays = Maintenance.model_validate({"name": "x", "lasts": "24h", "schedule": "0 2 * * 1-5"})
    assert not weekdays.active(datetime(2026, 11, 22, 12, tzinfo=UTC)), "a Sunday"


def test_a_window_with_a_start_occurs_once() -> None:
    window = Maintenance(name="move", start="2026-11-24T09:00", lasts="2h", timezone="Europe/Berlin")
    assert not window.active(datetime(2026, 11, 24, 7, 59, tzinfo=UTC))
    assert window.active(datetime(2026, 11, 24, 8, 0, tzinfo=UTC))
    assert not window.active(datetime(2026, 11, 24, 10, 0, tzinfo=UTC))


def test_a_window_applies_to_its_jobs_and_targets() -> None:
    here = Maintenance(name="x", start=NOW, lasts="1h", jobs=("session_manager",), targets=("pod",))
    covering = AlertRules(maintenance=(here,))
    assert covering.window("pod", "session-manager", NOW) is here
    assert covering.window("pod", "other", NOW) is None
    assert covering.window("pod", "", NOW) is None, "the pod itself"
    assert covering.window("other", "session-manager", NOW) is None


def test_everything_is_in_maintenance_when_each_target_is_in_a_window_of_its_own() -> None:
    one = Maintenance(name="one", start=NOW, lasts="1h", targets=("a",))
    two = Maintenance(name="two", start=NOW, lasts="1h", targets=("b",))
    rules = AlertRules(maintenance=(one, two))
    assert rules.window_over(["a", "b"], NOW) is one
    assert rules.window_over(["a", "b", "c"], NOW) is None
    assert AlertRules(maintenance=(two,)).window_over(["a", "b"], NOW) is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"maintenance": [{"name": "x", "lasts": "1h"}]}, "needs start or schedule"),
        ({"maintenance": [{"name": "x", "lasts": "1h", "schedule": "61 * * * *"}]}, "not a crontab schedule"),
        ({"maintenance": [{"name": "x", "lasts": "-1h", "start": NOW}]}, "not a duration"),
        ({"maintenance": [{"name": "x", "lasts": "1h", "start": NOW, "timezone": "Mars"}]}, "no time zone"),
        ({"poll": "0s"}, "not a usable duration"),
        ({"poll": "2h"}, "one second to one hour"),
        ({"mention": ["maya"]}, "Slack ids"),
        ({"flaps": 0}, "greater than or equal to 1"),
        ({"remind": "soon"}, "not a duration"),
        ({"remind": "1s"}, "remind\n.*takes 1 min to 30 d, not 1 s"),
        ({"remind": "700d"}, "takes 1 min to 30 d, not 700 d"),
        ({"ack_for": "3000d"}, "takes 1 min to 30 d"),
        ({"keep_firing": "700d"}, "keep_firing\n.*takes 0 s to 1 d, not 700 d"),
        ({"keep_firing": -60}, "not a usable duration"),
        ({"for": "25h"}, "takes 0 s to 1 d, not 1 d 1 h"),
        ({"pod_for": "30d"}, "takes 0 s to 1 d"),
        ({"flap_window": "30d"}, "takes 1 s to 1 d"),
        ({"group_within": "0s"}, "not a usable duration"),
        ({"blind_after": 1000, "poll": "1h"}, "longer than a day"),
        ({"maintenance": [{"name": "x", "lasts": "700d", "start": NOW}]}, "lasts\n.*takes 1 min to 30 d"),
        ({"maintenance": [{"name": "x", "lasts": "1d", "schedule": "0 2 * * *"}]}, "'x' .*would never end"),
    ],
)
def test_invalid_rules_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        AlertRules.model_validate(given)


# Whatever happens


class Stories(RuleBasedStateMachine):
    """Problems that come and go, people who answer, mutes and time: of three keys."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.rules = AlertRules.model_validate({"for": "2m", "flaps": 2})
        self.known: dict[str, Incident] = {}
        self.every: dict[str, Incident] = {}
        self.problems: dict[str, Problem] = {}

    def look(self, about: Sequence[str] = ("a", "b", "c")) -> None:
        for one in step(self.known, list(self.problems.values()), self.rules, self.now, about=about):
            self.known[one.key] = self.every[one.id] = one

    @rule(minutes=st.sampled_from([0.5, 1, 3, 30, 300, 1500]))
    def time_passes(self, minutes: float) -> None:
        self.now += minutes * MIN
        self.look()

    @rule(key=st.sampled_from("abc"), severity=st.sampled_from(["warning", "critical"]), muted=st.booleans())
    def goes_wrong(self, key: str, severity: Any, muted: bool) -> None:
        old = self.problems.get(key)
        since = old.since if old else self.now
        self.problems[key] = replace(P, key=key, severity=severity, since=since, muted="m" if muted else "")
        self.look()

    @rule(key=st.sampled_from("abc"))
    def goes_well(self, key: str) -> None:
        self.problems.pop(key, None)
        self.look()

    @rule(key=st.sampled_from("abc"), act=st.sampled_from(["ack", "snooze"]))
    def somebody_answers(self, key: str, act: str) -> None:
        one = self.known.get(key)
        if one is None:
            return
        try:
            after = _answered(one, act, self.now)
        except NotNow:
            return
        self.known[key] = self.every[one.id] = after

    @invariant()
    def at_most_one_is_open_of_a_key(self) -> None:
        keys = [i.key for i in self.every.values() if i.open]
        assert len(keys) == len(set(keys))

    @invariant()
    def nothing_resolves_that_was_not_told(self) -> None:
        firsts = (Reason.FIRST_FIRING, Reason.FLAPPING, Reason.BLIND)
        for one in self.every.values():
            said = reasons(one)
            assert (not said) == (one.fired_at is None)
            assert not said or said[0] in firsts
            assert sum(r in firsts for r in said) <= 1
            assert said.count(Reason.RESOLVED) <= 1
            assert Reason.RESOLVED not in said[:-1], "it is the last word"

    @invariant()
    def no_silence_while_something_is_wrong_and_nothing_is_in_the_way(self) -> None:
        self.look()
        for key, problem in self.problems.items():
            if not problem.muted and self.now >= problem.since + self.rules.for_:
                one = self.known[key]
                assert one.open
                assert one.notified
                quiet = self.now - one.notices[-1].at < self.rules.remind
                flaps = one.flapping and self.now - (one.back_at or one.fired_at) < self.rules.flap_window
                assert quiet or one.state is IncidentState.ACKED or one.snoozed(self.now) or flaps

    @invariant()
    def it_gets_worse_at_most_once_within_the_flap_window(self) -> None:
        for one in self.every.values():
            raised = [n.at for n in one.notices if n.reason is Reason.SEVERITY_RAISED]
            assert all(b - a >= self.rules.flap_window for a, b in pairwise(raised))


TestStories = Stories.TestCase
TestStories.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
