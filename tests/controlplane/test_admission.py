"""Under the generated admission policies the bot does all that it does, and its account nothing beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
import yaml

from bot.domain.approvals.actions.restart import RESTART
from bot.domain.approvals.actions.secret_set import SECRET_SET
from bot.domain.approvals.actions.ssh_key_add import SSH_KEY_ADD
from bot.domain.rbac.admission import BINDING, GROUP, POLICY, RESOURCES, names
from bot.domain.rbac.exec_forms import ExecForm, Matching, Word
from bot.errors import Denied
from bot.wiring import admission_check
from bot.wiring.exec_forms import all_exec_forms
from bot.wiring.runbook_tools import compiled
from sandbox.environment import Sandbox
from sandbox.slack import seed
from tests.controlplane.admitted import (
    BASE,
    OWN_LABELS,
    Caller,
    Said,
    admission,
    bare_pod,
    path_of,
    policies_of,
    target_of,
)
from tests.controlplane.agent_pod import ROOT, AgentPod, Object, usual_answers
from tests.controlplane.neighbours import DEPLOYMENT, SECRET, Neighbours
from tests.controlplane.plane import Plane
from tests.controlplane.test_commands import HEALTHY, WORDS
from tests.controlplane.watching import comes_true, port
from tests.scenarios.repairs import asked
from tests.scenarios.talk import World
from tests.soak.proof import prepared

BOOK = compiled("secure-agent-pod")
TRIES = 500
SETTINGS = {"probes": {"timeout": "15s"}}
"""Rights are asked here, not how fast a busy machine is."""
OTHERS = ("agentpod-7d4b9c6f5d-abcde", "secure-agent-pod-x-y-z", "secure-agent-pod-6d96f94c7d-aaaaa", "another")
"""Other pods of the namespace. The third has the name of a pod of the target's, and not its labels."""


@pytest.fixture(scope="module")
def guarded(plane: Plane, numbers: Iterator[int]) -> Iterator[AgentPod]:
    """A healthy agent pod, whose bot's account is held to the policies."""
    pod = AgentPod(plane, f"agent-{next(numbers)}").create()
    pod.install_argocd()
    pod.install_egress()
    for name in OTHERS:
        bare_pod(pod, name, OWN_LABELS if name == "another" else {})
    # Else the listing by the target's labels would have two pods.
    pod.patch(f"{pod.path}/pods/another", {"metadata": {"labels": {"app": "another"}}})
    with admission(pod, BOOK):
        yield pod


@pytest.fixture
def caller(guarded: AgentPod) -> Iterator[Caller]:
    """Calls with the account's token under the policies."""
    with closing(Caller(guarded)) as one:
        yield one


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(guarded: AgentPod) -> AsyncIterator[World]:
    """The real bot under the policies."""
    sandbox = Sandbox(
        rate_limits=False,
        kubeconfig=guarded.kubeconfig(),
        target=guarded.where(),
        settings=SETTINGS,
    )
    async with sandbox:
        yield World(sandbox, await sandbox.start_bot())


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", HEALTHY)
async def test_a_command_works_under_the_policies(world: World, name: str) -> None:
    user = seed.PRIYA if name in ("approve", "deny", "heartbeats push") else seed.MAYA
    answer = await world.ask(WORDS.get(name, name), user=user)
    assert HEALTHY[name] in answer.text
    for mark in ("may not", "can't be", "unknown", "ValidatingAdmissionPolicy"):
        assert mark not in answer.text


@pytest.mark.timeout(240)
async def test_approved_restarts_values_and_keys_are_carried_out(agent_pod: AgentPod) -> None:
    with admission(agent_pod, BOOK):
        async with prepared(agent_pod, postgres=None, seed_=5, between=False) as proof:
            for number, action in enumerate((RESTART, SECRET_SET, SSH_KEY_ADD), start=1):
                await proof.round(number, "after-change:1", action)
            await proof.end()
    assert proof.tally.complaints == []
    assert (proof.tally.rollouts, proof.tally.stores >= 1) == (1, True)


async def test_the_pod_is_deleted_by_force_and_another_is_not(agent_pod: AgentPod) -> None:
    uid = bare_pod(agent_pod, "another", {})
    with admission(agent_pod, BOOK):
        async with port(agent_pod.kubeconfig(), agent_pod.namespace) as cluster:
            [own] = await cluster.pods(target_of(agent_pod).selector)
            with pytest.raises(Denied, match="agentpod deletes no other pods"):
                await cluster.delete_pod(replace(own, name="another", uid=uid))
            await cluster.delete_pod(own)
        agent_pod.until(lambda: agent_pod.pod()["metadata"]["uid"] != own.uid)


RUNBOOK = """
runbook: declared
extends: secure-agent-pod
checks:
  service-up:
    title: Service
    status: true
    facts: {up: {exec: {command: ["true", probe]}}}
    expect: up.exit_code == 0
repairs:
  start-service:
    summary: Start a service
    params: {service: {pattern: "[a-z]+", data: true}}
    steps: [{exec: {command: ["true", start, "{service}"]}}]
    verify: {check: service-up}
"""


@pytest.fixture
def declared(tmp_path: Path) -> Path:
    """A runbook with a repair."""
    path = tmp_path / "declared.yaml"
    path.write_text(RUNBOOK)
    return path


async def test_a_declared_repair_is_carried_out(agent_pod: AgentPod, declared: Path) -> None:
    agent_pod.answers(usual_answers())
    target = agent_pod.where() | {"argocd": None, "runbook": [str(declared)]}
    with admission(agent_pod, compiled(str(declared))):
        config = agent_pod.kubeconfig()
        async with Sandbox(rate_limits=False, kubeconfig=config, target=target, settings=SETTINGS) as sandbox:
            world = World(sandbox, await sandbox.start_bot())
            repair = await asked(world, "start-service sshd --reason try")
            await repair.click(seed.PRIYA)
            await repair.shows("✅ ")
            assert "ValidatingAdmissionPolicy" not in repair.card.all_text()
        with closing(Caller(agent_pod)) as caller:
            assert caller.exec(["true", "start", "sshd"]).taken
            for word in ("-x", "Sshd", "sshd\n", "sshd x", ""):
                assert caller.exec(["true", "start", word]).refused, word
            assert caller.exec(["true", "start", "sshd", "x"]).refused


async def test_a_repair_that_is_not_in_the_policies_is_refused_and_says_by_which(
    agent_pod: AgentPod, declared: Path
) -> None:
    target = agent_pod.where() | {"argocd": None, "runbook": [str(declared)]}
    with admission(agent_pod, BOOK):
        config = agent_pod.kubeconfig()
        async with Sandbox(rate_limits=False, kubeconfig=config, target=target, settings=SETTINGS) as sandbox:
            world = World(sandbox, await sandbox.start_bot())
            answer = await world.ask("status")
    assert "agentpod runbook rights --policies" in answer.text
    assert "the bot's own admission policy refused it" in answer.first_line


def test_the_policies_are_compiled_without_a_warning_of_the_type_checker(guarded: AgentPod) -> None:
    for thing in policies_of(guarded, BOOK):
        if thing["kind"] == POLICY:
            found = guarded.plane.call("GET", path_of(thing))
            assert found["status"].get("typeChecking", {}).get("expressionWarnings", []) == []
            assert found["spec"] == thing["spec"]  # the API server adds no default


def test_the_type_checker_would_find_a_mistake(plane: Plane, guarded: AgentPod) -> None:
    wrong = next(one for one in policies_of(guarded, BOOK) if one["metadata"]["name"].endswith(".secrets"))
    wrong["metadata"]["name"] = "wrong"
    wrong["spec"]["validations"][0]["expression"] = "object.spec.nothing == 1"
    plane.call("POST", path_of(wrong, named=False), wrong)
    try:
        guarded.until(lambda: plane.call("GET", path_of(wrong)).get("status", {}).get("observedGeneration"))
        assert plane.call("GET", path_of(wrong))["status"]["typeChecking"]["expressionWarnings"]
    finally:
        plane.call("DELETE", path_of(wrong))


KEY = "/home/claude/.ssh-host-keys/ssh_host_rsa_key.pub"
ARGUMENTS = (
    KEY,
    "17",
    "count=17",
    "/opt/scripts/session-manager.sh",
    "/home/claude/.crontab.agentpod-new",
    "/etc/ssh-keys/authorized_keys",
)
"""Arguments of the forms that vary; one for each."""


STDIN: dict[bool, dict[str, str]] = {False: {}, True: {"stdin": "true"}}


def _sample(form: ExecForm) -> list[str]:
    """The longest command of a form."""
    more = [form.more] * form.most
    return [_argument(word) for word in (*form.words, *more)]


def _argument(word: Word | None) -> str:
    if not isinstance(word, Matching):
        return str(word)
    fitting = [one for one in ARGUMENTS if word.fits(one)]
    assert fitting, f"add an argument of the form {word.patterns}"
    return fitting[0]


def test_every_declared_command_is_taken_and_only_so(guarded: AgentPod, caller: Caller) -> None:
    for form in all_exec_forms(target_of(guarded), BOOK):
        argv = _sample(form)
        for method in ("POST", "GET"):
            assert caller.exec(argv, form.container, method=method, **STDIN[form.stdin]).taken, argv
        assert caller.exec(argv, form.container, **STDIN[not form.stdin]).refused, argv


def test_random_neighbours_are_all_refused(guarded: AgentPod, caller: Caller) -> None:
    neighbours = Neighbours(guarded, all_exec_forms(target_of(guarded), BOOK), OTHERS, seed=17)
    attempts = [neighbours.attempt() for _ in range(TRIES)]
    answers = [attempt.make(caller) for attempt in attempts]
    taken = [attempt.what for attempt, said in zip(attempts, answers, strict=True) if said.taken]
    assert taken == []
    by_others = [(a.what, said) for a, said in zip(attempts, answers, strict=True) if not said.refused]
    assert len(by_others) < TRIES // 20, by_others  # such as a patch that is not valid


def test_without_the_policies_the_neighbours_are_taken(agent_pod: AgentPod) -> None:
    """RBAC alone lets the account do most of it: so it is the policies that refuse."""
    for name in OTHERS:
        bare_pod(agent_pod, name, {})
    neighbours = Neighbours(agent_pod, all_exec_forms(target_of(agent_pod), BOOK), OTHERS, seed=17)
    with closing(Caller(agent_pod)) as caller:
        answers = Counter(neighbours.attempt().make(caller).taken for _ in range(200))
    assert answers[True] > 180, answers


@pytest.mark.parametrize("kind", ["deployment", "secret"])
def test_each_kind_of_patch_is_refused(guarded: AgentPod, caller: Caller, kind: str) -> None:
    dice = Neighbours(guarded, [], OTHERS, seed=1).dice
    if kind == "deployment":
        kind = "strategic-merge-patch+json"
        found = [caller.patch(guarded.deployment_path, change(dice), kind) for change in DEPLOYMENT]
    else:
        path = f"{guarded.path}/secrets/agent-ssh-keys"
        found = [caller.patch(path, change(dice, "authorized_keys")) for change in SECRET]
    assert [said.text for said in found if not said.refused] == []


def test_what_the_repairs_patch_is_taken(guarded: AgentPod, caller: Caller) -> None:
    marks = {
        "kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00+00:00",
        "agentpod.dev/approval": "r-22222222",
    }
    restart = {"spec": {"template": {"metadata": {"annotations": marks}}}}
    assert caller.patch(guarded.deployment_path, restart).taken
    for secret, key in (("agent-secrets-tier2", "NEW"), ("agent-ssh-keys", "authorized_keys")):
        body = {"metadata": {"annotations": {"agentpod.dev/approval": "r-1"}}, "data": {key: "YQ=="}}
        assert caller.patch(f"{guarded.path}/secrets/{secret}", body).taken
    own = guarded.pod()["metadata"]
    assert caller.delete(own["name"], {"preconditions": {"uid": own["uid"]}}).taken


@pytest.fixture
def mighty(guarded: AgentPod, caller: Caller) -> Iterator[Caller]:
    """The account with every right in its namespace, so that nothing but the policies can refuse."""
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    account = {"kind": "ServiceAccount", "name": "agentpod", "namespace": guarded.namespace}
    binding = {"metadata": {"name": "mighty"}, "roleRef": role, "subjects": [account]}
    guarded.ensure(guarded.rbac("rolebindings", ""), binding)
    guarded.until(lambda: caller.call("GET", f"{guarded.path}/configmaps").status == 200)
    yield caller
    guarded.plane.call("DELETE", guarded.rbac("rolebindings", "mighty"))
    guarded.until(lambda: caller.call("GET", f"{guarded.path}/configmaps").status == 403)


Call = Callable[[Caller, str, str], Said]
DRY = "dryRun=All"
BEYOND: dict[str, Call] = {
    "attach": lambda c, ns, pod: c.call("POST", f"{ns}/pods/{pod}/attach?container=kali&stdout=true"),
    "attach by GET": lambda c, ns, pod: c.call("GET", f"{ns}/pods/{pod}/attach?container=kali&stdout=true"),
    "port-forward": lambda c, ns, pod: c.call("POST", f"{ns}/pods/{pod}/portforward"),
    "port-forward by GET": lambda c, ns, pod: c.call("GET", f"{ns}/pods/{pod}/portforward"),
    "proxy of a pod": lambda c, ns, pod: c.call("GET", f"{ns}/pods/{pod}/proxy/"),
    "eviction": lambda c, ns, pod: c.call("POST", f"{ns}/pods/{pod}/eviction?{DRY}", _eviction(pod)),
    "ephemeral container": lambda c, ns, pod: c.patch(
        f"{ns}/pods/{pod}/ephemeralcontainers",
        {"spec": {"ephemeralContainers": [{"name": "x", "image": "x"}]}},
        "strategic-merge-patch+json",
    ),
    "labels of the pod": lambda c, ns, pod: c.patch(f"{ns}/pods/{pod}", {"metadata": {"labels": {"a": "b"}}}),
    "labels of another": lambda c, ns, _: c.patch(f"{ns}/pods/another", {"metadata": {"labels": OWN_LABELS}}),
    "status of the pod": lambda c, ns, pod: c.patch(f"{ns}/pods/{pod}/status", {"status": {"phase": "Failed"}}),
    "new pod": lambda c, ns, _: c.call("POST", f"{ns}/pods?{DRY}", _new_pod()),
    "all pods": lambda c, ns, _: c.call("DELETE", f"{ns}/pods?{DRY}"),
    "configmap": lambda c, ns, _: c.call("POST", f"{ns}/configmaps?{DRY}", {"metadata": {"name": "x"}}),
    "token": lambda c, ns, _: c.call("POST", f"{ns}/serviceaccounts/default/token?{DRY}", {"spec": {}}),
    "new secret": lambda c, ns, _: c.call("POST", f"{ns}/secrets?{DRY}", {"metadata": {"name": "x"}}),
    "deleted secret": lambda c, ns, _: c.call("DELETE", f"{ns}/secrets/agent-ssh-keys?{DRY}"),
    "another secret": lambda c, ns, _: c.patch(f"{ns}/secrets/slack", {"data": {"x": "YQ=="}}),
    "service": lambda c, ns, _: c.call("POST", f"{ns}/services?{DRY}", _service()),
}


def _eviction(pod: str) -> Object:
    return {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}


def _new_pod() -> Object:
    return {"metadata": {"name": "new"}, "spec": {"containers": [{"name": "x", "image": "x"}]}}


def _service() -> Object:
    return {"metadata": {"name": "x"}, "spec": {"ports": [{"port": 80}], "selector": OWN_LABELS}}


@pytest.mark.parametrize("name", BEYOND)
def test_what_no_role_should_grant_is_refused_even_where_one_does(
    guarded: AgentPod, mighty: Caller, name: str
) -> None:
    guarded.ensure(f"{guarded.path}/secrets", {"metadata": {"name": "slack"}, "data": {"token": "eA=="}})
    said = BEYOND[name](mighty, guarded.path, guarded.pod()["metadata"]["name"])
    assert said.refused, said


def test_the_deployment_can_be_changed_by_no_other_call(guarded: AgentPod, mighty: Caller) -> None:
    path = guarded.deployment_path
    whole = guarded.plane.call("GET", path)
    whole["spec"]["template"]["spec"]["hostNetwork"] = True
    tries: Sequence[Said] = [
        mighty.call("PUT", f"{path}?{DRY}", whole),
        mighty.call("DELETE", f"{path}?{DRY}"),
        mighty.patch(f"{path}/scale", {"spec": {"replicas": 0}}),
        mighty.patch(f"{path}/status", {"status": {"replicas": 9}}),
        mighty.patch(path, [{"op": "replace", "path": "/spec/replicas", "value": 3}], "json-patch+json"),
        mighty.call("POST", f"{path.rsplit('/', 1)[0]}?{DRY}", {**whole, "metadata": {"name": "other"}}),
        mighty.call("POST", f"{guarded.rbac('roles', '')}?{DRY}", {"metadata": {"name": "x"}, "rules": []}),
    ]
    assert [said for said in tries if not said.refused] == []


def shipped(*names: str) -> Iterator[Object]:
    """The documents of files of the options."""
    for name in names:
        yield from yaml.safe_load_all((ROOT / f"deploy/options/{name}.yaml").read_text())


def test_other_accounts_are_left_alone(guarded: AgentPod) -> None:
    name = guarded.pod()["metadata"]["name"]
    said = guarded.patch(f"{guarded.path}/pods/{name}?{DRY}", {"metadata": {"labels": {"a": "b"}}})
    assert said["metadata"]["labels"]["a"] == "b"


def test_a_policy_is_no_object_that_the_account_may_change(guarded: AgentPod, caller: Caller) -> None:
    path = f"{BASE}/{RESOURCES[POLICY]}/agentpod.{guarded.namespace}.exec"
    assert caller.patch(path, {"spec": {"failurePolicy": "Ignore"}}).status == 403


@pytest.fixture
def readable(guarded: AgentPod) -> Iterator[None]:
    """The option's ClusterRole, by which the bot may read its policies."""
    name = f"reads-{guarded.namespace}"
    rule = {"apiGroups": [GROUP], "resources": [*RESOURCES.values()], "resourceNames": names(guarded.namespace)}
    api = "/apis/rbac.authorization.k8s.io/v1"
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}
    account = {"kind": "ServiceAccount", "name": "agentpod", "namespace": guarded.namespace}
    guarded.ensure(f"{api}/clusterroles", {"metadata": {"name": name}, "rules": [{**rule, "verbs": ["get"]}]})
    binding = {"metadata": {"name": name}, "roleRef": role, "subjects": [account]}
    guarded.ensure(f"{api}/clusterrolebindings", binding)
    yield
    guarded.plane.call("DELETE", f"{api}/clusterrolebindings/{name}")
    guarded.plane.call("DELETE", f"{api}/clusterroles/{name}")


async def _checked(pod: AgentPod, kubeconfig: Path | None = None) -> str:
    """What `agentpod check` would say of the policies."""
    async with port(kubeconfig or pod.kubeconfig(), pod.namespace) as cluster:
        user = f"system:serviceaccount:{pod.namespace}:agentpod"
        verdict = await admission_check.policies(cluster, [target_of(pod)], {pod.namespace: BOOK}, user)
    return f"{verdict.ok}: {verdict.detail}"


async def test_check_can_not_tell_without_the_right_to_read_them(guarded: AgentPod) -> None:
    assert (await _checked(guarded)).startswith(
        "None: unknown whether admission policies are installed, and which"
    )


async def test_check_compares_them_with_what_is_needed(guarded: AgentPod, readable: None) -> None:
    await comes_true(lambda: _says(guarded, "True: 5 admission policies hold"), "as needed")
    path = f"{BASE}/{RESOURCES[BINDING]}/agentpod.{guarded.namespace}.pods"
    guarded.patch(path, {"spec": {"validationActions": ["Audit"]}})
    try:
        assert "does not refuse anything (validationActions: Audit)" in await _checked(guarded)
    finally:
        guarded.patch(path, {"spec": {"validationActions": ["Deny"]}})
    assert (await _checked(guarded)).startswith("True")


async def test_the_whole_check_reports_them_and_counts_the_right_to_read_them_as_no_excess(
    guarded: AgentPod, readable: None
) -> None:
    config, where = guarded.kubeconfig(), guarded.where()
    sandbox = Sandbox(rate_limits=False, kubeconfig=config, target=where, settings=SETTINGS)
    async with sandbox:
        bot = sandbox.bot()
        await bot.start("check")
        code, said = await bot.wait(), " ".join(bot.output().split())
    assert "5 admission policies hold system:serviceaccount:" in said
    assert "rights are granted, and no others" in said
    assert "no container of the pod has a token" in said
    assert code == 0


async def _says(pod: AgentPod, text: str) -> bool:
    return text in await _checked(pod)


@pytest.fixture
def with_token(agent_pod: AgentPod) -> AgentPod:
    """An agent pod with its account's token, as Kubernetes mounts it by itself."""
    old = agent_pod.pod()["metadata"]["uid"]
    agent_pod.patch(
        agent_pod.deployment_path, {"spec": {"template": {"spec": {"automountServiceAccountToken": True}}}}
    )
    agent_pod.until(lambda: [one["metadata"]["uid"] != old for one in agent_pod.ready_pods()] == [True])
    return agent_pod


async def test_check_says_that_the_pod_has_no_token(guarded: AgentPod) -> None:
    async with port(guarded.kubeconfig(), guarded.namespace) as cluster:
        verdict = await admission_check.reach(cluster, target_of(guarded))
    assert verdict is not None
    assert (verdict.ok, verdict.detail) == (
        True,
        "no container of the pod has a token of its ServiceAccount default",
    )


async def test_check_says_what_a_command_reaches_by_the_pods_own_account(with_token: AgentPod) -> None:
    async with port(with_token.kubeconfig(), with_token.namespace) as cluster:
        verdict = await admission_check.reach(cluster, target_of(with_token))
    assert verdict is not None
    assert "token of the pod's own ServiceAccount default; what that account may do, the bot has no right" in (
        verdict.detail
    )
    account = f"system:serviceaccount:{with_token.namespace}:default"
    assert f"kubectl auth can-i --list -n {with_token.namespace} --as={account}" in str(verdict.remedy)


@pytest.mark.parametrize(
    ("role", "says"),
    [
        ("cluster-admin", "may do everything in the whole cluster (cluster-admin)"),
        ("system:discovery", "which has none of"),
    ],
)
async def test_an_administrator_is_told_what_that_account_may_do(
    with_token: AgentPod, role: str, says: str
) -> None:
    api, name = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", f"pod-of-{with_token.namespace}"
    of = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}
    account = {"kind": "ServiceAccount", "name": "default", "namespace": with_token.namespace}
    with_token.plane.call("POST", api, {"metadata": {"name": name}, "roleRef": of, "subjects": [account]})

    async def said() -> bool:
        async with port(with_token.plane.folder / "admin.kubeconfig", with_token.namespace) as cluster:
            verdict = await admission_check.reach(cluster, target_of(with_token))
        return verdict is not None and says in verdict.detail

    try:
        await comes_true(said, says)
    finally:
        with_token.plane.call("DELETE", f"{api}/{name}")


async def test_a_refusal_says_who_refused_and_what_to_do(guarded: AgentPod) -> None:
    async with port(guarded.kubeconfig(), guarded.namespace) as cluster:
        [pod] = await cluster.pods(target_of(guarded).selector)
        with pytest.raises(Denied) as caught:
            await cluster.exec(pod.name, "kali", ["cat", "/etc/shadow"])
        seen = await cluster.secret("agent-ssh-keys")
        with pytest.raises(Denied) as of_a_secret:
            await cluster.set_secret_key(seen, "other", b"a value", {})
    policy = f"agentpod.{guarded.namespace}.exec"
    assert f"The bot's own admission policy {policy} refused it: " in caught.value.message
    assert "this is no command that agentpod runs in this container (create pods/exec" in caught.value.message
    assert "agentpod runbook rights --policies" in str(caught.value.remedy)
    assert "admission policy" in of_a_secret.value.message
    assert "a value" not in of_a_secret.value.message
