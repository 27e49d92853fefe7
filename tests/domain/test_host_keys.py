"""SSH host keys: when they count as changed, and what is said then."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bot.domain.core.probes import Verdict
from bot.domain.core.target import ServiceTarget
from bot.domain.core.workload import Claim
from bot.domain.health.host_keys import (
    RECENT,
    SeenKeys,
    command,
    forget,
    from_json,
    judge,
    noted,
    read_keys,
    short_type,
    to_json,
)
from tests.times import utc

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
SSH = ServiceTarget(name="SSH", ip="192.168.55.215", port=22)
OLD, NEW = {"ssh-ed25519": "SHA256:old"}, {"ssh-ed25519": "SHA256:new"}
CHANGED = noted(SeenKeys(OLD, NOW - 50 * HOUR, NOW - 2 * HOUR), NEW, NOW)


def claim(age: timedelta) -> Claim:
    return Claim("agent-home", "Bound", created_at=NOW - age)


def test_keys_seen_for_the_first_time_are_no_change() -> None:
    finding = judge(noted(None, OLD, NOW), [], SSH, NOW)
    assert (finding.verdict, finding.summary[:23]) == (Verdict.OK, "seen for the first time")


def test_the_same_keys_keep_the_time_when_they_were_first_seen() -> None:
    memory = noted(SeenKeys(OLD, NOW - 50 * HOUR, NOW - HOUR), OLD, NOW)
    assert (memory.since, memory.until, memory.before) == (NOW - 50 * HOUR, NOW, None)
    assert utc(judge(memory, [], SSH, NOW).summary, NOW) == "unchanged since Fri 27 Nov, 10:00 UTC"


def test_a_further_type_is_no_change_and_a_type_that_is_gone_is_one() -> None:
    both = OLD | {"ssh-rsa": "SHA256:rsa"}
    assert noted(SeenKeys(OLD, NOW - HOUR, NOW - HOUR), both, NOW).before is None
    assert noted(SeenKeys(both, NOW - HOUR, NOW - HOUR), OLD, NOW).before == both


def test_changed_keys_are_a_warning_with_old_and_new_and_the_command_that_forgets() -> None:
    finding = judge(CHANGED, [claim(HOUR)], SSH, NOW)
    assert finding.verdict is Verdict.WARN
    assert utc(finding.summary, NOW) == (
        "the host keys changed between 10:00 UTC and 12:00 UTC, because the volume was created again"
    )
    assert finding.evidence == ("ED25519: SHA256:old → SHA256:new", "claim agent-home was created 1 h ago")
    assert finding.run == "ssh-keygen -R 192.168.55.215"


def test_changed_keys_on_an_old_volume_must_not_be_accepted_unseen() -> None:
    finding = judge(CHANGED, [claim(60 * 24 * HOUR)], SSH, NOW)
    assert finding.summary.endswith(", and the volume was not created again")
    assert finding.remedy == "Find out who replaced them before you accept the new ones."
    assert judge(CHANGED, [], None, NOW).run is None


def test_the_warning_lasts_for_two_weeks_and_later_looks_do_not_end_it() -> None:
    later = noted(CHANGED, NEW, NOW + RECENT)
    assert judge(later, [], SSH, NOW + RECENT).verdict is Verdict.WARN
    after = noted(later, NEW, NOW + RECENT + HOUR)
    assert judge(after, [], SSH, NOW + RECENT + HOUR).verdict is Verdict.OK


def test_the_memory_survives_the_ledger_and_odd_values_are_none() -> None:
    assert from_json(to_json(CHANGED)) == CHANGED
    assert from_json("") is None
    assert from_json("{}") is None


def test_commands_name_a_port_that_is_not_the_usual_one() -> None:
    other = ServiceTarget(name="SSH", ip="192.168.55.215", port=2222)
    assert (command(SSH, "claude"), forget(SSH)) == ("ssh claude@192.168.55.215", "ssh-keygen -R 192.168.55.215")
    assert command(other, "claude") == "ssh -p 2222 claude@192.168.55.215"
    assert forget(other) == "ssh-keygen -R '[192.168.55.215]:2222'"


def test_only_lines_with_a_key_are_keys() -> None:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPHYXxQKfLRpuRdFymgx1hG+wfFkALC4/pqAY39D8Bi/ x"
    assert [k.fingerprint for k in read_keys(f"-----BEGIN\n{key}\nrubbish\n")] == [
        "SHA256:umM4xtilMAz0e352BPZJ5yxM2SQ3q6u7qJKN39AmdDQ"
    ]
    assert [short_type(t) for t in ("ssh-rsa", "ecdsa-sha2-nistp256", "odd")] == ["RSA", "ECDSA", "odd"]
