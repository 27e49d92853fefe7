"""Runs the cases of a file: a line for each, and what is wrong with those that fail."""

from __future__ import annotations

from bot.domain.core import words
from bot.runbook.policy_cases.judging import Judge
from bot.runbook.policy_cases.reading import CasesFile


def run(file: CasesFile, judge: Judge) -> tuple[list[str], int]:
    """Judge all cases. Returns the lines to print, and how many failed."""
    found = [
        (file.line(f"cases.{number}"), case.title, judge.case(case, file.cases))
        for number, case in enumerate(file.cases.cases)
    ]
    found += [
        (file.line(f"only.{number}"), entry.title, judge.only(entry))
        for number, entry in enumerate(file.cases.only)
    ]
    lines: list[str] = []
    for line, title, wrong in sorted(found, key=lambda one: one[0]):
        lines.append(f"{'FAIL' if wrong else 'ok  '}  line {line}: {title}")
        lines += [f"      {one}" for one in wrong]
    failed = sum(bool(wrong) for _, _, wrong in found)
    return [*lines, f"{len(found) - failed} of {words.plural(len(found), 'case')} passed"], failed
