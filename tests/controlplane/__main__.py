"""`make cluster`: the control plane with the agent pod in it, for trying things by hand until Ctrl-C."""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType

from tests.controlplane.agent_pod import KUBECTL, AgentPod
from tests.controlplane.build import CannotBuild, ensure
from tests.controlplane.plane import Plane


def main() -> int:
    """Run until Ctrl-C; returns the exit code."""
    stop = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    try:
        binaries = ensure()
    except CannotBuild as error:
        sys.stderr.write(f"agentpod: no control plane: {error}\n")
        return 1
    with Plane(binaries) as plane:
        pod = AgentPod(plane).create()
        pod.install_argocd()
        _say(plane, pod)
        stop.wait()
    return 0


def _say(plane: Plane, pod: AgentPod) -> None:
    admin, bot = plane.folder / "admin.kubeconfig", pod.kubeconfig()
    version = plane.call("GET", "/version")["gitVersion"]
    sys.stdout.write(
        f"""
  Kubernetes {version} runs on {plane.url}, with the agent pod in the namespace {pod.namespace}.

    as administrator        export KUBECONFIG={admin}
    with the bot's rights   export KUBECONFIG={bot}

    the product on it       make sandbox ARGS="--kubeconfig {bot}"
    another state           {KUBECTL} annotate pod -l app={pod.namespace} --overwrite \\
                              controlplane.test/pod=crash-loop
                            (ready, slow, not-ready, crash-loop, oom-killed, config-error)

  Ctrl-C ends it and drops everything.

"""
    )
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
