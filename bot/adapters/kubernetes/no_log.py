"""Recognises a kubelet's error sentence in place of a log: without a log it often answers 200 all the same. Pure.

The sentences are those of the kubelet (``pkg/kubelet/kuberuntime``, ``pkg/kubelet/kubelet_pods.go``), of the CRI
log reader (``k8s.io/cri-client/pkg/logs``) and of container runtimes.
"""

from __future__ import annotations

import re

from bot.domain.core import words
from bot.errors import AgentpodError, NotFound, Transient

_LONGEST = 2_000
"""Maximum bytes of such a sentence: a longer response is a log."""
_NAME = r'"[^"]{0,300}"'
_GONE = re.compile(
    r"unable to retrieve container logs for [a-z][a-z0-9.-]*://\S*"
    r"|failed to try resolving symlinks in path .*"
    rf"|failed to (?:open|read|seek|stat|find|reopen|tail) (?:the )?log(?:s| file)?\b.*"
    r"|unable to (?:open|read) (?:the )?log(?:s| file)?\b.*"
    r"|rpc error: code = \w+ desc = .*\b(?:container|log)s?\b.*"
    r"|Error response from daemon: (?:No such container|configured logging driver|can not get logs).*"
    r"|Error grabbing logs: .*"
    rf"|(?:previous terminated )?container {_NAME} (?:in pod {_NAME} )?"
    r"(?:not found|is terminated|is not available).*"
    r"|container not found.*"
    r"|the (?:log file|logs?) (?:was|were|has been|have been) (?:truncated|rotated|removed|deleted).*",
    re.IGNORECASE,
)
_LATER = re.compile(
    rf"failed to create fsnotify watch(?:er)?: .*|container {_NAME} in pod {_NAME} is waiting to start.*"
    r"|.*too many open files.*",
    re.IGNORECASE,
)
_BECAUSE = (
    ("no such file", "its file is gone from the node"),
    ("unable to retrieve container logs", "its file is gone from the node"),
    ("waiting to start", "the container has not started yet"),
    ("too many open files", "the node has too many open files"),
    ("logging driver", "the node's runtime keeps no logs that can be read"),
    ("not found", "the node does not know the container any more"),
    ("no such container", "the node does not know the container any more"),
)


def explain(body: bytes, container: str, *, previous: bool, tail: int | None) -> AgentpodError | None:
    """Return the error that a response contains; None for a log.

    A container may log the same words: so they must be the whole response, and where one line was requested
    (``tail`` 1), it must lack the line feed that ends a log's line.
    """
    if len(body) > _LONGEST or (tail == 1 and body.endswith(b"\n")):
        return None
    return of_sentence(body.decode("utf-8", "replace").strip(), container, previous=previous)


def of_sentence(said: str, container: str, *, previous: bool) -> AgentpodError | None:
    """Return the error for a kubelet's sentence; None for any other text."""
    if len(said) > _LONGEST or "\n" in said:
        return None
    later = _LATER.fullmatch(said) is not None
    if not later and _GONE.fullmatch(said) is None:
        return None
    of = f"the run of {container} before this one" if previous else container
    lowered = said.lower()
    why = next((why for part, why in _BECAUSE if part in lowered), "the node can't read it")
    message = f"There is no log of {of}: {why} (the kubelet says: {words.cut(said, 300)})."
    if later:
        return Transient(message, remedy="Try again in a moment.")
    return NotFound(
        message, remedy="What it logged is lost here; `/agentpod events` and `/agentpod pods` say how it ended."
    )
