"""The files inside the simulated container."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from stat import S_IFREG

from sandbox.cluster.objects import HOME, PUBLIC_KEY

CRONTAB = """\
# min hour dom mon dow command (UTC)
*/5 * * * * /opt/scripts/session-manager.sh
0 4 * * * cd /home/claude/repos/willikins && git pull --ff-only && /opt/scripts/push-heartbeat.sh self_update
30 4 * * 0 claude update
0 8,11,14,17,20 * * 0,1,5,6 /opt/scripts/exercise-cron.sh
0 21 * * * /opt/scripts/audit-digest.sh
"""
SCRIPTS = (
    "audit-digest.sh",
    "exercise-cron.sh",
    "guardrails-hook.py",
    "notify-telegram.sh",
    "push-heartbeat.sh",
    "session-manager.sh",
)
KEYS_FILE, MOUNTED_KEYS = f"{HOME}/.ssh/authorized_keys", "/etc/agent/ssh-keys/authorized_keys"
"""The pod's own file of SSH keys, and the Secret's as it is mounted."""
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPHYXxQKfLRpuRdFymgx1hG+wfFkALC4/pqAY39D8Bi/ claude@sandbox\n"
NEW_HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDUGRSo1ed2x2eR7GbdfdEiCQuOWtGNwNL7wkhe5dyhE claude@sandbox\n"
HOST_KEY_FILE = f"{HOME}/.ssh-host-keys/ssh_host_ed25519_key.pub"
MOUNTS = f"""\
overlay / overlay rw,relatime 0 0
proc /proc proc rw,nosuid,nodev,noexec,relatime 0 0
/dev/longhorn/pvc-4b0f7c52 {HOME} ext4 rw,relatime 0 0
tmpfs {HOME}/.kube/configs tmpfs ro,relatime 0 0
"""


@dataclass(frozen=True)
class File:
    """A file's text, permissions and owner."""

    text: str
    mode: str = "-rw-r--r--"
    owner: str = "claude"
    changed: datetime | None = None
    """When it was written; None for what is there from the container's start on."""

    def stat(self, form: str, path: str, changed: datetime) -> str:
        """What ``stat -c`` prints for ``%a %f %u %g %U %s %Y %n``."""
        digits = (self.mode[start : start + 3] for start in (1, 4, 7))
        mode = "".join(
            str(sum(bit for bit, flag in zip((4, 2, 1), d, strict=True) if flag != "-")) for d in digits
        )
        values = {"%a": mode, "%U": self.owner, "%s": str(len(self.text.encode())), "%n": path}
        values["%Y"] = str(int((self.changed or changed).timestamp()))
        values["%f"] = f"{S_IFREG | int(mode, 8):x}"
        values["%u"] = values["%g"] = "0" if self.owner == "root" else "1000"
        return re.sub("%[afugUsnY]", lambda match: values[match[0]], form)


def image_crontab(*, wrong: bool = False) -> str:
    """The crontab that the image brings; ``wrong``: with a line that supercronic refuses."""
    return CRONTAB.replace("0 21 ", "0 25 ") if wrong else CRONTAB


def usual() -> dict[str, File]:
    """Path to file."""
    found = {
        f"{HOME}/.crontab": File(CRONTAB),
        f"{HOME}/.ssh/authorized_keys": File(PUBLIC_KEY, "-rw-------"),
        HOST_KEY_FILE: File(HOST_KEY),
        f"{HOME}/.cache/pip/selfcheck.json": File("{}"),
        f"{HOME}/.claude/settings.json": File("{}"),
        f"{HOME}/.vibe-kanban/db.sqlite": File("SQLite format 3"),
        f"{HOME}/.vscode-server/cli.log": File(""),
        f"{HOME}/repos/willikins/README.md": File("# willikins\n"),
        "/entrypoint.sh": File("#!/bin/bash\n", "-rwxr-xr-x", "root"),
        "/opt/sshd_config": File("Port 2222\nPermitRootLogin no\nPasswordAuthentication no\n", owner="root"),
        "/proc/mounts": File(MOUNTS, "-r--r--r--", "root"),
        "/etc/hostname": File("secure-agent-pod\n", owner="root"),
        "/etc/os-release": File('PRETTY_NAME="Kali GNU/Linux Rolling"\nID=kali\n', owner="root"),
    }
    for name in ("talosconfig", "kubeconfig", "omniconfig"):
        found[f"{HOME}/.kube/configs/{name}"] = File(f"# {name} of the sandbox\n", "-r--------")
    for name in SCRIPTS:
        found[f"/opt/scripts/{name}"] = File(f"#!/bin/sh\n# {name}\n", "-rwxr-xr-x", "root")
    return found


def children(files: Mapping[str, File], folder: str) -> list[str] | None:
    """The names in ``folder``; None when there is no such folder."""
    base = "/" if folder == "/" else folder.rstrip("/") + "/"
    names = {path[len(base) :].split("/", 1)[0] for path in files if path.startswith(base)}
    return sorted(names) if names else None


def expand(files: dict[str, File], word: str) -> list[str]:
    """Expand ``word`` as a shell's glob: the matching paths, or the word itself if none match."""
    if not any(char in word for char in "*?["):
        return [word]
    folder, _, pattern = word.rpartition("/")
    names = children(files, folder or "/") or []
    hidden = pattern.startswith(".")
    found = [n for n in names if fnmatch.fnmatchcase(n, pattern) and (hidden or not n.startswith("."))]
    return [f"{folder}/{name}" for name in found] or [word]
