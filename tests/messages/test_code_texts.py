"""What the code can say anywhere, also in terminals and in errors, has no long sentences and no private words."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.messages.code_texts import CodeText, _literals, code_texts, shipped_texts

PATTERNS = ("bot/adapters/kubernetes/no_log.py", "bot/domain/core/redact/")
"""Files whose long literals are patterns of what others write."""


@pytest.fixture(scope="module")
def texts() -> list[CodeText]:
    found = [*code_texts(), *shipped_texts()]
    assert len(found) > 2_000, "the texts are found"
    return [text for text in found if not text.place.startswith(PATTERNS)]


def test_no_sentence_in_the_code_has_more_than_25_words(texts: list[CodeText]) -> None:
    assert [f"{text.place}: {one}" for text in texts for one in text.long] == []


def test_no_text_in_the_code_has_private_words(texts: list[CodeText]) -> None:
    assert [f"{text.place}: {one}" for text in texts for one in text.private] == []


def test_a_long_sentence_and_a_private_word_are_found() -> None:
    long = CodeText("x", f"Short. It {'goes on ' * 14}.")
    assert len(long.long) == 1
    assert not CodeText("x", f"Usage: agentpod {'go ' * 30}").long
    assert CodeText("x", "Nothing is known of the pod.").private


def test_f_strings_are_read_whole_and_docstrings_not_at_all() -> None:
    tree = ast.parse('"""A docstring of words."""\nraise E(f"The pod {name} is "\n  f"gone since {at}.")\n')
    assert [text for _, text in _literals(tree)] == ["The pod x is gone since x."]


def test_places_name_file_and_line() -> None:
    assert all(Path(text.place.partition(":")[0]).suffix == ".py" for text in list(code_texts())[:20])
