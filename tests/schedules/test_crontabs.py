"""Whole crontabs are read as supercronic itself reads them: jobs, zone, and files that it refuses."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Sequence

import pytest

from bot.domain.core.cron.crontab import Crontab, read_crontab
from tests.schedules.build import CannotBuild, Crons, ensure

pytestmark = pytest.mark.xdist_group("schedules")

LINES = (
    "*/5 * * * * /opt/scripts/session-manager.sh",
    "0 4 * * * cd /home/claude/repos/willikins && git pull --ff-only",
    "@daily /opt/a.sh with some more words than seven in it",
    "@hourly x",
    "0 4 * * * * /opt/a.sh",
    "30 0 4 * * * * /opt/a.sh",
    "0 4 * * * 7z a b",
    "0 4 * * * 2026 b",
    "0 4 * * * 2026",
    "0 4 * * * 2026-2028,2030 b c",
    "0 4 * * * */2 b c",
    "30 0 4 * * * 2027 b",
    "0 4 * * * ? x",
    "0 0 30 2 * never",
    "\t0\t4 * * *\t/opt/a.sh  --two  spaces ",
    "# a comment",
    "   # another",
    "",
    "PATH=/usr/bin:/bin",
    "MAILTO = someone",
    "QUOTED='a b'",
    "CRON_TZ=Europe/Berlin",
    'CRON_TZ="America/New_York"',
    "TZ=Asia/Tokyo",
)
WRONG = (
    "61 * * * * x",
    "* * * * *",
    "* * * * x",
    "@daily",
    "@often x",
    "@reboot x",
    "EMPTY=",
    "CRON_TZ=Europe/Nowhere",
    "just words here and more of them",
    "*/0 * * * * x",
    "0 0 0 4 * * Mon job",
)


@pytest.fixture(scope="module")
def crons() -> Crons:
    """The real crons. Without them these tests fail; `scripts/test.sh` skips them except in CI."""
    try:
        return ensure()
    except CannotBuild as error:
        pytest.fail(f"no real cron: {error}", pytrace=False)


def _files() -> list[str]:
    chosen = random.Random(1)  # noqa: S311 - no secret
    single = [f"{line}\n" for line in (*LINES, *WRONG)]
    mixed = []
    for _ in range(300):
        lines = chosen.sample(LINES, chosen.randint(1, 8))
        if chosen.random() < 0.2:
            lines.insert(chosen.randrange(len(lines) + 1), chosen.choice(WRONG))
        mixed.append(chosen.choice(("\n", "\r\n")).join(lines) + chosen.choice(("\n", "")))
    return [*single, *mixed]


def _real(crons: Crons, files: Sequence[str]) -> list[str]:
    asked = "".join(f"file\t{json.dumps(text)}\n" for text in files)
    done = subprocess.run(
        [crons.supercronic], input=asked, capture_output=True, text=True, check=True, env={"TZ": "UTC"}
    )
    return done.stdout.splitlines()


def _differs(ours: Crontab, real: str) -> str:
    if not real.startswith("{"):
        return "" if ours.refused else f"supercronic says {real}, and we take it"
    if ours.refused:
        return f"we refuse it: {ours.problems}"
    read = json.loads(real)
    theirs = [(" ".join(s.split()), " ".join(c.split())) for s, c in read["jobs"]]
    mine = [(" ".join(j.schedule.split()), " ".join(j.command.split())) for j in ours.jobs]
    # Lines that it takes and that we name as not meant so, such as a year, are no jobs of ours.
    rest = iter(theirs)
    if len(theirs) != len(mine) + len(ours.problems) or not all(job in rest for job in mine):
        return f"{theirs} is not {mine} with {ours.problems}"
    zone = ours.zone or read["zone"]
    return "" if zone == read["zone"] else f"the zone is {read['zone']}, not {zone}"


def test_crontabs_are_read_as_supercronic_reads_them(crons: Crons) -> None:
    files = _files()
    real = _real(crons, files)
    assert len(real) == len(files)
    found = [_differs(read_crontab(text, "supercronic"), said) for text, said in zip(files, real, strict=True)]
    assert [(text, said) for text, said in zip(files, found, strict=True) if said] == []
    refused = sum(not said.startswith("{") for said in real)
    assert 30 < refused < len(files) / 2
