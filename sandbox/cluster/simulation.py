"""Small versions of controllers, scheduler and kubelet: they bring the pods to the Deployment's desired state."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sandbox.cluster import companions, cronlog, kinds, objects
from sandbox.cluster.conditions import PodFaults
from sandbox.cluster.events import Recorder
from sandbox.cluster.files import KEYS_FILE, File, image_crontab
from sandbox.cluster.fixture import FixtureFile, FixtureStates
from sandbox.cluster.podlogs import LAST_WORDS, NOISY, ContainerLog
from sandbox.cluster.processes import REQUIRED, Process, Table, hostile, sessions, usual
from sandbox.cluster.rbac import NAMESPACE
from sandbox.cluster.store import Store, stamp
from sandbox.cluster.workload import active_replica_set, new_pod, new_replica_set, refuse_pods, sync_status

Object = dict[str, Any]
UPTIME = timedelta(hours=6, minutes=51)
"""How long the pod has been running when the sandbox starts: the handbook's example."""
QUOTA = "exceeded quota: sandbox, requested: pods=1, used: pods=0, limited: pods=0"
"""The quota that refuses new pods while the fault "no pod" is on."""
REFRESH = 5.0
"""How many restarts long the kubelet takes to refresh a mounted Secret."""
BACKOFF_WINDOW = timedelta(minutes=10)


@dataclass
class Runtime:
    """What runs in one pod's container."""

    log: ContainerLog
    previous: ContainerLog | None = None
    processes: list[Process] = field(default_factory=list)
    deaths: list[datetime] = field(default_factory=list)
    keys: str | None = None
    """The SSH keys that the entrypoint copied from their Secret."""
    mounted: str | None = None
    """Their Secret's file as it is mounted."""
    newer_since: datetime | None = None
    """Since when the Secret has a newer one."""

    @property
    def started(self) -> datetime:
        """When this run of the container began."""
        return self.log.started


class Simulation:
    """The pods and their contents. ``speed`` is the seconds a restart takes; 0 does everything at once."""

    def __init__(self, store: Store, *, speed: float = 3.0, fixture: FixtureFile | None = None) -> None:
        """Simulate on ``store``, by the store's clock; ``fixture`` says what else is in the containers."""
        self.store = store
        self.speed = speed
        self.fixture = fixture or FixtureFile()
        self.fixture_states = FixtureStates()
        self.faults = PodFaults()
        self.events = Recorder(store)
        self.runtimes: dict[str, Runtime] = {}
        self.volume: dict[str, File | None] = {}
        """What was written to the pod's home, which is on a volume; None for a file that was removed."""
        self.exec_failure_style = "containerd"
        self.last_executed: list[str] = []
        self.ended: list[str] = []
        """Containers that a command in them has ended, in order."""
        self.image_id: Callable[[str], str] = lambda image: image if "@" in image else objects.IMAGE_DIGEST
        """What a node reports as the id of an image that it has pulled."""
        self.on_processes: Callable[[], Awaitable[None]] = nothing
        """Called when a process has gone, or is back, and when the container has ended, or runs again."""
        self._up = True
        self._replace: set[str] = set()
        self._task: asyncio.Task[None] | None = None
        self._kicked = False

    @property
    def now(self) -> datetime:
        """The cluster's time."""
        return self.store.clock()

    def seed(self, pod_since: datetime | None = None) -> None:
        """Create the healthy state: one pod that was created then, or has been running for :data:`UPTIME`."""
        born = pod_since or self.now - UPTIME - timedelta(seconds=4)
        objects.seed(self.store, born, list(self.fixture().containers))
        deployment = self._deployment()
        assert deployment is not None  # noqa: S101 - seeded one line above
        replica_set = self.store.put(kinds.REPLICA_SET, new_replica_set(deployment, born))
        pod = self._create(replica_set, born)
        self._bind(pod["metadata"]["name"], "gpu-1", born)
        self._start(pod["metadata"]["name"], born + timedelta(seconds=4))
        self._ready(pod["metadata"]["name"], born + timedelta(seconds=4))
        sync_status(self.store)

    def pods(self) -> list[Object]:
        """The app's pods, oldest first, without those that have ended."""
        ours = [p for p in self.store.list(kinds.POD, NAMESPACE) if _is_ours(p)]
        found = [p for p in ours if p["status"].get("phase") != "Failed"]
        return sorted(found, key=lambda pod: int(pod["metadata"]["annotations"]["sandbox/order"]))

    @property
    def up(self) -> bool:
        """Whether the app's container runs in a pod, so that its ports can be open."""
        return any(_state(pod) == "running" for pod in self.pods())

    async def _note_up(self) -> None:
        """Tell whether the container runs, where that has changed."""
        if self._up != self.up:
            self._up = self.up
            await self.on_processes()

    def runtime(self, pod: Object) -> Runtime | None:
        """What runs in ``pod``; None before its container first started."""
        return self.runtimes.get(pod["metadata"]["uid"])

    def table(self, pod: Object, given: Sequence[str] | None = None) -> Table:
        """The processes that ``ps`` sees now; ``given`` are the command lines of a fixture."""
        runtime = self.runtimes[pod["metadata"]["uid"]]
        if given is not None:
            rows = [Process(number, 0, command) for number, command in enumerate(given, 1)]
            return Table(tuple(rows), runtime.started, self.now)
        user = "root" if self.faults.root else "claude"
        rows = [p for p in usual(user) if p.pid in {q.pid for q in runtime.processes}]
        rows = [p for p in rows if not self.faults.killed or p.service != self.faults.killed]
        rows += sessions() if self.faults.signed_in else []
        return Table((*rows, *hostile(self.faults.hostile)), runtime.started, self.now)

    def log(self, pod: Object, *, previous: bool = False) -> ContainerLog | None:
        """The log of the current or previous run, written up to now."""
        runtime = self.runtime(pod)
        if runtime is None:
            return None
        if _state(pod) != "running":
            return runtime.log  # like the kubelet: between runs, the last one's log either way
        runtime.log.advance(self.now)
        return runtime.previous if previous else runtime.log

    @property
    def refused(self) -> str:
        """What supercronic says of the crontab when it ends at it, as it starts; empty where it runs it."""
        edited = self.volume.get(cronlog.FILE)
        return cronlog.refusal(edited.text if edited else image_crontab(wrong=self.faults.wrong_crontab))

    def _keeps_ending(self, pod: Object) -> bool:
        """Whether the container ended soon after its start, and would again."""
        runtime = self.runtime(pod)
        return self.faults.crash or (runtime is not None and bool(runtime.log.refused and self.refused))

    async def reload_crontab(self) -> None:
        """Let supercronic read the crontab, which has changed; it ends at a line that it refuses."""
        file = self.volume.get(cronlog.FILE)
        self.fixture_states.ran.append(("crontab", file.text if file is not None else ""))
        for pod in self.pods():
            log = self.log(pod)
            if log is None or _state(pod) != "running" or self.faults.killed == "supercronic":
                continue
            lines, goes_on = cronlog.reloaded(file.text if file is not None else "", self.now)
            log.crontab = file.text if file is not None else ""
            for line in lines:
                log.write(line, self.now)
            if not goes_on:
                self._end(pod, 1, "Error", "")
        await self.settle()

    def _secret_keys(self) -> str | None:
        return objects.text_of(self.store.get(kinds.SECRET, NAMESPACE, objects.SSH_SECRET), "authorized_keys")

    def mounted_keys(self, pod: Object) -> str | None:
        """The Secret's file of SSH keys as it is mounted: the kubelet refreshes it after a while."""
        runtime, now = self.runtime(pod), self._secret_keys()
        if runtime is None or now is None or now == runtime.mounted or self.faults.old_mount:
            return runtime.mounted if runtime is not None else None
        runtime.newer_since = runtime.newer_since or self.now
        if self.now - runtime.newer_since >= timedelta(seconds=REFRESH * self.speed):
            runtime.mounted, runtime.newer_since = now, None
        return runtime.mounted

    def write_log(self, text: str) -> None:
        """Add a line to the oldest pod's log."""
        for pod in self.pods()[:1]:
            log = self.log(pod)
            if log is not None:
                log.write(text, self.now)

    def set_noise(self, on: bool) -> None:
        """Add the noisy lines to the log, or remove them."""
        self.faults.noisy_logs = on
        for runtime in self.runtimes.values():
            runtime.log.advance(self.now)
            runtime.log.lines = [line for line in runtime.log.lines if line.text not in NOISY]
            for text in NOISY if on else ():
                runtime.log.write(text, self.now)

    async def kill(self, service: str) -> None:
        """End a required process: ``wait -n`` returns, which ends the container."""
        if service not in REQUIRED:
            raise ValueError(f"{service!r} is none of {', '.join(REQUIRED)}")
        for pod in self.pods():
            if _state(pod) == "running":
                self._end(pod, 1, "Error", service)
        await self.settle()

    async def lose_process(self, service: str) -> None:
        """Let a required process be missing until its container starts again; empty: none is missing."""
        self.faults.killed = service
        await self.on_processes()

    async def out_of_memory(self) -> None:
        """OOM-kill the container; the kubelet restarts it."""
        for pod in self.pods():
            if _state(pod) == "running":
                self._end(pod, 137, "OOMKilled", "")
        await self.settle()

    async def end_container(self, pod: Object, name: str, code: int) -> None:
        """End the main process of one container; the kubelet starts it again."""
        self.fixture_states.restart(pod["metadata"]["uid"], name)
        self.ended.append(name)
        if name == pod["spec"]["containers"][0]["name"]:
            self._end(pod, code, "Error", "")
        else:
            draft = self.store.draft(kinds.POD, NAMESPACE, pod["metadata"]["name"])
            for status in draft["status"].get("initContainerStatuses") or ():
                if status["name"] == name:
                    companions.end(status, code, self.now)
            for kind in ("ContainersReady", "Ready"):
                said = f"containers with unready status: [{name}]"
                _condition(draft, kind, False, self.now, "ContainersNotReady", said)
            self.store.put(kinds.POD, draft)
        await self.settle()

    async def evict(self) -> None:
        """Evict all pods for lack of memory: their records stay, and the ReplicaSet creates a new pod."""
        for pod in self.pods():
            draft = self.store.draft(kinds.POD, NAMESPACE, pod["metadata"]["name"])
            said = "The node was low on resource: memory. Threshold quantity: 100Mi, available: 64Mi."
            for kind in ("ContainersReady", "Ready"):
                _condition(draft, kind, False, self.now, "PodFailed")
            _condition(draft, "DisruptionTarget", True, self.now, "TerminationByKubelet", said)
            draft["status"] |= {"phase": "Failed", "reason": "Evicted", "message": said}
            draft["status"].pop("containerStatuses", None)
            self.store.put(kinds.POD, draft)
            self.runtimes.pop(pod["metadata"]["uid"], None)
            self.events.record(pod, "Warning", "Evicted", said)
        await self.settle()

    async def lose_node(self, on: bool) -> None:
        """Silence the kubelet, or let it report again: only the pod's Ready condition changes."""
        self.faults.node_lost = on
        for pod in self.pods():
            draft = self.store.draft(kinds.POD, NAMESPACE, pod["metadata"]["name"])
            if on:
                _condition(draft, "Ready", False, self.now)
                self.events.record(pod, "Warning", "NodeNotReady", "Node is not ready")
            self.store.put(kinds.POD, draft)
            if not on and _state(pod) == "running":
                self._ready(pod["metadata"]["name"], self.now)
        await self.settle()

    async def fail_readiness(self, on: bool) -> None:
        """Let the readiness probe fail, or succeed again, while the container runs."""
        self.faults.unready = on
        for pod in self.pods():
            if on and _state(pod) == "running":
                draft = self.store.draft(kinds.POD, NAMESPACE, pod["metadata"]["name"])
                draft["status"]["containerStatuses"][0]["ready"] = False
                for kind in ("ContainersReady", "Ready"):
                    _condition(draft, kind, False, self.now, "ContainersNotReady", _unready(draft))
                self.store.put(kinds.POD, draft)
                self.events.record(pod, "Warning", "Unhealthy", "Readiness probe failed: connection refused")
        await self.settle()

    async def replace_pods(self) -> None:
        """Replace every pod by a new one, as if it had been deleted."""
        self._replace |= {pod["metadata"]["uid"] for pod in self.pods()}
        await self.settle()

    async def delete_pod(self, pod: Object) -> None:
        """Delete one pod gracefully; its ReplicaSet creates another."""
        self._replace.add(pod["metadata"]["uid"])
        self._mark_deleted(pod)
        await self.settle()

    async def settle(self) -> None:
        """Reconcile: at once when ``speed`` is 0, else in the background."""
        self._kicked = True
        if self._task is None or self._task.done():
            if self.speed > 0:
                self._task = asyncio.create_task(self._run(), name="pretend-controllers")
            else:
                await self._run()

    async def stop(self) -> None:
        """Stop the background work."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while self._kicked:
            self._kicked = False
            await self._note_up()
            steps: tuple[Callable[[], Awaitable[bool]], ...] = (
                self._terminate,
                self._roll_out,
                self._scale,
                self._advance,
            )
            for step in steps:
                changed = await step()
                await self._note_up()
                self._kicked = self._kicked or changed
            sync_status(self.store)

    async def _pause(self, share: float) -> None:
        sync_status(self.store)
        if self.speed > 0:
            await asyncio.sleep(self.speed * share)

    async def _terminate(self) -> bool:
        """Remove the pods being deleted once their grace period is over."""
        for pod in self.pods():
            if pod["metadata"]["uid"] in self._replace:
                self._mark_deleted(pod)
        leaving = [pod for pod in self.pods() if "deletionTimestamp" in pod["metadata"]]
        if leaving:
            await self._pause(0.3)
        for pod in leaving:
            name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
            self.store.remove(kinds.POD, NAMESPACE, name)
            self.runtimes.pop(uid, None)
            self._replace.discard(uid)
        return bool(leaving)

    def _mark_deleted(self, pod: Object) -> None:
        draft = self.store.draft(kinds.POD, NAMESPACE, pod["metadata"]["name"])
        draft["metadata"].setdefault("deletionTimestamp", stamp(self.now))
        draft["metadata"].setdefault("deletionGracePeriodSeconds", 30)
        self.store.put(kinds.POD, draft)
        self.events.record(pod, "Normal", "Killing", f"Stopping container {objects.CONTAINER}")

    async def _roll_out(self) -> bool:
        """Recreate strategy: a ReplicaSet for the current template; pods of other templates go first."""
        deployment = self._deployment()
        if deployment is None or deployment["spec"].get("paused"):
            return False
        wanted = objects.template_hash(deployment["spec"]["template"])
        name = f"{objects.APP}-{wanted}"
        if self.store.get(kinds.REPLICA_SET, NAMESPACE, name) is None:
            created = self.store.put(kinds.REPLICA_SET, new_replica_set(deployment, self.now))
            revision = 1 + max(
                int(rs["metadata"]["annotations"]["deployment.kubernetes.io/revision"])
                for rs in self.store.list(kinds.REPLICA_SET, NAMESPACE)
            )
            for kind, key in ((kinds.REPLICA_SET, created["metadata"]["name"]), (kinds.DEPLOYMENT, objects.APP)):
                draft = self.store.draft(kind, NAMESPACE, key)
                notes = draft["metadata"].setdefault("annotations", {})
                notes["deployment.kubernetes.io/revision"] = str(revision)
                self.store.put(kind, draft)
            self.events.record(
                deployment, "Normal", "ScalingReplicaSet", f"Scaled up replica set {name} from 0 to 1"
            )
        old = [p for p in self.pods() if p["metadata"]["labels"]["pod-template-hash"] != wanted]
        self._replace |= {pod["metadata"]["uid"] for pod in old}
        return bool(old)

    async def _scale(self) -> bool:
        deployment = self._deployment()
        replicas = int(deployment["spec"].get("replicas", 1)) if deployment else 0
        wanted = 0 if self.faults.none else replicas + int(self.faults.two and replicas > 0)
        if deployment is not None:
            self._refuse(active_replica_set(self.store, deployment), self.faults.none and replicas > 0)
        pods = [p for p in self.pods() if p["metadata"]["uid"] not in self._replace]
        for pod in pods[wanted:]:
            self._replace.add(pod["metadata"]["uid"])
        if deployment is None or len(self.pods()) >= wanted:
            return len(pods) > wanted
        name = active_replica_set(self.store, deployment)
        if self.store.get(kinds.REPLICA_SET, NAMESPACE, name) is None:
            return len(pods) > wanted  # created paused: there is no ReplicaSet to own pods
        replica_set = self.store.draft(kinds.REPLICA_SET, NAMESPACE, name)
        for _ in range(wanted - len(self.pods())):
            self._create(replica_set, self.now)
        return True

    def _refuse(self, name: str, on: bool) -> None:
        """Let a quota refuse the ReplicaSet's pods, or no longer."""
        replica_set = self.store.get(kinds.REPLICA_SET, NAMESPACE, name)
        if replica_set is None:
            return
        why = f'pods "{name}-x2k8p" is forbidden: {QUOTA}' if on else ""
        if refuse_pods(self.store, name, why) and on:
            self.events.record(replica_set, "Warning", "FailedCreate", f"Error creating: {why}")

    async def _advance(self) -> bool:
        """Advance each pod by one step, where it has one."""
        changed = False
        for pod in self.pods():
            name = pod["metadata"]["name"]
            current = None if self._gone(name) else self.store.get(kinds.POD, NAMESPACE, name)
            if self.faults.node_lost and pod["spec"].get("nodeName"):
                continue
            if current is not None and "deletionTimestamp" not in current["metadata"]:
                changed = await self._step(current) or changed
        return changed

    async def _step(self, pod: Object) -> bool:
        name = pod["metadata"]["name"]
        if not pod["spec"].get("nodeName"):
            return await self._schedule(pod)
        state = _state(pod)
        if state == "ContainerCreating":
            await self._pause(0.35)
        if state == "running":
            return await self._run_on(pod)
        if state == "CrashLoopBackOff" and self._keeps_ending(pod):
            return False
        if companions.blocks(pod):
            return self._show_init_back_off(pod)
        if self.faults.volume_held:
            return self._held_volume(pod)
        if self.faults.create_error:
            return self._create_error(pod)
        if not self._gone(name) and self.store.get(kinds.SECRET, NAMESPACE, objects.SSH_SECRET) is None:
            return self._config_error(pod)
        if state == "CrashLoopBackOff":
            await self._pause(0.35)
        if not self._gone(name):
            self._start(name, self.now)
            if self.faults.killed:
                await self.lose_process("")
        return True

    async def _schedule(self, pod: Object) -> bool:
        name = pod["metadata"]["name"]
        if self.faults.pending:
            return self._unschedulable(pod)
        self._bind(name, "gpu-2" if self.faults.wrong_node else "gpu-1", self.now)
        return True

    async def _start_sidecars(self, pod: Object) -> bool:
        """Start the sidecars that have ended again."""
        name = pod["metadata"]["name"]
        await self._pause(0.35)
        if not self._gone(name):
            draft = self.store.draft(kinds.POD, NAMESPACE, name)
            companions.start_again(draft, self.now)
            self.store.put(kinds.POD, draft)
            if _state(pod) == "running":
                self._ready(name, self.now)
        return True

    async def _run_on(self, pod: Object) -> bool:
        if companions.ended(pod):
            return await self._start_sidecars(pod)
        if self.faults.crash:
            self._end(pod, 1, "Error", "vibe-kanban")
            return True
        if (runtime := self.runtimes[pod["metadata"]["uid"]]).log.refused:
            runtime.log.advance(self.now)
            self._end(pod, 1, "Error", "")
            return True
        if self.faults.unready or all(status["ready"] for status in pod["status"]["containerStatuses"]):
            return False
        await self._pause(0.35)
        if not self._gone(pod["metadata"]["name"]):
            self._ready(pod["metadata"]["name"], self.now)
        return True

    def _gone(self, name: str) -> bool:
        """Whether a pod was removed, or evicted: its record stays, without the containers."""
        pod = self.store.get(kinds.POD, NAMESPACE, name)
        return pod is None or pod["status"].get("phase") == "Failed"

    def _deployment(self) -> Object | None:
        return self.store.get(kinds.DEPLOYMENT, NAMESPACE, objects.APP)

    def _create(self, replica_set: Object, born: datetime) -> Object:
        pod = self.store.put(kinds.POD, new_pod(replica_set, born, self.faults, self.store.version))
        message = f"Created pod: {pod['metadata']['name']}"
        self.events.record(replica_set, "Normal", "SuccessfulCreate", message, born)
        return pod

    def _unschedulable(self, pod: Object) -> bool:
        draft = self.store.draft(kinds.POD, NAMESPACE, pod["metadata"]["name"])
        message = (
            "0/2 nodes are available: 1 Insufficient memory, 1 node(s) didn't match Pod's node "
            "affinity/selector. preemption: 0/2 nodes are available: 2 No preemption victims found."
        )
        if draft["status"].get("conditions"):
            return False
        _condition(draft, "PodScheduled", False, self.now, "Unschedulable", message)
        self.store.put(kinds.POD, draft)
        self.events.record(pod, "Warning", "FailedScheduling", message)
        return False

    def _bind(self, name: str, node: str, at: datetime) -> None:
        draft = self.store.draft(kinds.POD, NAMESPACE, name)
        draft["spec"]["nodeName"] = node
        host = "192.168.55.31" if node == "gpu-1" else "192.168.55.32"
        draft["status"] |= {"hostIP": host, "hostIPs": [{"ip": host}], "startTime": stamp(at)}
        for kind, on in (("PodScheduled", True), ("Initialized", True)):
            _condition(draft, kind, on, at)
        for kind in ("ContainersReady", "Ready"):
            _condition(draft, kind, False, at, "ContainersNotReady", _unready(draft))
        draft["status"]["containerStatuses"] = [_waiting_status(draft, "ContainerCreating")]
        pod = self.store.put(kinds.POD, draft)
        text = f"Successfully assigned {NAMESPACE}/{name} to {node}"
        self.events.record(pod, "Normal", "Scheduled", text, at, "default-scheduler")

    def _config_error(self, pod: Object) -> bool:
        return self._show_waiting(pod, "CreateContainerConfigError", f'secret "{objects.SSH_SECRET}" not found')

    def _held_volume(self, pod: Object) -> bool:
        """Report the volume in an event, as its controller does; the container's status just stays waiting."""
        said = 'Multi-Attach error for volume "pvc-1f2e" Volume is already exclusively attached to one node'
        self.events.record(pod, "Warning", "FailedAttachVolume", said)
        return False

    def _create_error(self, pod: Object) -> bool:
        name = f"{objects.CONTAINER}_{pod['metadata']['name']}_0"
        said = f'failed to reserve container name "{name}": name "{name}" is reserved for "0f3a9c"'
        return self._show_waiting(pod, "CreateContainerError", said)

    def _show_waiting(self, pod: Object, reason: str, message: str) -> bool:
        """Show that the container can't be created, and why."""
        if _state(pod) == reason:
            return False
        draft = self.store.draft(kinds.POD, NAMESPACE, pod["metadata"]["name"])
        status = draft["status"]["containerStatuses"][0]
        status["state"] = {"waiting": {"reason": reason, "message": message}}
        self.store.put(kinds.POD, draft)
        self.events.record(pod, "Warning", "Failed", f"Error: {message}", count=3)
        return False

    def _show_init_back_off(self, pod: Object) -> bool:
        """Show the init container in its back-off, and the main container waiting for it."""
        if _state(pod) == "PodInitializing":
            return False
        draft = self.store.draft(kinds.POD, NAMESPACE, pod["metadata"]["name"])
        draft["status"]["initContainerStatuses"] = companions.statuses(draft, self.faults, self.now)
        draft["status"]["containerStatuses"] = [_waiting_status(draft, "PodInitializing")]
        said = f"containers with incomplete status: [{companions.INIT}]"
        _condition(draft, "Initialized", False, self.now, "ContainersNotInitialized", said)
        self.store.put(kinds.POD, draft)
        text = f"Back-off restarting failed container {companions.INIT} in pod {pod['metadata']['name']}"
        self.events.record(pod, "Warning", "BackOff", text, count=7)
        return False

    def _start(self, name: str, at: datetime) -> None:
        draft = self.store.draft(kinds.POD, NAMESPACE, name)
        uid = draft["metadata"]["uid"]
        before = self.runtimes.get(uid)
        edited = self.volume.get(cronlog.FILE)
        log = ContainerLog(at, crontab=edited.text if edited is not None else None, refused=self.refused)
        runtime = Runtime(log, before.log if before else None, usual())
        runtime.keys = runtime.mounted = self._secret_keys()
        self.volume.pop(KEYS_FILE, None)
        runtime.deaths = before.deaths if before else []
        self.runtimes[uid] = runtime
        status = draft["status"]["containerStatuses"][0]
        container_id = hashlib.sha256(f"{uid}{status['restartCount']}".encode()).hexdigest()
        status |= {"state": {"running": {"startedAt": stamp(at)}}, "started": True, "ready": False}
        image = draft["spec"]["containers"][0]["image"]
        status |= {"containerID": f"containerd://{container_id}", "imageID": self.image_id(image)}
        known = draft["status"].get("initContainerStatuses") if before is not None else None
        if not known and (companions_ := companions.statuses(draft, self.faults, at)):
            draft["status"]["initContainerStatuses"] = companions_
        ip = f"10.244.3.{17 + int(draft['metadata']['annotations']['sandbox/order']) % 200}"
        draft["status"] |= {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}]}
        pod = self.store.put(kinds.POD, draft)
        self.events.record(pod, "Normal", "Pulling", f'Pulling image "{image}"', at)
        self.events.record(pod, "Normal", "Created", "Container created", at)
        self.events.record(pod, "Normal", "Started", "Container started", at)
        for text in NOISY if self.faults.noisy_logs else ():
            runtime.log.advance(self.now)
            runtime.log.write(text, self.now)

    def _ready(self, name: str, at: datetime) -> None:
        draft = self.store.draft(kinds.POD, NAMESPACE, name)
        draft["status"]["containerStatuses"][0]["ready"] = True
        if not companions.all_ready(draft):
            named = " ".join(companions.unready(draft))
            unready = ("ContainersNotReady", f"containers with unready status: [{named}]")
            for kind in ("ContainersReady", "Ready"):
                _condition(draft, kind, False, at, *unready)
        else:
            _condition(draft, "ContainersReady", True, at)
            gate = ("ReadinessGatesNotReady", f'condition of readiness gate "{companions.GATE}" does not exist.')
            _condition(draft, "Ready", not companions.gated(draft), at, *(gate if companions.gated(draft) else ()))
        self.store.put(kinds.POD, draft)

    def _end(self, pod: Object, code: int, reason: str, service: str) -> None:
        """End the container; the kubelet restarts it, after a back-off when it keeps dying."""
        draft = self.store.draft(kinds.POD, NAMESPACE, pod["metadata"]["name"])
        runtime = self.runtimes[pod["metadata"]["uid"]]
        if service:
            runtime.log.end(service, self.now)
        loops = self._keeps_ending(pod)
        runtime.deaths = [d for d in runtime.deaths if self.now - d < BACKOFF_WINDOW] + [self.now]
        status = draft["status"]["containerStatuses"][0]
        ended = {
            "exitCode": code,
            "reason": reason,
            "startedAt": stamp(runtime.started),
            "finishedAt": stamp(self.now),
            "containerID": status["containerID"],
            **({"message": "\n".join(LAST_WORDS["vibe-kanban"])} if self.faults.crash else {}),
        }
        restarts = status["restartCount"] + (5 if loops else 1)
        where = f"{draft['metadata']['name']}_{NAMESPACE}({draft['metadata']['uid']})"
        message = f"back-off 1m20s restarting failed container={status['name']} pod={where}"
        status |= {"lastState": {"terminated": ended}, "restartCount": restarts, "ready": False}
        status |= {"started": False}
        status["state"] = {"waiting": {"reason": "CrashLoopBackOff", "message": message}}
        for kind in ("ContainersReady", "Ready"):
            _condition(draft, kind, False, self.now, "ContainersNotReady", _unready(draft))
        self.store.put(kinds.POD, draft)
        if loops or len(runtime.deaths) > 1:
            text = f"Back-off restarting failed container {status['name']} in pod {where}"
            self.events.record(pod, "Warning", "BackOff", text, count=max(1, restarts))


async def nothing() -> None:
    """Do nothing."""


def _is_ours(pod: Object) -> bool:
    owners = pod["metadata"].get("ownerReferences") or []
    return any(owner["name"].startswith(objects.APP) for owner in owners)


def _state(pod: Object) -> str:
    """``running``, or the reason for which the container waits."""
    statuses = pod["status"].get("containerStatuses") or [{}]
    state = statuses[0].get("state", {})
    return "running" if "running" in state else str(state.get("waiting", {}).get("reason", ""))


def _unready(pod: Object) -> str:
    return f"containers with unready status: [{pod['spec']['containers'][0]['name']}]"


def _waiting_status(pod: Object, reason: str) -> Object:
    container = pod["spec"]["containers"][0]
    return {
        "name": container["name"],
        "image": container["image"],
        "imageID": "",
        "state": {"waiting": {"reason": reason}},
        "lastState": {},
        "ready": False,
        "started": False,
        "restartCount": 0,
    }


def _condition(pod: Object, kind: str, on: bool, at: datetime, reason: str = "", message: str = "") -> None:
    conditions = pod["status"].setdefault("conditions", [])
    conditions[:] = [c for c in conditions if c["type"] != kind]
    entry = {"type": kind, "status": str(on), "lastProbeTime": None, "lastTransitionTime": stamp(at)}
    conditions.append(entry | ({"reason": reason, "message": message} if reason else {}))
