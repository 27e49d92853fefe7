"""The API server's reviews of the account's rights, and the conclusions from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import pytest

from bot.check.cluster import describe_beyond, rights_checks
from bot.check.report import Check
from bot.domain.core.target import ArgoCD, Target
from bot.domain.core.workload import PolicyRule, Right, Rules
from bot.errors import AgentpodError, NotAllowed, TimedOut
from bot.wiring.rights import Beyond, beyond_needs, review, rights_needed
from commands.registry import BUILTIN
from sandbox.cluster import rbac

OWN = "secure-agent-pod"
ACCOUNT = f"system:serviceaccount:{OWN}:agentpod"


@dataclass
class Account:
    """An account with rules by namespace (``""``: everywhere), with RBAC's answers."""

    rules_held: list[tuple[str, PolicyRule]] = field(default_factory=list)
    hidden: list[tuple[str, PolicyRule]] = field(default_factory=list)
    """Rights that the authorizer grants without listing them, as a webhook does."""
    incomplete: str | None = None
    refuse: Callable[[str], AgentpodError | None] = lambda _: None
    asked: list[str] = field(default_factory=list)

    async def can_i(self, right: Right) -> bool:
        self._ask(str(right))
        namespace = OWN if right.namespace is None else right.namespace
        resource = f"{right.resource}/{right.subresource}" if right.subresource else right.resource
        request = (right.verb, right.group, resource, right.name, namespace)
        return any(
            rbac.Rule(where, rule.groups, rule.resources, rule.verbs, rule.names).allows(*request)
            for where, rule in (*self.rules_held, *self.hidden)
        )

    async def rules(self, namespace: str | None = None) -> Rules:
        self._ask(f"rules of {namespace}")
        held = tuple(rule for where, rule in self.rules_held if where in ("", namespace or OWN))
        return Rules(held, self.incomplete is not None, self.incomplete)

    def _ask(self, question: str) -> None:
        self.asked.append(question)
        if error := self.refuse(question):
            raise error


def rule(group: str, resource: str, verbs: str, *names: str) -> PolicyRule:
    return PolicyRule((group,), (resource,), tuple(verbs.split()), names)


def exactly(*targets: Target) -> list[tuple[str, PolicyRule]]:
    """The rights of the shipped Roles."""
    held = []
    for target in targets:
        for right in rights_needed(target, BUILTIN):
            resource = f"{right.resource}/{right.subresource}" if right.subresource else right.resource
            names = (right.name,) if right.name else ()
            held.append((right.namespace or target.namespace, rule(right.group, resource, right.verb, *names)))
    return held


async def ask(account: Account, *targets: Target) -> Beyond:
    """The excess rights at the first target."""
    every = targets or (Target(),)
    return await beyond_needs(account, every[0], every, BUILTIN)  # type: ignore[arg-type]


async def test_exactly_the_needed_rights_are_no_excess() -> None:
    beyond = await ask(Account(exactly(Target())))
    assert beyond.nothing
    assert str(beyond) == ""


async def test_missing_rights_are_no_excess() -> None:
    account = Account(exactly(Target())[1:])
    missing, beyond = await review(account, Target(), (Target(),), BUILTIN)  # type: ignore[arg-type]
    assert missing == rights_needed(Target(), BUILTIN)[:1]
    assert beyond.nothing


@pytest.mark.parametrize(
    ("where", "granted", "said"),
    [
        (OWN, rule("", "secrets", "get list"), "get, list secrets (any)"),
        (OWN, rule("", "pods", "create"), "create pods"),
        ("argocd", rule("argoproj.io", "applications", "list"), "in argocd: list applications.argoproj.io"),
        ("default", rule("", "pods", "list"), "in default: list pods"),
        ("kube-system", rule("", "configmaps", "get"), "in kube-system: get configmaps"),
        ("", rule("", "nodes", "list"), "in the whole cluster: list nodes"),
        ("", rule("", "pods", "list"), "in the whole cluster: list pods"),
        ("", rule("", "users", "impersonate"), "in the whole cluster: impersonate users"),
        ("", rule("*", "*", "get"), "in the whole cluster: get everything"),
        (OWN, rule("*", "*", "*"), "everything (* on *)"),
        ("", rule("*", "*", "*"), "everything: cluster admin"),
    ],
)
async def test_an_excess_right_is_named_with_its_place(where: str, granted: PolicyRule, said: str) -> None:
    beyond = await ask(Account([*exactly(Target()), (where, granted)]))
    assert str(beyond) == said
    assert len(beyond.found) == 1
    assert not beyond.unknown
    assert beyond.administrator is (said == "everything: cluster admin")


async def test_unlisted_dangerous_rights_are_found() -> None:
    hidden = [("", rule("", "groups", "impersonate")), (OWN, rule("", "secrets", "list"))]
    account = Account(exactly(Target()), hidden, incomplete="webhook authorizer does not support rules")
    beyond = await ask(account)
    assert str(beyond) == "list secrets; in the whole cluster: impersonate groups"
    assert beyond.incomplete == "webhook authorizer does not support rules"


async def test_an_incomplete_list_is_reported() -> None:
    beyond = await ask(Account(exactly(Target()), incomplete="webhook"))
    assert not beyond.found
    assert not beyond.nothing


@pytest.mark.parametrize("refused", ["rules of", "list secrets", ""])
async def test_a_refused_review_is_unknown_and_never_empty(refused: str) -> None:
    def refuse(question: str) -> AgentpodError | None:
        return TimedOut("no answer in 3 s") if refused in question else None

    beyond = await ask(Account(exactly(Target()), refuse=refuse))
    assert beyond.unknown == ("no answer in 3 s",)
    assert not beyond.nothing


async def test_partial_results_are_shown_with_what_failed() -> None:
    def refuse(question: str) -> AgentpodError | None:
        return NotAllowed("refused") if question == "rules of kube-system" else None

    beyond = await ask(Account([*exactly(Target()), (OWN, rule("", "pods", "create"))], refuse=refuse))
    assert str(beyond) == "create pods"
    assert beyond.unknown == ("refused",)


async def test_a_namespace_of_another_target_is_not_another_namespace() -> None:
    second = Target(name="second", namespace="default", argocd=None)
    both = (Target(), second)
    account = Account(exactly(*both))
    for targets in (both, both[::-1]):
        assert (await ask(account, *targets)).nothing
    alone = await ask(account)
    assert "default" in str(alone)


async def test_excess_rights_are_reported_for_their_target_only() -> None:
    second = Target(name="second", namespace="default", argocd=None)
    both = (Target(), second)
    account = Account([*exactly(*both), ("default", rule("", "pods", "create"))])
    assert (await ask(account, *both)).nothing
    assert str(await ask(account, *both[::-1])) == "create pods"


async def test_targets_in_one_namespace_share_their_needed_rights() -> None:
    one, two = Target(), Target(name="two", deployment="two", secrets=("two",), argocd=None)
    account = Account(exactly(one, two))
    assert (await ask(account, one, two)).nothing
    assert 'get, patch secrets "two"' in str(await ask(account, one))


async def test_argo_cd_s_namespace_is_checked_only_if_configured() -> None:
    target = Target(argocd=None)
    account = Account(exactly(target))
    assert (await ask(account, target)).nothing
    assert "rules of argocd" not in account.asked
    elsewhere = Target(argocd=ArgoCD(namespace="kube-system"))
    assert (await ask(Account(exactly(elsewhere)), elsewhere)).nothing


async def test_reviews_are_not_repeated_and_limited_to_a_page() -> None:
    account = Account([("", rule("", f"kind{n}", "get")) for n in range(500)])
    beyond = await ask(account)
    assert len(account.asked) == len(set(account.asked))
    assert 300 < len(account.asked) < 400
    assert str(beyond).endswith("and 194 more")


# The words of `agentpod check`


def lines(beyond: Beyond, user: str | None = ACCOUNT) -> list[tuple[bool | None, str, str]]:
    return [(check.ok, check.detail, check.remedy or "") for check in describe_beyond("T", beyond, user)]


async def beyond_with(*more: tuple[str, PolicyRule], incomplete: str | None = None) -> Beyond:
    return await ask(Account([*exactly(Target()), *more], incomplete=incomplete))


async def test_check_reports_excess_rights_and_how_to_find_the_binding() -> None:
    ((ok, detail, remedy),) = lines(await beyond_with((OWN, rule("", "pods", "create"))))
    assert ok is None
    assert detail == "the account can do more than agentpod needs: create pods"
    assert f"kubectl auth can-i --list -n {OWN} --as={ACCOUNT}" in remedy
    assert "grep secure-agent-pod/agentpod" in remedy
    assert "deploy/base" in remedy


@pytest.mark.parametrize("user", ["kubernetes-admin", None])
async def test_check_accepts_an_administrator_s_kubeconfig_for_a_trial(user: str | None) -> None:
    ((ok, detail, remedy),) = lines(await beyond_with(("", rule("*", "*", "*"))), user)
    assert ok is None
    assert detail.endswith("everything: cluster admin")
    assert remedy.startswith(f"Fine for a try as {user or 'yourself'}; ")
    assert "grep" not in remedy


async def test_check_says_that_a_list_may_be_incomplete() -> None:
    ((ok, alone, _),) = lines(await beyond_with(incomplete="webhook"))
    assert ok is None
    assert alone == "nothing else was found, but perhaps not all: the API server says webhook"
    found = lines(await beyond_with((OWN, rule("", "pods", "create")), incomplete="webhook"))
    assert [detail for _, detail, _ in found][1] == "this list may be incomplete: the API server says webhook"


def details(checks: Iterable[tuple[bool | None, str, str]]) -> list[str]:
    return [detail for _, detail, _ in checks]


def test_check_reports_unknowns_and_nothing_without_excess() -> None:
    unknown = Beyond(OWN, unknown=("no answer in 3 s",))
    assert details(lines(unknown)) == ["unknown what else the account can do: no answer in 3 s"]
    assert lines(Beyond(OWN)) == []


POLICIES = Right("list", "ciliumnetworkpolicies", "cilium.io")
APPLICATION = Right("get", "applications", "argoproj.io", name="secure-agent-pod", namespace="argocd")


def reported(*missing: Right) -> list[Check]:
    return list(rights_checks("Target x", 9, missing, Beyond(OWN)))


def test_check_reports_a_missing_right_with_the_folder_that_grants_it() -> None:
    [found] = reported(Right("list", "pods"))
    assert (found.ok, found.remedy) == (False, "Apply deploy/base: what they grant is exactly what is needed.")
    [found] = reported(APPLICATION, Right("list", "pods"))
    assert found.detail.startswith("2 of 9 rights are missing: ")
    assert found.remedy is not None
    assert found.remedy.startswith("Apply deploy/base and deploy/options/argocd: ")


def test_check_reports_an_option_that_is_not_applied_as_a_note() -> None:
    granted, note = reported(POLICIES)
    assert (granted.ok, granted.detail) == (True, "8 of 9 rights are granted, and no others")
    assert (note.ok, note.remedy) == (
        None,
        "Apply deploy/options/egress if you want that; all else works without it.",
    )
    assert "Cilium's policies can't be read, for egress and diagnose" in note.detail


def test_a_missing_right_of_the_base_fails_beside_an_option_that_is_not_applied() -> None:
    failed, note = reported(POLICIES, Right("list", "pods"))
    assert (failed.ok, failed.detail) == (False, "1 of 9 rights are missing: list pods")
    assert note.ok is None


def test_a_config_map_that_is_named_needs_the_right_of_its_option() -> None:
    right = Right("get", "configmaps", name="mine")
    assert right not in rights_needed(Target(), BUILTIN)
    assert right in rights_needed(Target(config_maps=("mine",)), BUILTIN)
    [found] = reported(right)
    remedy = "Apply deploy/options/configmaps: what they grant is exactly what is needed."
    assert (found.ok, found.remedy) == (False, remedy)
