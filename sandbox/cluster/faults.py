"""The faults of the pod, the API server and the cluster's networking, for the page and for tests."""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable
from typing import Any, Literal

from sandbox.breaks import Break, Option
from sandbox.cluster import admission, cronlog, kinds, objects
from sandbox.cluster.conditions import ApiFaults
from sandbox.cluster.listener import Listener
from sandbox.cluster.oddities import oddities
from sandbox.cluster.processes import REQUIRED
from sandbox.cluster.rbac import NAMESPACE
from sandbox.cluster.server import ApiServer
from sandbox.cluster.simulation import Simulation
from sandbox.cluster.store import stamp
from sandbox.cluster.workload import sync_status

Group = Literal["Pod", "Kubernetes API", "Network", "Heartbeats", "Slack"]
Object = dict[str, Any]


def toggle(
    id_: str,
    group: Group,
    words: tuple[str, str],
    read: Callable[[], bool],
    apply: Callable[[bool], Awaitable[None] | None],
) -> Break:
    """A fault that is on or off; ``words`` are its label and its help text."""
    return Break(id_, group, words[0], words[1], "toggle", read, lambda value: apply(bool(value)))


def choice(
    id_: str,
    group: Group,
    words: tuple[str, str],
    options: tuple[Option, ...],
    read: Callable[[], str],
    apply: Callable[[str], Awaitable[None] | None],
) -> Break:
    """A fault with variants; the empty value switches it off."""
    return Break(id_, group, words[0], words[1], "choice", read, lambda v: apply(str(v or "")), options)


def cluster_breaks(server: ApiServer, simulation: Simulation, listener: Listener) -> list[Break]:
    """All faults of the cluster."""
    return [
        *_pod_breaks(simulation),
        *_api_breaks(server.faults, listener),
        *_argocd_breaks(server),
        *_service_breaks(simulation),
        _egress_break(server),
        _egress_creation(server.faults),
        *oddities(simulation),
    ]


_REPLACING = {
    "pending": ("pod-pending", "Pod is Pending", "no node takes the pod (FailedScheduling)"),
    "wrong_node": ("pod-wrong-node", "Pod on the wrong node", "the pod runs on gpu-2"),
    "init_crash": ("pod-init-crash", "Init container crashes", "fix-permissions ends with exit code 1"),
    "gate": ("pod-gate", "Readiness gate", "nobody sets example.com/load-balancer"),
    "create_error": ("pod-create-error", "CreateContainerError", "the container's name is reserved"),
    "volume_held": (
        "pod-volume-held",
        "Volume is held",
        "it is still attached to another node (FailedAttachVolume)",
    ),
    "container_renamed": ("pod-container-missing", "Container missing", "the container is called workspace"),
}
_SETTLING = {
    "crash": ("pod-crash", "CrashLoopBackOff", "the container ends soon after each start"),
    "none": ("pod-none", "No pod", "a quota refuses it (ReplicaFailure)"),
    "two": ("pod-two", "Two pods", "a second pod runs beside the first"),
}
_SEEN = {
    "root": ("pod-root", "Runs as root", "id says uid=0(root)"),
    "disk_full": ("pod-disk-full", "Disk nearly full", "the home is 97 % full"),
    "no_inodes": ("pod-disk-no-inodes", "No inodes left", "df -i says 100 %, though the home has room"),
    "no_ps": ("pod-no-ps", "No ps in the image", "exec of ps fails to start"),
    "no_size": ("pod-disk-no-size", "Disk without a size", "df prints 0 0 0 - for the home"),
    "log_gone": ("pod-log-gone", "Log file gone", "the kubelet says so where the log would be"),
    "old_mount": ("pod-old-mount", "Mounted Secrets stay old", "the kubelet refreshes none, as with subPath"),
    "deaf": ("pod-deaf", "Ignores signals", "kill 1 ends nothing"),
    "exec_dies": ("pod-exec-dies", "exec dies with it", "the connection breaks when kill 1 ends the container"),
    "exec_hangs": ("pod-exec-hangs", "exec hangs", "exec connects and never answers"),
}


_HOSTILE = ("Hostile processes", "somebody in the pod starts what harms whoever reads the list")
_HOSTILE_KINDS = (
    Option("arguments", "60,000 arguments, seven times"),
    Option("digits", "120,000 digits, twice"),
    Option("rows", "line feeds and rows of its own in an argument"),
)


def _pod_breaks(simulation: Simulation) -> list[Break]:
    faults = simulation.faults
    found = [_switch(simulation, field, *words, simulation.replace_pods) for field, words in _REPLACING.items()]
    found += [_switch(simulation, field, *words, simulation.settle) for field, words in _SETTLING.items()]
    found += [_switch(simulation, field, *words, None) for field, words in _SEEN.items()]
    gone = (
        "A process is gone",
        "the container stays up without it, and its port is closed, until the container starts again",
    )
    options = tuple(Option(name, name) for name in REQUIRED)

    def attack(value: str) -> None:
        faults.hostile = value

    noise = (
        "Noisy logs",
        "log lines with mentions, backticks, right-to-left text, fake tokens, 100,000 characters",
    )
    oom_help = "the kernel kills the container once; it starts again"
    return [
        choice("pod-kill-process", "Pod", gone, options, lambda: faults.killed, simulation.lose_process),
        choice("pod-hostile", "Pod", _HOSTILE, _HOSTILE_KINDS, lambda: faults.hostile, attack),
        *found,
        *_readiness(simulation),
        _missing_secret(simulation),
        _new_volume(simulation),
        _wrong_crontab(simulation),
        Break(
            "pod-oom",
            "Pod",
            "Out of memory",
            oom_help,
            "button",
            lambda: None,
            lambda _value: simulation.out_of_memory(),
        ),
        toggle("pod-noisy-logs", "Pod", noise, lambda: faults.noisy_logs, simulation.set_noise),
    ]


def _readiness(simulation: Simulation) -> list[Break]:
    """Faults that change a pod's readiness, and its sidecar."""
    faults = simulation.faults

    def sidecar(value: str) -> Awaitable[None]:
        faults.sidecar = value
        return simulation.replace_pods()

    options = (Option("ready", "runs"), Option("crash", "crashes"), Option("oom", "hits its memory limit"))
    beside = ("A sidecar", "the native sidecar egress-proxy is in the pod")
    lost = ("The node falls silent", "Ready turns False, the containers' statuses stay as they were")
    probe = ("Not ready", "the readiness probe fails; on and off is readiness that flaps")
    evict = "the node is short of memory: the pod's record stays, another is made"
    return [
        choice("pod-sidecar", "Pod", beside, options, lambda: faults.sidecar, sidecar),
        toggle("pod-node-lost", "Pod", lost, lambda: faults.node_lost, simulation.lose_node),
        toggle("pod-unready", "Pod", probe, lambda: faults.unready, simulation.fail_readiness),
        Break("pod-evict", "Pod", "Evicted", evict, "button", lambda: None, lambda _value: simulation.evict()),
    ]


def _switch(
    simulation: Simulation,
    field: str,
    id_: str,
    label: str,
    help_: str,
    after: Callable[[], Awaitable[None]] | None,
) -> Break:
    def apply(on: bool) -> Awaitable[None] | None:
        setattr(simulation.faults, field, on)
        return after() if after is not None else None

    return toggle(id_, "Pod", (label, help_), lambda: bool(getattr(simulation.faults, field)), apply)


def _new_volume(simulation: Simulation) -> Break:
    store, faults = simulation.store, simulation.faults
    first: list[Object] = []

    def apply(on: bool) -> None:
        gone = store.remove(kinds.PVC, NAMESPACE, "agent-home")
        if gone is not None and not first:
            first.append(gone)
        faults.new_volume = on
        simulation.volume.clear()
        store.put(kinds.PVC, objects.claim(store.clock()) if on else first[0])

    words = ("Volume made anew", "another claim agent-home, with other SSH host keys")
    return toggle("pod-new-volume", "Pod", words, lambda: faults.new_volume, apply)


def _wrong_crontab(simulation: Simulation) -> Break:
    async def apply(on: bool) -> None:
        simulation.faults.wrong_crontab = on
        simulation.volume.pop(cronlog.FILE, None)  # the fault is another crontab than the one that was edited
        await simulation.settle()

    help_ = "a line has the hour 25: supercronic runs on with the earlier file, and ends at its next start"
    return toggle("pod-wrong-crontab", "Pod", ("Wrong crontab", help_), lambda: simulation.refused != "", apply)


def _missing_secret(simulation: Simulation) -> Break:
    store = simulation.store

    def read() -> bool:
        return store.get(kinds.SECRET, NAMESPACE, objects.SSH_SECRET) is None

    async def apply(on: bool) -> None:
        if on:
            store.remove(kinds.SECRET, NAMESPACE, objects.SSH_SECRET)
            await simulation.replace_pods()
        elif read():
            keys = {"authorized_keys": objects.PUBLIC_KEY}
            store.put(kinds.SECRET, objects.secret(objects.SSH_SECRET, keys, store.clock()))
            await simulation.settle()

    words = ("Secret missing", "agent-ssh-keys is deleted: CreateContainerConfigError")
    return toggle("pod-config-error", "Pod", words, read, apply)


_API = {
    "hang": ("kube-hang", "API server hangs", "requests get no answer"),
    "unauthorized": ("kube-401", "401 Unauthorized", "no token is accepted"),
    "not_found": ("kube-404", "404 for every resource", "the server knows no resource"),
    "expired": ("kube-410", "410 Gone", "lists and watches are told to start over"),
    "too_many": ("kube-429", "429 Too many requests", "with Retry-After: 2"),
    "broken": ("kube-500", "500 Internal error", "etcd does not answer"),
}
_REFUSABLE = (
    "pods",
    "pods/exec",
    "pods/log",
    "events",
    "services",
    "endpointslices",
    "persistentvolumeclaims",
    "deployments",
    "secrets",
    "applications",
    "ciliumnetworkpolicies",
    "externalsecrets",
)


def _api_breaks(faults: ApiFaults, listener: Listener) -> list[Break]:
    async def refuse(on: bool) -> None:
        await (listener.refuse() if on else listener.accept())

    def forbid(value: str) -> None:
        faults.forbidden = value

    def echo(value: str) -> None:
        faults.echo = int(value or 0)

    def admit(value: str) -> None:
        faults.admission = value

    def slow(value: str) -> None:
        faults.delay = float(value or 0)

    resources = (*(Option(name, name) for name in _REFUSABLE), Option("*", "everything"))
    delays = (Option("0.3", "300 ms"), Option("2", "2 s"), Option("10", "10 s"))
    codes = tuple(Option(str(code), str(code)) for code in (403, 409, 422, 429, 500))
    careless = ("Changes are refused and repeated", "a webhook's error quotes all that was sent, secrets too")
    admitted = ("Admission refuses", "after RBAC has granted it, as in a dry run")
    refusing = (
        Option(admission.COMMANDS, "the bot's commands, by its own policy"),
        Option(admission.CHANGES, "the bot's changes, by its own policy"),
        Option(admission.WEBHOOK, "every change, by somebody's webhook"),
    )
    refused = ("API server refuses", "it accepts no connection")
    denied = ("403 Forbidden", "this resource is refused to everybody")
    return [
        toggle("kube-refuse", "Kubernetes API", refused, lambda: listener.refusing, refuse),
        *(_api_switch(faults, field, *words) for field, words in _API.items()),
        choice("kube-403", "Kubernetes API", denied, resources, lambda: faults.forbidden, forbid),
        choice("kube-admission", "Kubernetes API", admitted, refusing, lambda: faults.admission, admit),
        choice(
            "kube-echo",
            "Kubernetes API",
            careless,
            codes,
            lambda: str(faults.echo or ""),
            echo,
        ),
        choice(
            "kube-slow",
            "Kubernetes API",
            ("API server is slow", "each answer takes this long"),
            delays,
            lambda: f"{faults.delay:g}" if faults.delay else "",
            slow,
        ),
    ]


def _api_switch(faults: ApiFaults, field: str, id_: str, label: str, help_: str) -> Break:
    def apply(on: bool) -> None:
        setattr(faults, field, on)

    return toggle(id_, "Kubernetes API", (label, help_), lambda: bool(getattr(faults, field)), apply)


def _egress_break(server: ApiServer) -> Break:
    """Faults of Cilium's egress policy."""
    store = server.store
    problems = {"lru": objects.LRU, "invalid": "invalid rule: toFQDNs needs a name"}

    def read() -> str:
        if kinds.CILIUM_POLICY.group in server.faults.absent_groups:
            return "uninstalled"
        policy = store.get(kinds.CILIUM_POLICY, NAMESPACE, "agent-egress")
        if policy is None:
            return "disabled"
        said = policy["status"]["conditions"][0]["message"]
        return next((name for name, text in problems.items() if text == said), "")

    def apply(value: str) -> None:
        server.faults.egress_problem = problems["invalid"] if value == "invalid" else ""
        absent = server.faults.absent_groups
        (absent.add if value == "uninstalled" else absent.discard)(kinds.CILIUM_POLICY.group)
        problem = problems.get(value, "")
        if value == "disabled":
            store.remove(kinds.CILIUM_POLICY, NAMESPACE, "agent-egress")
        else:
            store.put(kinds.CILIUM_POLICY, objects.egress_policy(store.clock(), problem))

    options = (
        Option("disabled", "disabled: no policy"),
        Option("lru", objects.LRU),
        Option("invalid", "an invalid rule"),
        Option("uninstalled", "Cilium is not installed"),
    )
    return choice(
        "egress-policy", "Network", ("Egress policy", "Cilium's policy agent-egress"), options, read, apply
    )


def _argocd_breaks(server: ApiServer) -> list[Break]:
    def missing(on: bool) -> None:
        (server.faults.absent_groups.add if on else server.faults.absent_groups.discard)("argoproj.io")

    absent = ("Argo CD is not installed", "the Application resource type does not exist")
    return [
        _argocd_switch(server, "argocd-out-of-sync", "sync", ("Synced", "OutOfSync")),
        _argocd_switch(server, "argocd-degraded", "health", ("Healthy", "Degraded")),
        toggle(
            "argocd-missing",
            "Kubernetes API",
            absent,
            lambda: "argoproj.io" in server.faults.absent_groups,
            missing,
        ),
    ]


def _argocd_switch(server: ApiServer, id_: str, field: str, words: tuple[str, str]) -> Break:
    store = server.store

    def read() -> bool:
        app = store.get(kinds.APPLICATION, "argocd", objects.APP)
        return app is not None and app["status"][field]["status"] == words[1]

    def apply(on: bool) -> None:
        draft = store.draft(kinds.APPLICATION, "argocd", objects.APP)
        draft["status"][field]["status"] = words[on]
        draft["status"]["reconciledAt"] = stamp(store.clock())
        store.put(kinds.APPLICATION, draft)

    label = f"Argo CD says {words[1]}"
    return toggle(id_, "Kubernetes API", (label, "the Application's status"), read, apply)


def _service_breaks(simulation: Simulation) -> list[Break]:
    store = simulation.store
    intact = {s["metadata"]["name"]: copy.deepcopy(s) for s in store.list(kinds.SERVICE, NAMESPACE)}

    def change(edit: Callable[[Object, Object], None]) -> None:
        for name, good in intact.items():
            if store.get(kinds.SERVICE, NAMESPACE, name) is not None:
                draft = store.draft(kinds.SERVICE, NAMESPACE, name)
                edit(draft, good)
                store.put(kinds.SERVICE, draft)
        sync_status(store)

    def addresses(on: bool) -> None:
        change(lambda draft, good: draft.update(status={"loadBalancer": {}} if on else good["status"]))

    def endpoints(on: bool) -> None:
        wrong = {"app": "somebody-else"}
        change(lambda d, good: d["spec"].update(selector=wrong if on else good["spec"]["selector"]))

    def every(test: Callable[[Object], bool]) -> bool:
        return any(test(service) for service in store.list(kinds.SERVICE, NAMESPACE))

    no_ip = ("Services without an address", "EXTERNAL-IP is <pending>")
    no_endpoints = ("Services without endpoints", "their selector matches no pod")
    return [
        toggle(
            "service-no-ip",
            "Network",
            no_ip,
            lambda: every(lambda s: not s["status"]["loadBalancer"].get("ingress")),
            addresses,
        ),
        toggle(
            "service-no-endpoints",
            "Network",
            no_endpoints,
            lambda: every(lambda s: s["spec"]["selector"].get("app") == "somebody-else"),
            endpoints,
        ),
    ]


def _egress_creation(faults: ApiFaults) -> Break:
    """A repair of the egress policy that fails between its deletion and its creation."""

    def apply(on: bool) -> None:
        faults.egress_frozen = on

    words = ("Egress policy frozen", "a webhook refuses to create one: a repair leaves it missing")
    return toggle("egress-frozen", "Network", words, lambda: faults.egress_frozen, apply)
