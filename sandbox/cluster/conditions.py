"""The faults currently switched on: plain flags that the simulation and the server read."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class PodFaults:
    """Faults of the pod. The simulation acts on them in `Simulation.settle`."""

    crash: bool = False
    """The container ends shortly after each start."""
    pending: bool = False
    """The pod can't be scheduled."""
    none: bool = False
    """A quota refuses the ReplicaSet's pods."""
    two: bool = False
    """A second pod runs."""
    wrong_node: bool = False
    """The pod lands on gpu-2."""
    container_renamed: bool = False
    """The container has another name."""
    init_crash: bool = False
    """An init container is in CrashLoopBackOff."""
    sidecar: str = ""
    """The pod has a native sidecar: it runs (ready), crashes (crash) or hits its memory limit (oom)."""
    gate: bool = False
    """The pod has a readiness gate that nobody sets."""
    create_error: bool = False
    """The container can't be created: its name is reserved."""
    volume_held: bool = False
    """The volume is still attached to another node."""
    unready: bool = False
    """The readiness probe fails."""
    node_lost: bool = False
    """The node has stopped reporting."""
    root: bool = False
    """``id`` and ``ps`` say root."""
    disk_full: bool = False
    """The home is 97 % full."""
    no_inodes: bool = False
    """The home's file system has free space but no free inodes."""
    new_volume: bool = False
    """The home's volume was made anew, with other SSH host keys."""
    wrong_crontab: bool = False
    """A line of the crontab is wrong."""
    page: str = ""
    """How VibeKanban's page fails: ``down``, ``502`` or ``hangs``; empty for not at all."""
    no_ps: bool = False
    """The image has no ``ps``."""
    deaf: bool = False
    """The main process ignores signals."""
    old_mount: bool = False
    """Mounted Secrets are never refreshed, as with subPath."""
    exec_dies: bool = False
    """The connection of a command that ends its container breaks before the command's end is reported."""
    exec_hangs: bool = False
    """``exec`` connects and never sends anything."""
    log_gone: bool = False
    """The log file is gone from the node: the kubelet sends an error message in place of the log."""
    no_size: bool = False
    """``df`` reports no size for the home's file system."""
    noisy_logs: bool = False
    """The log has hostile lines: escape codes, markup, tokens."""
    killed: str = ""
    """This process is missing until the container starts again."""
    signed_in: bool = False
    """Somebody has signed in by SSH and works with claude."""
    hostile: str = ""
    """Hostile processes, started in the pod to attack whoever reads the process list."""


@dataclass
class ApiFaults:
    """Faults of the API server. Refused connections are a switch of the listener."""

    hang: bool = False
    unauthorized: bool = False
    forbidden: str = ""
    """The resource (``pods``, ``pods/exec``) that is forbidden for everybody, or ``*``."""
    not_found: bool = False
    expired: bool = False
    too_many: bool = False
    broken: bool = False
    echo: int = 0
    """The HTTP status that refuses every change, with a message that repeats what was sent."""
    admission: str = ""
    """What admission refuses: the bot's commands, its changes, or by a webhook everybody's changes."""
    delay: float = 0.0
    """Seconds before each answer."""
    egress_problem: str = ""
    """What Cilium says of an egress policy that is created; empty: it takes it."""
    egress_frozen: bool = False
    """Whether admission refuses to create an egress policy, in a dry run too."""
    absent_groups: set[str] = field(default_factory=set)
    """API groups whose CRDs are not installed."""
