"""Of settings that are mutated so that they give somebody more, a policy test must notice nearly all.

Whether a mutation widens a right is decided by comparing all rights before and after, not by the policy test.
"""

from __future__ import annotations

import copy
import itertools
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from bot.domain.rbac.access import Identity, grants_of
from bot.domain.rbac.membership import Membership
from bot.domain.rbac.own_roles import CAPABILITIES
from bot.runbook.policy_cases.cases import PolicyCases
from bot.runbook.policy_cases.reading import CasesFile, read
from bot.runbook.policy_cases.report import run
from bot.settings.loader import Loaded
from bot.settings.model import Settings
from bot.wiring.policy_cli import judge_of
from tests.core.policy_settings import CASES, SETTINGS

ROOT = Path(__file__).parents[2]
MUTATIONS = 200
LEAST = 0.95
SEED = 1705
FRESH = {"users": "U0FRESH0001", "groups": "S0FRESH0001", "channels": "C0FRESH0001"}
"""Ids that neither the settings nor the cases have."""
ROLES = ("viewer", "operator", "approver", "auditor")
Raw = dict[str, Any]


class Mutator:
    """Changes settings in ways that mostly widen a right."""

    def __init__(self, base: Raw, seed: int) -> None:
        self.base, self.random = base, random.Random(seed)  # noqa: S311 - no secret

    def one(self) -> tuple[str, Raw]:
        """A mutation's name, and the settings after it."""
        mutations: tuple[Callable[[Raw], str], ...] = (
            self.name_more,
            self.name_everybody,
            self.add_channel,
            self.drop_channels,
            self.admit_guests,
            self.raise_role,
            self.add_rule,
            self.add_narrow_rule,
            self.add_target,
            self.drop_targets,
            self.add_capability,
            self.need_fewer,
            self.approve_oneself,
            self.break_glass,
            self.push_heartbeats,
        )
        while True:
            raw = copy.deepcopy(self.base)
            if name := self.random.choice(mutations)(raw):
                return name, raw

    def known(self, field: str) -> list[str]:
        """The ids of a kind in the rules, and a fresh one."""
        return [*{i for r in self.base["access"]["rules"] for i in r.get(field, ())}, FRESH[field]]

    def rule(self, raw: Raw, fits: Callable[[Raw], bool] = lambda _: True) -> Raw | None:
        found = [rule for rule in raw["access"]["rules"] if fits(rule)]
        return self.random.choice(found) if found else None

    def name_more(self, raw: Raw) -> str:
        rule, field = (
            self.rule(raw, lambda r: "users" in r or "groups" in r),
            self.random.choice(("users", "groups")),
        )
        if rule is None:
            return ""
        added = self.random.choice(self.known(field))
        rule[field] = [*rule.get(field, ()), added]
        return f"{added} in {field}"

    def name_everybody(self, raw: Raw) -> str:
        rule = self.rule(raw, lambda r: "users" in r or "groups" in r)
        if rule is None:
            return ""
        rule["users"] = ["*"]
        return "everybody in users"

    def add_channel(self, raw: Raw) -> str:
        rule, added = self.rule(raw, lambda r: "channels" in r), self.random.choice(self.known("channels"))
        if rule is None:
            return ""
        rule["channels"] = [*rule["channels"], added]
        return f"{added} in channels"

    def drop_channels(self, raw: Raw) -> str:
        rule = self.rule(raw, lambda r: "channels" in r)
        if rule is None:
            return ""
        del rule["channels"]
        if not ("users" in rule or "groups" in rule):
            rule["users"] = ["*"]
        return "channels dropped"

    def admit_guests(self, raw: Raw) -> str:
        rule = self.rule(raw, lambda r: "channels" in r)
        if rule is None:
            return ""
        rule["guests"] = True
        return "guests admitted"

    def raise_role(self, raw: Raw) -> str:
        rule, role = self.rule(raw), self.random.choice(ROLES)
        assert rule is not None
        rule["role"], before = role, rule["role"]
        return f"{before} becomes {role}"

    def add_rule(self, raw: Raw, **more: Any) -> str:
        field = self.random.choice(("users", "groups", "channels"))
        rule = {"role": self.random.choice(ROLES), field: [self.random.choice(self.known(field))], **more}
        raw["access"]["rules"].insert(self.random.randint(0, len(raw["access"]["rules"])), rule)
        return f"a rule for {rule[field][0]}"

    def add_narrow_rule(self, raw: Raw) -> str:
        target = self.random.choice(raw["targets"])["name"]
        return f"{self.add_rule(raw, targets=[target])} and {target}"

    def add_target(self, raw: Raw) -> str:
        rule = self.rule(raw, lambda r: "targets" in r)
        if rule is None:
            return ""
        rule["targets"] = [*rule["targets"], self.random.choice([t["name"] for t in raw["targets"]])]
        return "a target more"

    def drop_targets(self, raw: Raw) -> str:
        rule = self.rule(raw, lambda r: "targets" in r)
        if rule is None:
            return ""
        del rule["targets"]
        return "targets dropped"

    def add_capability(self, raw: Raw) -> str:
        own = raw["access"].get("roles")
        if not own:
            return ""
        added = self.random.choice(CAPABILITIES)
        name = self.random.choice(list(own))
        own[name] = [*own[name], added]
        return f"{name} gets {added}"

    def need_fewer(self, raw: Raw) -> str:
        needed = raw["approvals"]["needed"]
        raw["approvals"]["needed"] = max(1, needed - 1)
        return "fewer approvals"

    def approve_oneself(self, raw: Raw) -> str:
        raw["approvals"]["self_approval"] = True
        return "one's own approval"

    def break_glass(self, raw: Raw) -> str:
        added = self.random.choice([*self.known("users"), *self.known("groups")])
        raw["approvals"]["break_glass"] = [*raw["approvals"].get("break_glass", ()), added]
        return f"{added} breaks glass"

    def push_heartbeats(self, raw: Raw) -> str:
        raw["approvals"]["heartbeats_push"] = self.random.choice(("operator", "approval"))
        return "heartbeats pushed by others"


def _rights(settings: Settings) -> set[object]:
    """All that the settings give to whomever, wherever, for whatever."""
    access, approvals = settings.access, settings.approvals
    ids = {i for rule in access.rules for i in rule.users} | {FRESH["users"], "U0NOBODY001"}
    groups = {i for rule in access.rules for i in rule.groups} | {FRESH["groups"]}
    people = [
        *((user, frozenset[str](), Membership.MEMBER) for user in ids - {"*"}),
        *(("U0NOBODY001", frozenset({group}), Membership.MEMBER) for group in groups),
        ("U0NOBODY001", frozenset[str](), Membership.GUEST),
    ]
    channels = {*access.channels(), FRESH["channels"], "C0NOWHERE01", "D0DIRECT001"}
    every = (*settings.target_names, "what concerns all")
    found: set[object] = set()
    for (user, mine, kind), channel in itertools.product(people, channels):
        for grant in grants_of(access, Identity(user, channel, mine, membership=kind)):
            rights = itertools.product(grant.role.may, grant.targets or every)
            found |= {(user, mine, kind, channel, *right) for right in rights}
    found |= {("glass", one) for one in approvals.break_glass}
    found |= {("fewer", number) for number in range(approvals.needed, 11)}
    found |= {("own", approvals.self_approval), ("push", approvals.heartbeats_push)}
    return found


def _widened(mutator: Mutator, many: int) -> Iterator[tuple[str, Settings]]:
    """That many mutated settings which give somebody what they did not have."""
    had, found = _rights(Settings.model_validate(mutator.base)), 0
    while found < many:
        name, raw = mutator.one()
        try:
            after = Settings.model_validate(raw)
        except ValidationError:
            continue
        if _rights(after) - had:
            found += 1
            yield name, after


def _judged(file: CasesFile, settings: Settings) -> int:
    return run(file, judge_of(Loaded(settings, {})))[1]


def _without_only(file: CasesFile) -> CasesFile:
    cases = file.cases
    return CasesFile(
        file.name, PolicyCases.model_construct(people=cases.people, cases=cases.cases, only=()), file.lines
    )


@pytest.fixture(params=["example", "two targets"])
def base(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Raw, CasesFile]:
    """Settings, and a policy test that fits them."""
    if request.param == "example":
        text = (ROOT / "deploy/settings.example.yaml").read_text()
        path = ROOT / "deploy/policy-test.example.yaml"
    else:
        text, path = SETTINGS, tmp_path / "cases.yaml"
        path.write_text(CASES)
    raw = yaml.safe_load(text)
    judge = judge_of(Loaded(Settings.model_validate(raw), {}))
    return raw, read(path, judge.commands, judge.targets, judge.access.rules)


def test_wider_rights_fail_the_policy_test(base: tuple[Raw, CasesFile], record_property: Any) -> None:
    raw, file = base
    assert _judged(file, Settings.model_validate(raw)) == 0
    missed: dict[str, int] = {}
    alone = 0
    for name, settings in _widened(Mutator(raw, SEED), MUTATIONS):
        if not _judged(file, settings):
            missed[name] = missed.get(name, 0) + 1
        alone += bool(_judged(_without_only(file), settings))
    caught = MUTATIONS - sum(missed.values())
    said = f"{caught} of {MUTATIONS} widened rights caught in {file.name}, {alone} by its cases without `only`"
    record_property("caught", said)
    print(f"\n{said}; missed: {missed or 'none'}")  # noqa: T201 - the figure
    assert caught >= LEAST * MUTATIONS, missed


def test_what_gives_nobody_more_is_no_mutation(base: tuple[Raw, CasesFile]) -> None:
    raw, _ = base
    had = _rights(Settings.model_validate(raw))
    again = copy.deepcopy(raw)
    again["access"]["rules"].append(dict(raw["access"]["rules"][0], name="the same again"))
    assert _rights(Settings.model_validate(again)) == had
    fewer = copy.deepcopy(raw)
    del fewer["access"]["rules"][-1]
    assert _rights(Settings.model_validate(fewer)) < had
