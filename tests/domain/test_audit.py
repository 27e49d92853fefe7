"""The hash chain of the audit trail: any changed record is found, and the first one is named."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.core.audit import START, Broken, Record, Trace, chained, verify

NOW = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda some: st.dictionaries(st.text(), some, max_size=3),
)


def chain(count: int) -> list[Record]:
    made: list[Record] = []
    for number in range(count):
        one = Record(0, NOW + timedelta(seconds=number), "decision", "U0ONE", f"r-{number}", {"ü": number})
        made.append(chained(one, made[-1] if made else None))
    return made


def test_an_untouched_chain_is_intact() -> None:
    made = chain(5)
    assert verify(made) is None
    assert verify([]) is None
    assert [r.number for r in made] == [1, 2, 3, 4, 5]
    assert made[0].previous == START
    assert made[4].previous == made[3].digest


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"actor": "U0TWO"}, "was changed after it was written"),
        ({"at": NOW}, "was changed after it was written"),
        ({"data": {}}, "was changed after it was written"),
        ({"digest": START}, "was changed after it was written"),
        ({"previous": START}, "does not follow the one before it"),
        ({"number": 7}, "records 3 to 6 are missing"),
    ],
)
def test_a_changed_record_is_named(changes: dict[str, object], why: str) -> None:
    made = chain(5)
    made[2] = replace(made[2], **changes)  # type: ignore[arg-type]
    broken = verify(made)
    assert broken is not None
    assert broken.number == 3
    assert why in broken.why


def test_a_changed_record_with_a_new_digest_breaks_the_next_one() -> None:
    made = chain(5)
    forged = replace(made[2], actor="U0TWO")
    made[2] = replace(forged, digest=forged.computed())
    assert verify(made) == Broken(4, "record 4 does not follow the one before it")


def test_a_missing_and_a_swapped_record_are_named() -> None:
    made = chain(5)
    assert verify(made[:2] + made[3:]) == Broken(3, "record 3 is missing")
    made[1], made[2] = made[2], made[1]
    assert verify(made) == Broken(2, "record 2 is missing")


def test_a_truncated_chain_is_detected_by_a_digest_kept_elsewhere() -> None:
    made = chain(5)
    assert verify(made, head=made[3].digest) is None
    assert verify(made[:3]) is None
    broken = verify(made[:3], head=made[3].digest)
    assert broken is not None
    assert broken.why.startswith("the end is missing")


def test_the_zone_in_which_a_time_was_written_makes_no_difference() -> None:
    [one] = chain(1)
    assert replace(one, at=one.at.astimezone(timezone(timedelta(hours=5)))).computed() == one.digest


@given(
    st.lists(st.tuples(st.text(), st.text(), st.dictionaries(st.text(), JSON, max_size=3)), min_size=1), st.data()
)
def test_any_chain_is_intact_and_any_missing_record_is_detected(
    contents: list[tuple[str, str, dict[str, object]]], data: st.DataObject
) -> None:
    made: list[Record] = []
    for actor, subject, more in contents:
        made.append(chained(Record(0, NOW, "request", actor, subject, more), made[-1] if made else None))
    assert verify(made) is None
    gone = data.draw(st.integers(0, len(made) - 1))
    assert (verify(made[:gone] + made[gone + 1 :]) is None) == (gone == len(made) - 1)


TRACES = [Trace("decision", f"r-{n}", f"the decision on r-{n}") for n in range(5)]


def test_an_emptied_trail_is_broken_by_the_ledger_s_traces() -> None:
    why = "it was emptied: the ledger has the decision on r-0 and 4 more, and no record of that is left"
    assert verify([], traces=TRACES) == Broken(1, why)
    assert verify(chain(5), traces=TRACES) is None


def test_a_trail_without_a_required_record_is_broken() -> None:
    assert verify(chain(4), traces=TRACES) == Broken(5, "records of the decision on r-4 are missing")
    twice = [Trace("decision", "r-0", "the decision on r-0", least=2)]
    assert verify(chain(5), traces=twice) == Broken(6, "records of the decision on r-0 are missing")
