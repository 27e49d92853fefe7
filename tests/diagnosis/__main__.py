"""``make diagnosis``: score the shipped runbook on the corpus; fails below 95 % or on an unsupported claim."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from bot.wiring.runbook_tools import compiled
from tests.diagnosis import corpus
from tests.diagnosis.corpus import Result

NEEDED = 0.95


def table(results: Sequence[Result], names: Sequence[str]) -> list[str]:
    """A line for each cause: how many scenarios expect it, and how many of them are answered correctly."""
    lines = [f"{'cause':<28}{'scenarios':>10}{'correct':>10}"]
    for name in (*names, corpus.UNKNOWN):
        of_cause = [one for one in results if one.scenario.expect == name]
        lines.append(f"{name:<28}{len(of_cause):>10}{sum(one.correct for one in of_cause):>10}")
    return lines


def wrong(results: Sequence[Result]) -> list[str]:
    """What is wrong, a line each."""
    lines = []
    for one in results:
        title = f"{one.scenario.tree or 'any'}: {one.scenario.title}"
        if not one.correct:
            lines.append(f"wrong: {title}: {one.cause}, expected {one.scenario.expect}")
        lines += [f"unsupported: {title}: {claim}" for claim in one.unsupported]
        lines += [f"unstable: {title}: {line}" for line in one.unstable]
    return lines


def main() -> int:
    """Print the table and the score."""
    book = compiled("secure-agent-pod")
    results = [corpus.run(book, scenario) for scenario in corpus.scenarios()]
    correct = sum(one.correct for one in results)
    unsupported = sum(len(one.unsupported) for one in results)
    unstable = sum(bool(one.unstable) for one in results)
    score = correct / len(results)
    lines = [
        f"{correct} of {len(results)} first causes correct ({score:.1%}, at least {NEEDED:.0%} needed)",
        f"{unsupported} unsupported claims, {unstable} answers that the wrong line changes (none allowed)",
    ]
    sys.stdout.write("\n".join((*table(results, corpus.causes(book)), "", *wrong(results), *lines, "")))
    return int(score < NEEDED or unsupported > 0 or unstable > 0)


if __name__ == "__main__":
    sys.exit(main())
