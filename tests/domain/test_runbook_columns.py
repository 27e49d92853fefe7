"""Output as a table: the separator that fits all lines, or none."""

from __future__ import annotations

import pytest

from bot.domain.runbook.columns import rows_of


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("memory.used, memory.total\n12 MiB, 24 MiB", [("memory.used", "memory.total"), ("12 MiB", "24 MiB")]),
        ('a,b\n"x, y",2', [("a", "b"), ("x, y", "2")]),
        ("a;b;c\n1;2;3", [("a", "b", "c"), ("1", "2", "3")]),
        ("a\tb c\n1\t2 3", [("a", "b c"), ("1", "2 3")]),
        (" id | name \n  1 | x y ", [("id", "name"), ("1", "x y")]),
        ("NAME   READY STATUS\nx y    1/1", [("NAME", "READY STATUS"), ("x y", "1/1")]),
        (" id | name \n----+------\n  1 | x y \n(1 row)", [("id", "name"), ("1", "x y")]),
        ("+---+---+\n| a | b |\n+---+---+\n| 1 |   |\n+---+---+", [("a", "b"), ("1", "")]),
        ("a|b|c\n1||", [("a", "b", "c"), ("1", "", "")]),
        ("NAME   AGE\nx y    3 d", [("NAME", "AGE"), ("x y", "3 d")]),
        (
            "Filesystem 1K-blocks Use% Mounted on\n/dev/sda 100 5% /",
            [("Filesystem", "1K-blocks", "Use%", "Mounted on"), ("/dev/sda", "100", "5%", "/")],
        ),
        ("PID CMD\n1 sshd -D -e", [("PID", "CMD"), ("1", "sshd -D -e")]),
        ('a,b\n"open,2', []),
        ("one\ntwo", []),
        ("", []),
        ("\n\na,b\n\n1,2\n", [("a", "b"), ("1", "2")]),
    ],
)
def test_the_separator_that_fits_all_lines_makes_the_columns(text: str, rows: list[tuple[str, ...]]) -> None:
    assert rows_of(text.split("\n")) == rows
