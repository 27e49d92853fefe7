"""The handbook's kubectl lines, run with the real kubectl."""

from __future__ import annotations

import pytest

from sandbox.breaks import Breaks

DEPLOY = ("deploy/secure-agent-pod", "-c", "kali")


async def test_get_pods_wide_shows_one_ready_pod_on_its_node(kubectl):
    lines = (await kubectl("get", "pods", "-o", "wide")).out.splitlines()
    assert lines[0].split()[:5] == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert len(lines) == 2
    assert lines[1].split()[1:5] == ["1/1", "Running", "0", "6h51m"]
    assert "gpu-1" in lines[1]


async def test_describe_shows_conditions_and_events(kubectl):
    out = (await kubectl("describe", "pod", "-l", "app=secure-agent-pod")).out
    for words in ("Controlled By:  ReplicaSet/secure-agent-pod-", "ContainersReady   True", "Started    "):
        assert words in out


async def test_services_show_the_handbooks_addresses(kubectl):
    out = (await kubectl("get", "svc")).out
    assert "192.168.55.215   22:31022/TCP" in out
    assert "192.168.55.218   8081:31081/TCP" in out


@pytest.mark.parametrize(
    "words",
    [
        "get all",
        "get pvc",
        "get events",
        "get nodes",
        "get secrets",
        "get endpointslices",
        "describe deploy",
        "get applications -n argocd",
        "auth can-i --list",
        "auth whoami",
        "api-resources",
        "version",
    ],
)
async def test_line_succeeds(kubectl, words):
    answer = await kubectl(*words.split())
    assert answer.code == 0, answer.err
    assert answer.out


async def test_logs_tail_gives_exactly_that_many_lines(kubectl):
    out = (await kubectl("logs", *DEPLOY, "--tail=3")).out
    assert len(out.splitlines()) == 3


async def test_exec_says_who_runs(kubectl):
    assert (await kubectl("exec", *DEPLOY, "--", "id")).out.startswith("uid=1000(claude) gid=1000(claude)")


async def test_exec_ps_has_the_handbooks_columns(kubectl):
    lines = (await kubectl("exec", *DEPLOY, "--", "ps", "-eo", "pid,user,etime,cmd")).out.splitlines()
    assert lines[0] == "    PID USER         ELAPSED CMD"
    assert lines[1].startswith("      1 claude      06:51:")
    assert len(lines) > 40


async def test_exec_passes_the_exit_code_on(kubectl):
    answer = await kubectl("exec", *DEPLOY, "--", "sh", "-c", "echo out; nothing; exit 3")
    assert (answer.code, answer.out) == (3, "out\n")
    assert "sh: 1: nothing: not found" in answer.err


async def test_exec_reads_standard_input_to_its_end(kubectl):
    answer = await kubectl("exec", "-i", *DEPLOY, "--", "cat", stdin=b"hello\n")
    assert answer.out == "hello\n"


async def test_exec_of_a_missing_program_is_the_runtimes_error(kubectl):
    answer = await kubectl("exec", *DEPLOY, "--", "strace")
    assert answer.code == 1
    assert 'exec: "strace": executable file not found in $PATH: unknown' in answer.err


async def test_rollout_restart_replaces_the_pod(kubectl):
    before = (await kubectl("get", "pods", "-o", "name")).out
    await kubectl("rollout", "restart", "deployment/secure-agent-pod")
    assert "successfully rolled out" in (await kubectl("rollout", "status", "deploy/secure-agent-pod")).out
    after = (await kubectl("get", "pods", "-o", "name")).out
    assert len(after.splitlines()) == 1
    assert after != before


async def test_keys_are_replaced_as_in_the_handbook(kubectl, tmp_path):
    key = tmp_path / "key.pub"
    key.write_text("ssh-ed25519 AAAA new\n")
    made = await kubectl(
        *("create", "secret", "generic", "agent-ssh-keys", f"--from-file=authorized_keys={key}"),
        *("--dry-run=client", "-o", "yaml"),
    )
    applied = await kubectl("apply", "-f", "-", stdin=made.out.encode())
    assert "configured" in applied.out, applied.err
    shown = await kubectl("get", "secret", "agent-ssh-keys", "-o", "jsonpath={.data.authorized_keys}")
    assert shown.out == "c3NoLWVkMjU1MTkgQUFBQSBuZXcK"


async def test_the_bot_is_refused_what_its_role_does_not_give(kubectl):
    answer = await kubectl("get", "nodes", user="agentpod")
    assert answer.code == 1
    assert (
        'nodes is forbidden: User "system:serviceaccount:secure-agent-pod:agentpod" cannot list resource '
        '"nodes" in API group "" at the cluster scope'
    ) in answer.err


async def test_a_crash_loop_shows_in_status_and_in_previous_logs(kubectl, breaks: Breaks):
    await breaks.apply("pod-crash", True)
    assert "CrashLoopBackOff" in (await kubectl("get", "pods")).out
    assert "Download failed" in (await kubectl("logs", *DEPLOY, "--previous")).out
    assert "BackOff" in (await kubectl("get", "events")).out


async def test_scaling_as_in_the_remedy_works(kubectl):
    scale = ("scale", "deployment", "secure-agent-pod")
    assert (await kubectl(*scale, "--replicas=0")).code == 0
    assert "0/0" in (await kubectl("get", "deploy")).out
    assert "No resources" in (await kubectl("get", "pods")).err
    refused = await kubectl(*scale, "--current-replicas=3", "--replicas=1")
    assert "Expected replicas to be 3, was 0" in refused.err
    assert (await kubectl(*scale, "--current-replicas=0", "--replicas=1")).code == 0
    assert "1/1" in (await kubectl("get", "deploy")).out


async def test_a_negative_scale_is_refused_by_the_api_server(kubectl):
    patch = ("patch", "deployment", "secure-agent-pod", "--subresource=scale", "--type=merge", "-p")
    answer = await kubectl(*patch, '{"spec": {"replicas": -1}}')
    assert "must be greater than or equal to 0" in answer.err
