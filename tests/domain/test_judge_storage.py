"""Storage: claims bound, the file system's numbers and thresholds, what fills it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.core.probes import Verdict
from bot.domain.core.target import StorageSpec, Target
from bot.domain.core.workload import Claim, ExecResult
from bot.domain.health.judge_storage import DiskUse, judge_claims, judge_disk, parse_df, parse_du

HEAD = "Filesystem 1024-blocks Used Available Capacity Mounted on\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (HEAD + "/dev/sdb 1000 400 600 40% /home/claude\n", (1000, 400, 600, "/home/claude")),
        (HEAD + "10.0.0.1:/export/a b 1000 400 600 40% /home/claude", (1000, 400, 600, "/home/claude")),
        (HEAD + "/dev/sdb 1000 400 600 40% /mnt/with space", (1000, 400, 600, "/mnt/with space")),
        (HEAD + "overlay 0 0 0 - /", (0, 0, 0, "/")),
        ("df: /x: Permission denied\n" + HEAD + "/dev/sdb 9 4 5 45% /home", (9, 4, 5, "/home")),
        (HEAD + "/dev/sda 1 1 0 100% /\n/dev/sdb 9 4 5 45% /home", (9, 4, 5, "/home")),
        (HEAD + "/dev/sdb 1000 900 -50 106% /home", (1000, 900, -50, "/home")),
        ("Dateisystem 1K-Blöcke Benutzt Verfügbar Verw% Eingehängt auf\n/dev/sdb 9 4 5 45% /h", (9, 4, 5, "/h")),
        (HEAD + "/dev/mapper/longhorn-pvc--4b0f7c52--2f0a\n      9 4 5 45% /home", (9, 4, 5, "/home")),
        (HEAD + "tmpfs 64 1 63 2% /run/shm 1\n", (64, 1, 63, "/run/shm 1")),
    ],
)
def test_df_is_read(text: str, expected: tuple[int, int, int, str]) -> None:
    total, used, free, mount = expected
    assert parse_df(text) == DiskUse(mount, total * 1024, used * 1024, max(0, free) * 1024)


@pytest.mark.parametrize(
    "row",
    [
        "overlay 0 0 0 - /home/claude",
        "overlay 0 0 0 0% /home/claude",
        "fuse.gateway 0 4096 0 100% /home/claude",
        "none 18014398509481983 0 18014398509481983 0% /home/claude",
        "none 99999999999999999999 1 99999999999999999998 1% /home/claude",
        "/dev/sdb 1000 0 0 - /home/claude",
        "/dev/sdb - - - - /home/claude",
        "/dev/sdb 1000 - - - /home/claude",
        "/dev/sdb 1000 1 9000 1% /home/claude",
        pytest.param(f"/dev/sdb {'9' * 5000} 1 1 50% /home/claude", id="5,000 digits"),
        pytest.param(f"/dev/{'x ' * 500_000}1 1 1 50% /home/claude", id="a megabyte"),
    ],
)
def test_without_a_valid_size_the_use_is_unknown(row: str) -> None:
    finding = judge_disk("/home/claude", ExecResult(f"{HEAD}{row}\n", "", 0), StorageSpec())
    assert finding.verdict is Verdict.UNKNOWN
    assert "full" not in finding.summary
    assert finding.summary.endswith(("reports no size", "no numbers for /home/claude"))


@pytest.mark.parametrize(
    ("rows", "mount"),
    [
        ("/dev/sda 9 9 0 100% /\n/dev/sdb 9 1 8 12% /home\n/dev/sdc 9 9 0 100% /var", "/home"),
        ("/dev/sdb 9 1 8 12% /home/claude\noverlay 9 9 0 100% /", "/home/claude"),
        ("/dev/sda 9 9 0 100% /home/claude-old\n/dev/sdb 9 1 8 12% /", "/"),
    ],
)
def test_of_several_file_systems_that_of_the_home_counts(rows: str, mount: str) -> None:
    disk = parse_df(HEAD + rows, "/home/claude")
    assert disk is not None
    assert disk.mount == mount


def test_a_file_system_without_room_for_users_is_full() -> None:
    reserved = f"{HEAD}/dev/sdb 1000 50 0 100% /home/claude"
    assert judge_disk("/home/claude", ExecResult(reserved, "", 0), StorageSpec()).verdict is Verdict.FAIL


def test_invalid_folder_sizes_are_skipped() -> None:
    text = f"{'9' * 5000}\t/h/huge\n18014398509481983\t/h/all\n-\t/h/none\n4\t/h/a\n"
    assert parse_du(text, "/h") == [("/h/a", 4096)]


@pytest.mark.parametrize("text", ["", HEAD, "df: /home/claude: No such file or directory", "a b c d e /f"])
def test_without_numbers_there_is_no_disk(text: str) -> None:
    assert parse_df(text) is None
    finding = judge_disk("/home/claude", ExecResult(text, "df: broken", 1), StorageSpec())
    assert (finding.verdict, finding.summary) == (Verdict.UNKNOWN, "df gave no numbers for /home/claude")
    assert finding.evidence == ("df: broken",)


@pytest.mark.parametrize(
    "why", ["Stale file handle", "Input/output error", "Transport endpoint is not connected", "Permission denied"]
)
def test_a_volume_that_can_not_be_read_says_so_in_the_first_line(why: str) -> None:
    finding = judge_disk("/home/claude", ExecResult("", f"df: /home/claude: {why}\n", 1), StorageSpec())
    assert (finding.verdict, finding.summary) == (Verdict.UNKNOWN, f"df can't read /home/claude: {why}")
    assert "volume" in (finding.remedy or "")


@pytest.mark.parametrize(
    ("phase", "name", "remedy"),
    [
        ("Lost", "home", "PersistentVolume is gone"),
        ("Pending", "cache", "storage class"),
        ("", "home", "Create it"),
        ("", "", "outlives"),
    ],
)
def test_the_remedy_fits_what_is_wrong_with_the_claim(phase: str, name: str, remedy: str) -> None:
    claims = [Claim(name, phase)] if phase else []
    finding = judge_claims(claims, Target(), frozenset({name} - {""}))
    assert remedy in (finding.remedy or "")
    assert "home directory is on this volume" not in (finding.remedy or "")
    assert (finding.run or "").endswith(f"describe pvc {name}" if phase else "get pvc")


@pytest.mark.parametrize(
    ("used", "verdict"),
    [(79, Verdict.OK), (80, Verdict.WARN), (89, Verdict.WARN), (90, Verdict.FAIL), (100, Verdict.FAIL)],
)
def test_thresholds_are_reached_at_their_value(used: int, verdict: Verdict) -> None:
    text = f"{HEAD}/dev/sdb 100 {used} {100 - used} {used}% /home/claude"
    assert judge_disk("/home/claude", ExecResult(text, "", 0), StorageSpec()).verdict is verdict


@given(st.integers(0, 10**12), st.integers(0, 10**12))
def test_percent_is_between_0_and_100_and_full_only_when_rounding_up(used: int, free: int) -> None:
    percent = DiskUse("/", used + free, used, free).percent
    assert 0 <= percent <= 100
    assert used + free == 0 or percent * (used + free) >= used * 100


def test_reserved_blocks_are_not_counted_as_usable() -> None:
    assert DiskUse("/", 100, 90, 5).percent == 95


def test_claims_must_be_bound_and_there_must_be_one() -> None:
    bound = Claim("home", "Bound", 20 * 1024**3, "longhorn")
    assert judge_claims([bound], Target()).summary == "home is bound, 20 GiB"
    assert judge_claims([bound, bound], Target()).summary == "all 2 claims are bound"
    lost = Claim("data", "Lost")
    finding = judge_claims([bound, lost], Target(), frozenset({"home", "data"}))
    assert (finding.verdict, finding.summary) == (Verdict.FAIL, "data is Lost")
    assert finding.evidence == ("data: Lost", "home: Bound, 20 GiB, longhorn")
    assert judge_claims([], Target()).summary == "there is no PersistentVolumeClaim"


def test_only_the_claims_that_the_pod_uses_are_judged() -> None:
    bound, stranger = Claim("home", "Bound", 20 * 1024**3), Claim("somebody-elses", "Pending")
    finding = judge_claims([bound, stranger], Target(), frozenset({"home"}))
    assert (finding.verdict, finding.summary) == (Verdict.OK, "home is bound, 20 GiB")
    assert "somebody" not in "".join(finding.evidence)
    unknown = judge_claims([bound, stranger], Target(), None)
    assert (unknown.verdict, unknown.summary) == (
        Verdict.UNKNOWN,
        "somebody-elses is Pending: whether the pod uses it is not known",
    )
    absent = judge_claims([stranger], Target(), frozenset({"home"}))
    assert (absent.verdict, absent.summary) == (
        Verdict.FAIL,
        "there is no PersistentVolumeClaim home, which the pod uses",
    )
    none = judge_claims([stranger], Target(), frozenset())
    assert (none.verdict, none.summary) == (Verdict.FAIL, "the pod uses no PersistentVolumeClaim")


def test_du_gives_the_largest_without_the_home_itself() -> None:
    text = "4\t/h/a\n8\t/h/b c\ndu: cannot read '/h/x'\n8\t/h/aa/\n20\t/h\n"
    assert parse_du(text, "/h/") == [("/h/aa", 8192), ("/h/b c", 8192), ("/h/a", 4096)]
    assert parse_du(text, "/h", top=1) == [("/h/aa", 8192)]
    assert parse_du("", "/h") == []


@given(st.text())
def test_no_text_breaks_the_parsers(text: str) -> None:
    parse_df(text)
    parse_du(text, "/home")


ROOM = ExecResult(f"{HEAD}/dev/sdb 1000 400 600 40% /home/claude\n", "", 0)
INODES = "Filesystem Inodes IUsed IFree IUse% Mounted on\n"


def counted(row: str) -> ExecResult:
    return ExecResult(f"{INODES}/dev/sdb {row} /home/claude\n", "", 0)


@pytest.mark.parametrize(
    ("row", "verdict", "summary"),
    [
        ("1000 1000 0 100%", Verdict.FAIL, "/home/claude: no inodes left (100 %)"),
        ("100000 99999 1 100%", Verdict.FAIL, "/home/claude: 100 % of the inodes are used, 1 left"),
        ("100000 96000 4000 96%", Verdict.FAIL, "/home/claude: 96 % of the inodes are used, 4,000 left"),
        ("1000 890 110 89%", Verdict.WARN, "/home/claude: 89 % of the inodes are used, 110 left"),
        ("1000 120 880 12%", Verdict.OK, "40 % used, 600 KiB free of 1000 KiB"),
        ("0 0 0 -", Verdict.OK, "40 % used, 600 KiB free of 1000 KiB"),
    ],
)
def test_a_disk_without_free_inodes_is_full(row: str, verdict: Verdict, summary: str) -> None:
    found = judge_disk("/home/claude", ROOM, StorageSpec(), counted(row))
    assert (found.verdict, found.summary) == (verdict, summary)
    assert verdict is Verdict.OK or "bytes are not what is missing: 600 KiB free of 1000 KiB" in found.evidence


@pytest.mark.parametrize(
    "said",
    [
        None,
        ExecResult("", "df: unrecognized option: i", 1),
        ExecResult("nothing of use", "", 0),
        ExecResult(f"{HEAD}/dev/sdb 1000 980 20 98% /home/claude\n", "", 0),
    ],
)
def test_without_inode_counts_inodes_are_unknown(said: ExecResult | None) -> None:
    blocks = ExecResult(f"{HEAD}/dev/sdb 1000 980 20 98% /home/claude\n", "", 0)
    assert (
        judge_disk("/home/claude", blocks, StorageSpec(), said).summary == "the disk of /home/claude is 98 % full"
    )


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("3276800 3276800 0 100%", "no room for another file: all 3,276,800 inodes are used"),
        ("1000 890 110 89%", "890 files and folders, and room for 110 more"),
    ],
)
def test_the_evidence_says_how_many_files_there_is_room_for(row: str, said: str) -> None:
    assert judge_disk("/home/claude", ROOM, StorageSpec(), counted(row)).evidence[0] == said


def test_the_worse_of_bytes_and_inodes_is_the_cause_and_bytes_on_a_tie() -> None:
    full = ExecResult(f"{HEAD}/dev/sdb 1000 990 10 99% /home/claude\n", "", 0)
    assert judge_disk("/home/claude", full, StorageSpec(), counted("9 9 0 100%")).summary.endswith("99 % full")
    filling = ExecResult(f"{HEAD}/dev/sdb 1000 890 110 89% /home/claude\n", "", 0)
    assert "no inodes left" in judge_disk("/home/claude", filling, StorageSpec(), counted("9 9 0 100%")).summary
