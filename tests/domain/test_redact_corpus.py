"""How much is found of made-up secrets, and how little is touched of an ordinary log."""

from __future__ import annotations

import re

from bot.domain.core.redact import PLACEHOLDER, redact
from tests.ordinary_log import lines
from tests.secrets_corpus import PHRASES, TOKENS, phrases, tokens

SEEDS = range(3)


def shown(text: str) -> str:
    return "\n".join(redact(text.split("\n")).lines)


def kept(secret: str, text: str) -> bool:
    """Whether any ten characters of the second half of a secret's longest part are still there."""
    parts = re.findall(r"[\w\-+/~.%]+", secret.replace("\\n", "\n"))
    longest = max(parts, key=len)
    half = len(longest) // 2
    return any(longest[i : i + 10] in text for i in range(half, max(half + 1, len(longest) - 9)))


def test_ninety_five_of_a_hundred_tokens_of_vendors_are_redacted_in_the_midst_of_a_line() -> None:
    assert len(TOKENS) >= 100
    left = [name for seed in SEEDS for name, token in tokens(seed) if not _gone(f"using {token} now", token)]
    assert len(left) <= 0.05 * len(TOKENS) * len(SEEDS), left


def _gone(line: str, token: str) -> bool:
    text = shown(line)
    return PLACEHOLDER in text and not kept(token.replace("/getMe", "").replace("&issuer=x", ""), text)


def test_ninety_five_of_a_hundred_ways_to_write_a_secret_down_are_redacted() -> None:
    assert len(PHRASES) >= 40
    made = [(line, value) for seed in SEEDS for line, value in phrases(seed)]
    left = [line for line, value in made if value[3:10] in shown(line)]
    assert len(left) <= 0.05 * len(made), left


def test_not_one_of_a_hundred_ordinary_lines_is_touched() -> None:
    ordinary = lines(10_000)
    touched = [line for line, now in zip(ordinary, redact(ordinary).lines, strict=True) if line != now]
    assert len(touched) <= 100, touched[:20]


def test_what_was_redacted_is_left_alone() -> None:
    once = [shown(line) for line, _ in phrases()]
    assert [shown(line) for line in once] == once
