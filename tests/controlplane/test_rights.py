"""The account's rights by the real authoriser: none missing, none in excess, and as in docs/rights.md."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest
import pytest_asyncio

from bot.domain.core.target import Target
from bot.domain.core.workload import Right
from bot.domain.rbac.forbidden import OTHER_NAMESPACES, Where, to_ask
from bot.domain.rbac.rights import EVERYBODY, EVERYWHERE, VERBS, Permission, grants
from bot.wiring.rights import rights_needed
from bot.wiring.runbook_tools import compiled
from commands.registry import BUILTIN
from sandbox.environment import Sandbox
from tests.controlplane.agent_pod import CRDS, KUBECTL, PATIENCE, ROOT
from tests.controlplane.authoriser import (
    REVIEWS,
    Account,
    Question,
    allowed,
    cross,
    differences,
    paths_allowed,
    resources,
    review,
)
from tests.controlplane.plane import Plane
from tests.controlplane.stands import connect
from tests.scenarios import talk

OWN = Target().namespace
OTHER = OTHER_NAMESPACES[0]
PLACES = (OWN, "argocd", OTHER, EVERYWHERE)
"""The bot's namespace, the other one of a needed right, an unrelated one, and the whole cluster."""
BOT, NOBODY = Account(OWN, "agentpod"), Account(OWN, "nobody")
RBAC = "rbac.authorization.k8s.io"
NAMES = {
    ("", "secrets"): ("agent-secrets-tier2", "agent-ssh-keys", "agentpod", "another"),
    ("", "configmaps"): ("agentpod-settings", "another"),
    ("", "serviceaccounts"): ("agentpod", "default"),
    ("", "serviceaccounts/token"): ("agentpod", "default"),
    ("apps", "deployments"): ("secure-agent-pod", "agentpod", "another"),
    ("apps", "deployments/scale"): ("secure-agent-pod", "agentpod"),
    ("argoproj.io", "applications"): ("secure-agent-pod", "agentpod", "another"),
    (RBAC, "roles"): ("agentpod",),
    (RBAC, "clusterroles"): ("cluster-admin",),
}
"""Names to ask for: those needed by name, the bot's own, and an unrelated one."""
PUBLIC_PATHS = ("/api/v1", "/healthz", "/readyz", "/version")
PATHS = (*PUBLIC_PATHS, "/", "/metrics", "/logs/", "/debug/pprof/", "/configz", "/statusz", "/flagz")
TOO_MUCH = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list"]}
ALL = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}

Expected = dict[str, set[Permission]]
OPTIONS = ("options/argocd", "options/egress")
"""What lets the bot read more."""


def named_rights() -> list[Right]:
    """The rights that the commands need, each with its namespace."""
    needed = rights_needed(Target(), BUILTIN, book=compiled("secure-agent-pod"))
    return [replace(r, namespace=OWN) if r.namespace is None else r for r in needed]


def needed() -> Expected:
    """The rights that the commands need or that every account has, by namespace."""
    found: Expected = {place: set(EVERYBODY) for place in PLACES}
    for right in named_rights():
        found[right.namespace or EVERYWHERE].add(Permission.of(right))
    return found


class Installed:
    """`deploy/base` and the options that read, applied with kubectl in the namespaces that they name."""

    def __init__(self, plane: Plane) -> None:
        """Nothing is applied yet."""
        self.plane = plane
        self.kinds = resources(plane, CRDS)
        self.questions = cross(self.kinds, PLACES, NAMES)

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        """Run kubectl as administrator; returns its output. Raises AssertionError with its error."""
        config = f"--kubeconfig={self.plane.folder / 'admin.kubeconfig'}"
        done = subprocess.run(
            [str(KUBECTL), config, *words],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            env={"HOME": str(self.plane.folder), "PATH": os.environ["PATH"]},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def apply(self) -> None:
        """Apply, and wait until the authoriser has the rules."""
        for folder in ("base", *OPTIONS):
            self.kubectl("apply", "-k", str(ROOT / "deploy" / folder))
        until(lambda: not self.differences(self.about_needs()))

    def differences(self, questions: list[Question], expected: Expected | None = None) -> list[str]:
        """The differences between the bot's rights and the expected ones (by default: those needed)."""
        granted = allowed(self.plane, BOT, questions)
        return differences(granted, questions, needed() if expected is None else expected)

    def about_needs(self) -> list[Question]:
        """The questions about needed rights only."""
        return [Question(place, grant) for place, grants_ in needed().items() for grant in grants_]

    def about(self, *kinds: tuple[str, str]) -> list[Question]:
        """The questions about some kinds."""
        return [q for q in self.questions if (q.grant.group, q.grant.resource) in kinds]

    def token(self, account: Account) -> str:
        """A token as the API server issues it."""
        path = f"/api/v1/namespaces/{account.namespace}/serviceaccounts/{account.name}/token"
        return str(self.plane.call("POST", path, {"spec": {"expirationSeconds": 3600}})["status"]["token"])

    @contextmanager
    def also(self, kind: str, namespace: str, rule: Mapping[str, Any]) -> Iterator[None]:
        """Bind one more Role or ClusterRole to the bot, in a namespace or in the whole cluster."""
        place = f"/apis/{RBAC}/v1" + (f"/namespaces/{namespace}" if namespace else "")
        binding = {
            "metadata": {"name": "too-much"},
            "roleRef": {"apiGroup": RBAC, "kind": kind, "name": "too-much"},
            "subjects": [{"kind": "ServiceAccount", "name": BOT.name, "namespace": BOT.namespace}],
        }
        roles, bindings = (
            f"{place}/{kind.lower()}s",
            f"{place}/{'rolebindings' if namespace else 'clusterrolebindings'}",
        )
        self.plane.call("POST", roles, {"metadata": binding["metadata"], "rules": [rule]})
        self.plane.call("POST", bindings, binding)
        try:
            until(lambda: self._holds(namespace, rule))
            yield
        finally:
            self.plane.call("DELETE", f"{bindings}/too-much")
            self.plane.call("DELETE", f"{roles}/too-much")
            until(lambda: not self._holds(namespace, rule))

    def _holds(self, namespace: str, rule: Mapping[str, Any]) -> bool:
        """Whether the authoriser currently applies a rule."""
        names = rule.get("resourceNames", [""])
        atom = Permission(rule["apiGroups"][0], rule["resources"][0], names[0], rule["verbs"][0])
        spec = review(BOT, Question(namespace, atom))
        return bool(self.plane.call("POST", REVIEWS, {"spec": spec})["status"]["allowed"])


def until(condition: Callable[[], Any]) -> None:
    """Poll until a condition holds; a refusal by the server counts as not yet."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            if condition():
                return
        except HTTPError as error:
            last: object = error.msg
        else:
            last = "not yet"
        assert time.monotonic() < end, last
        time.sleep(0.05)


@pytest.fixture(scope="module")
def installed(plane: Plane) -> Iterator[Installed]:
    """The bot as shipped, and an account without any binding; removed afterwards."""
    here = Installed(plane)
    for name in (OWN, "argocd"):
        until(lambda name=name: _namespace(plane, name))
    path = f"/api/v1/namespaces/{OWN}/serviceaccounts"
    plane.call("POST", path, {"metadata": {"name": NOBODY.name}})
    here.apply()
    yield here
    for folder in (*OPTIONS, "base"):
        here.kubectl("delete", "-k", str(ROOT / "deploy" / folder))
    here.kubectl("delete", "namespace", OWN)


def _namespace(plane: Plane, name: str) -> bool:
    """Whether the namespace can be used; creates it if missing, and is False while it is being deleted."""
    try:
        plane.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    except HTTPError:
        return bool(plane.call("GET", f"/api/v1/namespaces/{name}")["status"]["phase"] == "Active")
    return True


# Every combination


def test_the_questions_cover_every_kind_and_verb(installed: Installed) -> None:
    kinds = set(installed.kinds)
    assert {
        ("", "pods/exec"),
        ("", "nodes/proxy"),
        (RBAC, "clusterroles"),
        ("cilium.io", "ciliumnetworkpolicies"),
    } <= kinds
    assert len(kinds) > 120
    asked = set(installed.questions)
    assert {q for q in installed.about_needs() if q.grant not in EVERYBODY} <= asked
    assert {q.grant.verb for q in asked} > {*VERBS, "impersonate", "bind", "escalate", "approve", "sign"}


def test_the_shipped_account_has_exactly_the_needed_rights(installed: Installed) -> None:
    assert installed.differences(installed.questions) == []


def test_an_account_without_a_binding_has_the_rights_of_every_account(installed: Installed) -> None:
    questions = cross(installed.kinds, (EVERYWHERE,), {})
    granted = allowed(installed.plane, NOBODY, questions)
    assert differences(granted, questions, {EVERYWHERE: EVERYBODY}) == []


def test_the_bot_may_read_no_more_paths_than_every_account(installed: Installed) -> None:
    asked = [(verb, path) for verb in ("get", "post", "put", "delete") for path in PATHS]
    granted = paths_allowed(installed.plane, BOT, asked)
    assert granted == paths_allowed(installed.plane, NOBODY, asked)
    assert granted == {("get", path) for path in PUBLIC_PATHS}


async def test_the_servers_own_list_of_rules_matches_the_needed_rights(
    installed: Installed, tmp_path: Path
) -> None:
    for account in (BOT, NOBODY):
        config = installed.plane.kubeconfig(tmp_path / account.name, installed.token(account), OWN)
        cluster = await connect(config, OWN)
        try:
            for place in (OWN, "argocd", *OTHER_NAMESPACES):
                listed = await cluster.rules(place)
                assert not listed.incomplete
                expected = needed().get(place) if account is BOT else None
                assert set(grants(listed.rules)) == (expected or set(EVERYBODY))
        finally:
            await cluster.close()


def test_the_rights_listed_as_refused_are_refused(installed: Installed) -> None:
    rights = to_ask(named_rights(), OWN, OTHER_NAMESPACES)
    asked = [Question(right.namespace or EVERYWHERE, Permission.of(right)) for right in rights]
    assert len(asked) > 50
    assert allowed(installed.plane, BOT, asked) == set()


# The comparison itself must find errors


@pytest.mark.parametrize(
    ("kind", "namespace", "rule", "excess"),
    [
        (
            "Role",
            OWN,
            {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]},
            [f"list configmaps{name} in {OWN}" for name in ("", ' "agentpod-settings"', ' "another"')],
        ),
        (
            "Role",
            OWN,
            {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["agentpod"], "verbs": ["get"]},
            [f'get secrets "agentpod" in {OWN}'],
        ),
        (
            "ClusterRole",
            EVERYWHERE,
            {"apiGroups": [""], "resources": ["nodes/proxy"], "verbs": ["get"]},
            [f"get nodes/proxy in {place or 'the whole cluster'}" for place in sorted(PLACES)],
        ),
        (
            "Role",
            OTHER,
            {"apiGroups": [""], "resources": ["*/log"], "verbs": ["get"]},
            [f"get */log in {OTHER}", f"get pods/log in {OTHER}"],
        ),
    ],
)
def test_a_widened_role_is_named_as_excess(
    installed: Installed, kind: str, namespace: str, rule: dict[str, Any], excess: list[str]
) -> None:
    kinds = ("configmaps", "secrets", "nodes/proxy", "pods/log", "*/log", "pods")
    questions = installed.about(*(("", kind) for kind in kinds))
    with installed.also(kind, namespace, rule):
        assert installed.differences(questions) == [f"excess: {said}" for said in excess]


def test_a_narrowed_role_is_named_as_missing(installed: Installed) -> None:
    questions = installed.about(("", "pods/exec"), ("", "pods"))
    path = f"/apis/{RBAC}/v1/namespaces/{OWN}/roles/agentpod"
    rules = installed.plane.call("GET", path)["rules"]
    fewer = {"rules": [rule for rule in rules if rule["resources"] != ["pods/exec"]]}
    installed.plane.call("PATCH", path, fewer, "application/merge-patch+json")
    try:
        until(lambda: installed.differences(questions))
        missing = [f"missing: {verb} pods/exec in {OWN}" for verb in ("create", "get")]
        assert installed.differences(questions) == missing
    finally:
        installed.apply()


# docs/rights.md

_RIGHT = re.compile(r'`(\S+) ([^./\s`]+)(?:\.([^/\s`]+))?(?:/([^\s`]+))?(?: "(.*)")?`')


def table(heading: str) -> list[list[str]]:
    """The rows of the table under a heading of docs/rights.md, without the table's header."""
    text = (ROOT / "docs" / "rights.md").read_text(encoding="utf-8")
    part = text.split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in part.splitlines() if line.startswith("|")]
    return rows[2:]


def grant_of(text: str) -> Permission:
    """Parse a right as written on the page."""
    found = _RIGHT.fullmatch(text)
    assert found, text
    verb, resource, group, subresource, name = found.groups()
    return Permission(group or "", f"{resource}/{subresource}" if subresource else resource, name or "", verb)


def place_of(text: str) -> str:
    """Parse a place as written on the page."""
    return OWN if text == Where.OWN.value else text.strip("`")


def test_the_rights_on_the_page_are_those_granted(installed: Installed) -> None:
    documented: Expected = {place: set(EVERYBODY) for place in PLACES}
    for right, where, *_ in table("Granted"):
        documented[place_of(where)].add(grant_of(right))
    assert documented == needed()
    assert installed.differences(installed.about_needs(), documented) == []


def test_the_pages_matrix_matches_the_granted_rights(installed: Installed) -> None:
    cells: Expected = {place: set(EVERYBODY) for place in PLACES}
    for where, kind, *verbs in table("The whole matrix"):
        for verb, cell in zip(VERBS, verbs, strict=True):
            assert cell in ("yes", "–")
            if cell == "yes":
                kind_, _, only = kind.partition(", only ")
                named = f' "{only[1:-1]}"' if only else ""
                cells[place_of(where)].add(grant_of(f"`{verb} {kind_[1:-1]}{named}`"))
    assert cells == needed()


def test_the_rights_that_the_page_lists_as_refused_are_refused(installed: Installed) -> None:
    places = {Where.OWN: (OWN,), Where.OTHER: OTHER_NAMESPACES, Where.CLUSTER: (EVERYWHERE,)}
    asked = []
    for right, where, reason in table("Refused, and why it matters"):
        assert reason
        grant = Permission("*", "*", "", "*") if right == "every verb on everything" else grant_of(right)
        asked += [Question(p, grant) for w in where.split(", ") for p in places[Where(w)]]
    assert len(asked) > 50
    assert allowed(installed.plane, BOT, asked) == set()


# `agentpod check` and the start-up report, as a process with only the account's token


@pytest_asyncio.fixture
async def house(installed: Installed, tmp_path: Path) -> AsyncIterator[Sandbox]:
    """A sandbox whose bot has a kubeconfig with nothing but the account's token."""
    config = installed.plane.kubeconfig(tmp_path / "token-only", installed.token(BOT), OWN)
    async with Sandbox(kubeconfig=config, rate_limits=False) as sandbox:
        yield sandbox


async def check(house: Sandbox) -> tuple[int, str]:
    """`agentpod check`: exit code and output, on one line."""
    bot = house.bot()
    await bot.start("check")
    code = await bot.wait()
    return code, " ".join(bot.output().split())


async def test_check_finds_the_shipped_rights_exact(house: Sandbox) -> None:
    code, said = await check(house)
    assert f"all {len(named_rights())} rights are granted, and no others" in said
    assert "more than agentpod needs" not in said
    assert code == 0


@pytest.mark.parametrize(
    ("kind", "namespace", "rule", "excess"),
    [
        ("Role", OWN, TOO_MUCH, "get, list secrets (any) →"),
        ("ClusterRole", EVERYWHERE, TOO_MUCH, "in the whole cluster: get, list secrets (any) →"),
        ("Role", "kube-system", TOO_MUCH, "in kube-system: get, list secrets (any) →"),
        (
            "ClusterRole",
            EVERYWHERE,
            {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
            "everything: cluster admin →",
        ),
    ],
)
async def test_check_names_exactly_the_excess(
    installed: Installed, house: Sandbox, kind: str, namespace: str, rule: dict[str, Any], excess: str
) -> None:
    with installed.also(kind, namespace, rule):
        code, said = await check(house)
    assert f"! Target secure-agent-pod: the account can do more than agentpod needs: {excess}" in said
    assert f"all {len(named_rights())} rights are granted ✓ " in said
    assert code == 0


async def test_the_start_up_report_names_exactly_the_excess(installed: Installed, house: Sandbox) -> None:
    with installed.also("Role", OWN, TOO_MUCH):
        bot = await house.start_bot()
        await talk.until(lambda: "permissions checked" in bot.output(), bot.output)
        await bot.stop()
    assert "the account can do more than agentpod needs: get, list secrets (any)" in bot.output()
    assert "missing=0  excess=1" in bot.output()
