"""A kubelet's error message in place of a log is an error, but a container may print the same words."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.errors import NotFound, Transient
from tests.adapters.kube_bench import api_status, fixed, serving, talking_to

GONE = "its file is gone from the node"
FORGOTTEN = "the node does not know the container any more"
PATH = "/var/log/pods/ns_pod_uid/kali/0.log"
SENTENCES = {
    "unable to retrieve container logs for containerd://4f2a": GONE,
    "unable to retrieve container logs for cri-o://4f2a": GONE,
    f'failed to try resolving symlinks in path "{PATH}": lstat {PATH}: no such file or directory': GONE,
    f'failed to open log file "{PATH}": open {PATH}: no such file or directory': GONE,
    f'failed to read log file "{PATH}": read {PATH}: stale NFS file handle': "the node can't read it",
    'rpc error: code = NotFound desc = an error occurred when try to find container "4f2a": not found': FORGOTTEN,
    "rpc error: code = Unknown desc = Error: No such container: 4f2a": FORGOTTEN,
    "Error response from daemon: No such container: 4f2a": FORGOTTEN,
    "Error response from daemon: configured logging driver does not support reading": "keeps no logs",
    'container "kali" in pod "secure-agent-pod" not found': FORGOTTEN,
    'previous terminated container "kali" in pod "secure-agent-pod" not found': FORGOTTEN,
    'container "kali" in pod "secure-agent-pod" is terminated': "the node can't read it",
    "the log file has been rotated while it was read": "the node can't read it",
}


@pytest.mark.parametrize("sentence", SENTENCES)
@pytest.mark.parametrize("ending", ["", "\n"])
async def test_a_kubelet_s_error_message_is_not_returned_as_a_log(
    sentence: str, ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = fixed(200, (sentence + ending).encode())
    async with serving(answer) as port, talking_to(port, tmp_path, monkeypatch) as cluster:
        with pytest.raises(NotFound) as caught:
            await cluster.logs("p", "kali")
        assert caught.value.message.startswith("There is no log of kali: ")
        assert SENTENCES[sentence] in caught.value.message
        assert sentence[:40] in caught.value.message
        with pytest.raises(NotFound, match="the run of kali before this one"):
            await cluster.logs("p", "kali", previous=True)


@pytest.mark.parametrize("sentence", list(SENTENCES)[:3])
@pytest.mark.parametrize("code", [400, 404, 500])
async def test_a_lost_log_reported_as_an_api_error_is_not_found(
    sentence: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = fixed(code, api_status(sentence))
    async with serving(answer) as port, talking_to(port, tmp_path, monkeypatch) as cluster:
        with pytest.raises(NotFound, match=GONE):
            await cluster.logs("p", "kali")


@pytest.mark.parametrize(
    "sentence",
    [
        "failed to create fsnotify watcher: too many open files",
        'container "kali" in pod "p" is waiting to start: ContainerCreating',
    ],
)
async def test_a_temporary_kubelet_error_is_transient(
    sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = fixed(200, sentence.encode())
    async with serving(answer) as port, talking_to(port, tmp_path, monkeypatch) as cluster:
        with pytest.raises(Transient, match="There is no log of kali"):
            await cluster.logs("p", "kali")


SAID = "unable to retrieve container logs for containerd://4f2a"


@pytest.mark.parametrize(
    ("body", "tail", "lines"),
    [
        (f"starting\n{SAID}\n", None, ("starting", SAID)),
        (f"{SAID}\n{SAID}\n", None, (SAID, SAID)),
        (f"{SAID}\n", 1, (SAID,)),
        (f"collector: {SAID}\n", None, (f"collector: {SAID}",)),
        (f"{SAID} (will retry)\n", None, (f"{SAID} (will retry)",)),
        ("rpc error: code = Unavailable desc = connection refused\n", None, None),
        ("", None, ()),
        ("\n", None, ("",)),
        (f"failed to open log file {'x' * 3000}", None, (f"failed to open log file {'x' * 3000}",)),
    ],
)
async def test_a_container_may_print_the_same_words(
    body: str, tail: int | None, lines: tuple[str, ...] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        serving(fixed(200, body.encode())) as port,
        talking_to(port, tmp_path, monkeypatch) as cluster,
    ):
        found = await cluster.logs("p", "kali", tail=tail)
    assert found.lines == (lines if lines is not None else (body.rstrip(),))
