"""What happened yesterday in the sandbox that people use: a job fell silent, and the pod was restarted.

The sandbox starts with a pod that has run since then, and says so in a file, from which `recorded_day` writes what
the bot would have recorded.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

from sandbox.cluster import kinds, objects
from sandbox.cluster.rbac import NAMESPACE
from sandbox.cluster.store import Store

VARIABLE = "SANDBOX_YESTERDAY"
"""The environment variable that names the file to the bot."""
RESTARTED = time(16, 30, 2)
"""When the old pod was deleted (UTC)."""
OLD_POD = ("x7k2p", "5b0c8a1e-6a52-4d0e-9a35-0d1f3c7e2b44")
"""End of its name, and uid."""


def pod_since(now: datetime) -> datetime:
    """When the pod that runs now was created: yesterday."""
    return datetime.combine(now.date() - timedelta(days=1), RESTARTED, UTC)


def read_facts(file: Path) -> dict[str, Any]:
    """Read what `write_facts` wrote."""
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def write_facts(file: Path, store: Store, born: datetime) -> None:
    """Write the pods and the Deployment of yesterday's restart."""
    [pod] = store.list(kinds.POD, NAMESPACE)
    deployment = store.get(kinds.DEPLOYMENT, NAMESPACE, objects.APP)
    assert deployment is not None  # noqa: S101 - the simulation has seeded it
    name = pod["metadata"]["name"]
    facts: dict[str, Any] = {
        "restarted": born.isoformat(),
        "deployment": deployment["metadata"]["uid"],
        "generation": deployment["metadata"]["generation"],
        "images": {c["name"]: c["image"] for c in pod["spec"]["containers"]},
        "old": [f"{name.rpartition('-')[0]}-{OLD_POD[0]}", OLD_POD[1]],
        "new": [name, pod["metadata"]["uid"]],
    }
    file.write_text(json.dumps(facts), encoding="utf-8")
