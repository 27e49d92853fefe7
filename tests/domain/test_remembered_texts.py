"""What was found clean before is judged again once a secret in it is known."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bot.domain.core.outside import Outside

WORDS = ("plain-word-1", "plain-word-2", "plain-word-3", "password: plain-word-4", "nothing")
TEXTS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(tuple)
LEARNT = st.frozensets(st.sampled_from(WORDS[:3]))


def test_a_clean_text_is_redacted_once_it_is_learnt() -> None:
    outside, said = Outside(), {"reason": "plain-word-1"}
    assert outside.of(said) is said
    outside.learn("secrets", ["plain-word-1"])
    assert outside.of(said) == {"reason": "[redacted]"}


def test_neighbours_decide_as_well() -> None:
    outside = Outside()
    assert outside.of(("the password is", "nothing")) == Outside().of(("the password is", "nothing"))
    apart = [outside.of(text) for text in ("token:", "Zk3-9vQ_x7Lr2Wd8")]
    assert outside.of(("token:", "Zk3-9vQ_x7Lr2Wd8")) == Outside().of(("token:", "Zk3-9vQ_x7Lr2Wd8")), apart


@given(st.lists(TEXTS | LEARNT, max_size=12))
def test_a_process_that_remembers_judges_as_a_fresh_one(steps: list[tuple[str, ...] | frozenset[str]]) -> None:
    outside, known = Outside(), frozenset[str]()
    for step in steps:
        if isinstance(step, frozenset):
            known = step
            outside.learn("secrets", known)
        else:
            assert outside.of(step) == Outside(known).of(step)


def test_many_values_are_judged_as_well() -> None:
    outside = Outside()
    for number in range(1_000):
        assert outside.of(f"value {number}") == f"value {number}"
    outside.learn("secrets", ["value 7 is it"])
    assert outside.of(("value 7 is it", "x" * 5_000)) == ("[redacted]", "x" * 5_000)
