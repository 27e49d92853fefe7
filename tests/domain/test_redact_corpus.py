"""The share of invented secrets that is found, and of ordinary log lines that is changed."""

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


def test_95_percent_of_vendor_tokens_within_a_line_are_redacted() -> None:
    assert len(TOKENS) >= 100
    left = [name for seed in SEEDS for name, token in tokens(seed) if not _gone(f"using {token} now", token)]
    assert len(left) <= 0.05 * len(TOKENS) * len(SEEDS), left


def _gone(line: str, token: str) -> bool:
    text = shown(line)
    return PLACEHOLDER in text and not kept(token.replace("/getMe", "").replace("&issuer=x", ""), text)


def test_95_percent_of_ways_to_write_a_secret_are_redacted() -> None:
    assert len(PHRASES) >= 40
    made = [(line, value) for seed in SEEDS for line, value in phrases(seed)]
    left = [line for line, value in made if value[3:10] in shown(line)]
    assert len(left) <= 0.05 * len(made), left


def test_no_ordinary_line_is_changed() -> None:
    ordinary = lines(10_000)
    touched = [line for line, now in zip(ordinary, redact(ordinary).lines, strict=True) if line != now]
    assert len(touched) <= 100, touched[:20]


def test_redacted_text_stays_unchanged() -> None:
    once = [shown(line) for line, _ in phrases()]
    assert [shown(line) for line in once] == once
