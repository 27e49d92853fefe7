"""What is wrong at the moment: plain switches that the simulation and the server look at."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class PodFaults:
    """What is wrong with the pod. The simulation acts on them when it settles."""

    crash: bool = False
    """The container ends shortly after each start."""
    pending: bool = False
    """No node takes the pod."""
    none: bool = False
    """A quota refuses the ReplicaSet's pods."""
    two: bool = False
    """A second pod runs."""
    wrong_node: bool = False
    """The pod lands on gpu-2."""
    container_renamed: bool = False
    """The container is called otherwise."""
    init_crash: bool = False
    """An init container ends badly again and again."""
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
    """The home's file system has room, and no inode left."""
    no_ps: bool = False
    """The image has no ``ps``."""
    exec_hangs: bool = False
    """``exec`` opens and never says anything."""
    log_gone: bool = False
    """The log's file is gone from the node: the kubelet says so in the log's place."""
    no_size: bool = False
    """``df`` knows no size of the home's file system."""
    noisy_logs: bool = False
    """The log holds lines that try to break whoever shows them."""
    killed: str = ""
    """This process is gone although the container still runs."""
    hostile: str = ""
    """Processes that somebody in the pod started to harm whoever looks at the list."""


@dataclass
class ApiFaults:
    """What is wrong with the API server. ``refuse`` is the listener's own."""

    hang: bool = False
    unauthorized: bool = False
    forbidden: str = ""
    """A resource (``pods``, ``pods/exec``) that everybody is refused, or ``*``."""
    not_found: bool = False
    expired: bool = False
    too_many: bool = False
    broken: bool = False
    echo: int = 0
    """The HTTP status with which whatever is to be changed is refused, in words that repeat what was sent."""
    delay: float = 0.0
    """Seconds before each answer."""
    absent_groups: set[str] = field(default_factory=set)
    """API groups whose CRDs are not installed."""
