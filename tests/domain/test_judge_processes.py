"""Processes: what runs, as opposed to what only mentions a name; from real process lists."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.core.probes import Verdict
from bot.domain.core.target import ProcessRule
from bot.domain.core.workload import ExecResult
from bot.domain.health.command_line import program
from bot.domain.health.judge_processes import (
    Match,
    Process,
    container_missing,
    describe,
    find_expected,
    judge_processes,
    matches,
    parse_elapsed,
    parse_ps,
    scan,
)
from tests import handbook

# The handbook's own listings ("Observing State").
HANDBOOK_AUX = """\
USER       PID  COMMAND
claude       1  /tini -- /opt/entrypoint.sh
claude       7  /bin/bash /opt/entrypoint.sh
claude      12  sshd: /usr/sbin/sshd -f /opt/sshd_config -D [listener]
claude      13  supercronic /opt/crontab
claude      14  node /usr/bin/vibe-kanban
"""
HANDBOOK_EO = """\
    PID USER         ELAPSED CMD
      1 claude       06:51:01 tini -- /entrypoint.sh
      7 claude       06:51:00 /bin/bash /entrypoint.sh
     61 claude       06:51:00 sshd: /usr/sbin/sshd -f /opt/sshd_config -D [listener] 0 of 10-100 startups
     62 claude       06:51:00 supercronic -passthrough-logs /opt/crontab
     63 claude     1-06:51:00 node /usr/local/bin/vibe-kanban
"""
FULL_AUX = """\
Defaulted container "kali" out of: kali, sidecar
USER         PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND
claude         1  0.0  0.0   2280  1280 ?        Ss   15:50   0:00 bash /entrypoint.sh
claude        61  0.0  0.0  15436  9216 ?        S    15:50   0:00 sshd: /usr/sbin/sshd -D [listener] 0 of 10-100
claude        62  0.1  0.1 123456 20480 ?        Sl   15:50   0:09 /usr/local/bin/supercronic /opt/crontab
claude        63  1.0  2.1 923456 99480 ?        Sl   15:50   1:09 /usr/bin/node /usr/bin/vibe-kanban --port 8081
claude        99  0.0  0.0   9876  3210 pts/0    R+   22:41   0:00 ps aux
"""
SPEC = handbook.CONTAINER


def missing(text: str) -> list[str]:
    return [m.name for m in find_expected(SPEC, parse_ps(text)) if not m.found]


@pytest.mark.parametrize("text", [HANDBOOK_AUX, HANDBOOK_EO, FULL_AUX])
def test_the_handbooks_healthy_listings_are_healthy(text: str) -> None:
    assert missing(text) == []
    finding = judge_processes(find_expected(SPEC, parse_ps(text)), handbook.TARGET)
    assert finding.verdict is Verdict.OK
    assert finding.summary == "sshd, supercronic and vibe-kanban run"


@pytest.mark.parametrize("name", ["sshd", "supercronic", "vibe-kanban"])
@pytest.mark.parametrize("text", [HANDBOOK_AUX, HANDBOOK_EO, FULL_AUX])
def test_each_process_is_missing_without_its_line(text: str, name: str) -> None:
    kept = "\n".join(line for line in text.splitlines() if name not in line)
    assert missing(kept) == [name]
    finding = judge_processes(find_expected(SPEC, parse_ps(kept)), handbook.TARGET)
    assert (finding.verdict, finding.summary) == (Verdict.FAIL, f"{name} is not running")
    assert finding.evidence[0] == f"{name}: not found"


@pytest.mark.parametrize(
    "decoy",
    [
        "grep sshd",
        "grep --color=auto -i sshd",
        "sudo grep sshd",
        "ps aux | grep sshd",
        "bash -c ps aux | grep sshd",
        "sh -lc /usr/sbin/sshd",
        "vim /etc/ssh/sshd_config",
        "vim /usr/sbin/sshd",
        "nano sshd",
        "less /var/log/sshd",
        "tail -f /var/log/sshd",
        "pgrep sshd",
        "timeout 5 tail -f sshd",
        "/usr/bin/env LESS=x less sshd",
        "sshd: claude@pts/0",
        "sshd: claude [priv]",
        "sshd-session: claude@notty",
        "sshd-auth: claude [net]",
        "[sshd] <defunct>",
        "sshd <defunct>",
        "[sshd]",
        "sshd-keygen-wrapper",
        "/opt/sshd/bin/other",
        "my-sshd",
        "python3 /home/claude/watch.py sshd",
        "node /home/claude/sshd-viewer.js",
        "claude --resume fix sshd",
        "tmux new -s sshd",
        "ssh sshd",
        "s6-supervise sshd",
        "runsv sshd",
        "tini -- /usr/sbin/sshd -D",
        "node -e sshd",
        "node -r sshd /opt/x.js",
        "node --require sshd",
        "python -c sshd",
        "python -m pytest sshd",
        "npm run sshd",
        "npx -p sshd other",
        "git sshd",
        "bash -o pipefail -c sshd",
        "bash -euc sshd",
        "-bash",
        "sudo -u sshd /bin/true",
        "{grep} sshd",
        "{sshd} sshd: claude@pts/0",
        "{sshd",
        "busybox grep sshd",
        "watch sshd",
        "hx sshd",
        "sshd.bak",
        "sshd-linux-viewer",
        "sshd-2",
        "sshd-1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.16.17.18.19.x",
        "",
        "   ",
        "sudo",
        "timeout 5",
    ],
)
def test_a_mere_mention_of_sshd_is_not_sshd(decoy: str) -> None:
    assert not matches(ProcessRule.named("sshd"), decoy)


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("sshd", "sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups"),
        ("sshd", "sshd: [listener] 1 of 10-100 startups"),
        ("sshd", "/usr/sbin/sshd -D -e"),
        ("sshd", "sshd"),
        ("sshd", "sudo -E /usr/sbin/sshd -D"),
        ("supercronic", "supercronic /opt/crontab"),
        ("supercronic", "/usr/local/bin/supercronic -debug /opt/crontab"),
        ("supercronic", "nice -n 10 supercronic /opt/crontab"),
        ("supercronic", "setsid nohup supercronic /opt/crontab"),
        ("supercronic", "/opt/supercronic-linux-amd64 /opt/crontab"),
        ("supercronic", "/opt/supercronic-v0.2.33-linux-arm64 -debug /opt/crontab"),
        ("kubectl-agent", "kubectl-agent_1.30.2_Linux_x86_64 serve"),
        ("proxy", "nice ./proxy-aarch64-unknown-linux-musl"),
        ("vibe-kanban", "node /usr/bin/vibe-kanban"),
        ("vibe-kanban", "node --max-old-space-size=512 /usr/bin/vibe-kanban"),
        ("vibe-kanban", "/usr/bin/node20 /usr/bin/vibe-kanban"),
        ("vibe-kanban", "env PORT=8081 HOST=0.0.0.0 vibe-kanban"),
        ("vibe-kanban", "npx vibe-kanban"),
        ("vibe-kanban", "npx -y vibe-kanban"),
        ("vibe-kanban", "sh /usr/bin/vibe-kanban"),
        ("vibe-kanban", "node -r ./tracing.js bin/vibe-kanban"),
        ("vibe-kanban", "node --require a.js --import b.mjs -C dev --title x bin/vibe-kanban --port 1"),
        ("vibe-kanban", "node --require=./tracing.js --inspect bin/vibe-kanban"),
        ("vibe-kanban", "/usr/bin/node -- /opt/vibe-kanban.mjs"),
        ("vibe-kanban", "npx --yes -p vibe-kanban@1 vibe-kanban@latest"),
        ("vibe-kanban", "npm exec vibe-kanban"),
        ("vibe-kanban", "pnpm dlx vibe-kanban"),
        ("vibe-kanban", "bun run vibe-kanban"),
        ("vibe-kanban", "deno run -A --config d.json vibe-kanban.ts"),
        ("vibe-kanban", "python3.11 -m vibe_kanban --port 1"),
        ("vibe-kanban", "python -um vibe_kanban.cli"),
        ("vibe-kanban", "python -W ignore -X dev /opt/vibe-kanban.py"),
        ("vibe-kanban", "uv run --with x vibe-kanban"),
        ("vibe-kanban", "java -Xmx1g -cp /a:/b -jar /opt/vibe-kanban.jar"),
        ("vibe-kanban", "perl -I lib -w /opt/vibe-kanban"),
        ("vibe-kanban", "bash --norc -eu -o pipefail /usr/bin/vibe-kanban"),
        ("vibe-kanban", "{vibe-kanban} /usr/bin/env node /usr/bin/vibe-kanban"),
        ("vibe-kanban", "{vibe-kanban} /bin/sh /opt/start"),
        ("vibe-kanban", "{node} node /usr/bin/vibe-kanban"),
        ("vibe-kanban", "busybox sh /usr/bin/vibe-kanban"),
        ("supercronic", "/usr/bin/qemu-x86_64-static /usr/bin/supercronic /opt/crontab"),
        ("sshd", "/lib64/ld-linux-x86-64.so.2 --library-path /x /usr/sbin/sshd -D"),
        ("sshd", "sudo -u root -g root /usr/sbin/sshd -D"),
        ("sshd", "timeout -s KILL -k 5 1h /usr/sbin/sshd -D"),
        ("sshd", "ionice -c 2 -n 7 nice -n 5 stdbuf -o L taskset 0x3 /usr/sbin/sshd -D"),
        ("sshd", "env -u X -C / A=b /usr/sbin/sshd -D"),
        ("sshd", "gosu root /usr/sbin/sshd -D"),
        ("tmux", "tmux new -s main"),
        ("a-process-with-a-long-name", "{a-process-with-} /proc/self/exe"),
    ],
)
def test_the_program_itself_is_found_however_it_was_started(name: str, command: str) -> None:
    assert matches(ProcessRule.named(name), command)


def test_a_regular_expression_is_searched_in_the_whole_command_line_but_not_in_tools() -> None:
    rule = ProcessRule(name="listener", match=r"sshd.*-p 2222")
    assert matches(rule, "/usr/sbin/sshd -D -p 2222")
    assert not matches(rule, "/usr/sbin/sshd -D -p 22")
    assert not matches(rule, "grep sshd -p 2222")


def test_a_tool_that_is_expected_is_found_by_its_rule() -> None:
    rule = ProcessRule(name="tmux", match=r"tmux.* -s main")
    assert matches(rule, "tmux new -s main")
    assert not matches(rule, "grep tmux new -s main")


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\r"])
def test_a_process_cannot_write_rows_of_its_own(separator: str) -> None:
    text = f"PID USER CMD\n5 claude ./x a{separator}61 claude sshd -D{separator}62 claude supercronic x\n"
    assert missing(text) == ["sshd", "supercronic", "vibe-kanban"]


@pytest.mark.parametrize(
    "row", ["² claude x", "٣ claude x", f"{'9' * 5000} claude x", "-1 claude x", "1_0 claude x"]
)
def test_a_malformed_row_does_not_affect_the_others(row: str) -> None:
    assert missing(f"{HANDBOOK_EO}{row}\n") == []


@pytest.mark.parametrize("elapsed", ["9" * 5000 + ":00", "²:00", "999999999999-00:00:00"])
def test_an_invalid_elapsed_time_is_unknown(elapsed: str) -> None:
    assert parse_ps(f"PID USER ELAPSED CMD\n1 u {elapsed} sshd -D\n")[0].elapsed is None


def test_a_truncated_list_proves_no_absence() -> None:
    cut = ExecResult("PID USER CMD\n1 claude sshd -D\n", "", None, truncated=True)
    looked = scan(SPEC, cut)
    assert [m.name for m in looked.matches] == ["sshd"]
    assert "too long to be read whole" in looked.unknown
    assert "supercronic and vibe-kanban may run or not" in looked.unknown
    whole = scan(SPEC, ExecResult(HANDBOOK_EO, "", None, truncated=True))
    assert (len(whole.matches), whole.unknown) == (3, "")


@pytest.mark.parametrize(
    "line",
    ["x " * 4096, "sudo " * 1600, "env " + "a=b " * 2000, "node " + "-x " * 2700, "node" + "1." * 4000 + "x"],
)
def test_parsing_time_does_not_depend_on_the_words(line: str) -> None:
    assert not matches(ProcessRule.named("sshd"), line)
    assert len(program(line).names) <= 2


def test_an_sshd_session_does_not_count_as_the_listener() -> None:
    text = "PID USER CMD\n1 claude tini -- /entrypoint.sh\n70 claude sshd: claude@pts/0\n71 claude -bash\n"
    assert "sshd" in missing(text)


def test_many_child_processes_neither_hide_nor_replace_a_process() -> None:
    children = "".join(f"  {n} claude 00:01 node /home/claude/src/agent-{n}.js sshd\n" for n in range(100, 180))
    assert missing(HANDBOOK_EO + children) == []
    gone = "\n".join(line for line in HANDBOOK_EO.splitlines() if "[listener]" not in line)
    assert missing(gone + "\n" + children) == ["sshd"]


def test_of_several_matches_the_oldest_is_named() -> None:
    text = "PID USER ELAPSED CMD\n90 claude 00:05 supercronic x\n62 claude 06:51:00 supercronic x\n"
    match = next(m for m in find_expected(SPEC, parse_ps(text)) if m.name == "supercronic")
    assert [p.pid for p in match.found] == [62, 90]
    assert describe(match) == "supercronic: pid 62, for 6 h 51 min (and 1 more)"


def test_malformed_lines_are_skipped() -> None:
    text = "noise\nPID USER CMD\nx claude sshd\n12\n\n13 claude sshd -D  \n"
    assert parse_ps(text) == [Process(13, "claude", "sshd -D")]


@pytest.mark.parametrize("text", ["", "sh: ps: not found", "1 claude sshd", "PID USER"])
def test_without_a_header_nothing_is_read(text: str) -> None:
    assert parse_ps(text) == []


def test_busybox_lists_are_read() -> None:
    assert parse_ps("PID   USER     TIME  COMMAND\n    1 root      0:00 /sbin/init\n")[0].command == "/sbin/init"


@pytest.mark.parametrize(
    ("text", "elapsed"),
    [
        ("00:05", timedelta(seconds=5)),
        ("06:51:00", timedelta(hours=6, minutes=51)),
        ("3-01:02:03", timedelta(days=3, hours=1, minutes=2, seconds=3)),
        ("-", None),
        ("", None),
        ("5", None),
        ("1-02:03", None),
    ],
)
def test_elapsed_times_are_read(text: str, elapsed: timedelta | None) -> None:
    assert parse_elapsed(text) == elapsed


@given(st.integers(0, 999), st.integers(0, 23), st.integers(0, 59), st.integers(0, 59))
def test_every_elapsed_time_that_ps_writes_is_read(days: int, hours: int, minutes: int, seconds: int) -> None:
    text = f"{days}-{hours:02}:{minutes:02}:{seconds:02}" if days else f"{hours:02}:{minutes:02}:{seconds:02}"
    assert parse_elapsed(text) == timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


@given(st.text())
def test_no_text_breaks_the_parser(text: str) -> None:
    parse_ps(text)
    matches(ProcessRule.named("sshd"), text)


def test_several_containers_are_told_apart() -> None:
    found = [Match("kali", "sshd", ()), Match("proxy", "envoy", (Process(1, "u", "envoy"),))]
    finding = judge_processes(found, handbook.TARGET)
    assert finding.summary == "sshd in kali is not running"
    assert finding.evidence == ("sshd in kali: not found", "envoy in proxy: pid 1")


def test_a_missing_container_is_reported_with_the_existing_ones() -> None:
    finding = container_missing("processes", "Processes", [("kalli", ["kali", "proxy"])])
    assert (finding.verdict, finding.summary) == (Verdict.FAIL, "the pod has no container kalli")
    assert finding.evidence == ("it has kali and proxy",)


def test_nothing_expected_is_fine() -> None:
    assert judge_processes([], handbook.TARGET).verdict is Verdict.OK
