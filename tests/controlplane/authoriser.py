"""Asks the real authoriser what an account may do: thousands of questions at once, as the administrator."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import ssl
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from bot.domain.rbac.rights import VERBS, Permission, resource_text
from tests.controlplane.plane import ADMIN_TOKEN, Plane

REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
AT_ONCE = 4
"""Connections; more would only contend within the API server."""
SPECIAL_VERBS = ("impersonate", "bind", "escalate", "approve", "sign", "attest", "use", "*")
ALL_VERBS = (*VERBS, *SPECIAL_VERBS)
VIRTUAL = (
    ("", "users"),
    ("", "groups"),
    ("authentication.k8s.io", "uids"),
    ("authentication.k8s.io", "userextras/scopes"),
    ("certificates.k8s.io", "signers"),
    ("*", "*"),
    ("", "*/log"),
)
"""Resources that RBAC rules can name but discovery doesn't list: impersonation, signers, wildcards."""


class Question(NamedTuple):
    """Whether something is allowed in a namespace; ``""`` is the whole cluster."""

    namespace: str
    grant: Permission

    def __str__(self) -> str:
        """The question in words, such as ``get secrets "x" in argocd``."""
        named = f' "{self.grant.name}"' if self.grant.name else ""
        where = self.namespace or "the whole cluster"
        return f"{self.grant.verb} {resource_text(self.grant.group, self.grant.resource)}{named} in {where}"


class Account(NamedTuple):
    """A ServiceAccount."""

    namespace: str
    name: str

    @property
    def user(self) -> dict[str, Any]:
        """The account's user and groups, for a SubjectAccessReview."""
        groups = ["system:serviceaccounts", f"system:serviceaccounts:{self.namespace}", "system:authenticated"]
        return {"user": f"system:serviceaccount:{self.namespace}:{self.name}", "groups": groups}


def resources(plane: Plane, definitions: Path) -> list[tuple[str, str]]:
    """``(group, resource)`` of everything served, with subresources, of the CRDs in a folder, and of `VIRTUAL`."""
    groups = plane.call("GET", "/apis")["groups"]
    paths = {"/api/v1": "", **{f"/apis/{v['groupVersion']}": g["name"] for g in groups for v in g["versions"]}}
    lists = {path: plane.call("GET", path)["resources"] for path in paths}
    served = [(paths[path], found["name"]) for path, listed in lists.items() for found in listed]
    crds = [yaml.safe_load(file.read_text())["spec"] for file in sorted(definitions.glob("*.yaml"))]
    custom = [(crd["group"], crd["names"]["plural"]) for crd in crds]
    return sorted({*served, *custom, *VIRTUAL})


def cross(
    kinds: Iterable[tuple[str, str]], namespaces: Iterable[str], names: Mapping[tuple[str, str], Collection[str]]
) -> list[Question]:
    """Every kind × every verb × every namespace × (no name, and those ``names`` that matter for the kind)."""
    return [
        Question(namespace, Permission(group, resource, name, verb))
        for (group, resource), namespace, verb in itertools.product(kinds, namespaces, ALL_VERBS)
        for name in ("", *names.get((group, resource), ()))
    ]


def allowed(plane: Plane, account: Account, questions: Collection[Question]) -> set[Question]:
    """The questions that the authoriser answers with yes."""
    answers = asyncio.run(_ask(plane, [review(account, question) for question in questions]))
    return {question for question, yes in zip(questions, answers, strict=True) if yes}


def paths_allowed(plane: Plane, account: Account, paths: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
    """The ``(verb, path)`` pairs that the authoriser grants."""
    reviews = [account.user | {"nonResourceAttributes": {"verb": verb, "path": path}} for verb, path in paths]
    answers = asyncio.run(_ask(plane, reviews))
    return {path for path, yes in zip(paths, answers, strict=True) if yes}


def review(account: Account, question: Question) -> dict[str, Any]:
    """The question as a SubjectAccessReview's spec."""
    right = question.grant.right(question.namespace)
    attributes = {
        "namespace": right.namespace,
        "verb": right.verb,
        "group": right.group,
        "resource": right.resource,
        "subresource": right.subresource,
        "name": right.name,
    }
    return account.user | {"resourceAttributes": {key: value for key, value in attributes.items() if value}}


async def _ask(plane: Plane, specs: Sequence[Mapping[str, Any]]) -> list[bool]:
    """The answers in the questions' order, over a few persistent connections."""
    todo = iter(enumerate(specs))
    answers = [False] * len(specs)
    trust = ssl.create_default_context(cafile=str(plane.certificate))

    async def work() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", plane.port, ssl=trust)
        for number, spec in todo:
            answers[number] = await _post(reader, writer, json.dumps({"spec": spec}).encode())
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    return answers


async def _post(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: bytes) -> bool:
    """Post one review. Without a client library, which would take longer than the API server."""
    head = (
        f"POST {REVIEWS} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {ADMIN_TOKEN}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body)
    answer = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = re.search(r"(?i)content-length: (\d+)", answer)
    assert answer.startswith("HTTP/1.1 201"), answer
    assert length, answer
    return bool(json.loads(await reader.readexactly(int(length[1])))["status"]["allowed"])


def differences(
    granted: Collection[Question], asked: Iterable[Question], expected: Mapping[str, Collection[Permission]]
) -> list[str]:
    """Lines ``missing: …`` and ``excess: …`` where ``granted`` differs from ``expected``, by namespace."""
    found = []
    for question in sorted(asked):
        wanted = not set(expected.get(question.namespace, ())).isdisjoint(question.grant.wider())
        if wanted != (question in granted):
            found.append(f"{'missing' if wanted else 'excess'}: {question}")
    return found
