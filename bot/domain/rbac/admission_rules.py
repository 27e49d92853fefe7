"""What each admission policy demands, in CEL. `bot.domain.rbac.admission` makes the policies of them.

A rule is an expression that must be true, and what is said where it is not. ``dyn`` keeps the API server's type
checker from refusing to go through the fields of an object as through a map, which it is when it is evaluated.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bot.domain.rbac import cel_text as cel
from bot.domain.rbac.exec_forms import ExecForm, Matching, Word, literal, whole
from bot.domain.rbac.writes import (
    CiliumRestart,
    PodDeletion,
    PolicyReplacement,
    SecretChange,
    SecretRotation,
    TemplateChange,
    Write,
)

CILIUM = ("kube-system", "k8s-app=cilium")
"""The namespace and the labels of Cilium's own pods."""
_SERVER_WRITES = ("managedFields", "resourceVersion", "generation")
_VALUE = cel.text(whole("[ -~]{1,200}"))
_REPOSITORY = r"\A(?:[^/@]+/)*[^/:@]+"
"""An image's name without tag and digest; a colon before the last slash belongs to the host."""
_PINNED = _REPOSITORY + r"(?::[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?@sha256:[0-9a-f]{64}\z"
_LONGEST = 58
"""Most characters of a generated name before its last five, which are random."""
_HASH = 11
"""Most characters of a ReplicaSet's hash, with its dash."""


@dataclass(frozen=True)
class Guarded:
    """A target: where its pods are, and all that the bot does there."""

    namespace: str
    deployment: str
    selector: str
    forms: Sequence[ExecForm]
    writes: Sequence[Write]

    @property
    def here(self) -> str:
        """Whether a request is in its namespace."""
        return f"request.namespace == {cel.text(self.namespace)}"

    @property
    def own_pod(self) -> str:
        """Whether a request is about a pod that its Deployment's ReplicaSets made, by the pod's name."""
        begin = f"{self.deployment}-"
        if len(begin) + _HASH > _LONGEST:  # the API server cuts what comes before the random letters
            name = f"{literal(begin[: _LONGEST - _HASH])}[a-z0-9.-]{{1,30}}"
        else:
            name = f"{literal(begin)}[a-z0-9]{{1,{_HASH - 1}}}-[a-z0-9]{{5}}"
        return f"request.name.matches({cel.text(whole(name))})"


@dataclass(frozen=True)
class Rules:
    """The rules of one policy, with names for parts of their expressions."""

    rules: Sequence[tuple[str, str]]
    variables: Mapping[str, str] = field(default_factory=dict)


def commands(guarded: Sequence[Guarded]) -> Rules:
    """For ``pods/exec``: only declared commands, in the pods of the targets."""
    pods = [cel.both(one.here, one.own_pod) for one in guarded]
    known = cel.either([part for one in guarded for part in _commands(one)])
    return Rules(
        [
            (cel.either(pods), "agentpod runs no commands in other pods than its targets'"),
            ("!has(object.tty) || !object.tty", "agentpod runs no command with a terminal"),
            (f"has(object.container) && (\n{known}\n)", "this is no command that agentpod runs in this container"),
        ],
        {
            "argv": "has(object.command) ? object.command : []",
            "stdin": "has(object.stdin) && object.stdin",
        },
    )


def _commands(one: Guarded) -> Iterator[str]:
    """The target's commands, by container."""
    for container, stdin in dict.fromkeys((form.container, form.stdin) for form in one.forms):
        forms = [form for form in one.forms if (form.container, form.stdin) == (container, stdin)]
        listed = ",\n".join(f"  {cel.texts(form.constant)}" for form in forms if form.constant)
        ways = [f"variables.argv in [\n{listed}\n]"] if listed else []
        ways += [_varying(form) for form in forms if not form.constant]
        named = f"object.container == {cel.text(container)}"
        given = f"{'' if stdin else '!'}variables.stdin"
        yield f"({one.here} && {named} && {given} && (\n{cel.either(ways)}\n))"


def _varying(form: ExecForm) -> str:
    """A command with arguments of which only the form is known."""
    least, most, size = len(form.words), len(form.words) + form.most, "variables.argv.size()"
    length = f"{size} == {least}" if least == most else f"{size} >= {least} && {size} <= {most}"
    parts = [part for n, word in enumerate(form.words) for part in _argument(f"variables.argv[{n}]", word)]
    if form.more is not None:
        fits = " && ".join(_argument("variables.argv[n]", form.more))
        parts.append(f"{list(range(least, most))}.all(n, {size} <= n || ({fits}))")
    return cel.both(length, *parts)


def _argument(place: str, word: Word) -> list[str]:
    if not isinstance(word, Matching):
        return [f"{place} == {cel.text(word)}"]
    parts = [f"{place}.matches({cel.text(whole(one))})" for one in word.patterns]
    if word.between is not None:
        parts.append(f"int({place}) >= {word.between[0]} && int({place}) <= {word.between[1]}")
    return parts


def deployments(guarded: Sequence[Guarded]) -> Rules:
    """For patches of Deployments: the bot's own annotations of the pod template, and images where it sets them."""
    said = "agentpod changes nothing of a Deployment but annotations of its targets' pod templates"
    changes = [(one, write) for one in guarded for write in one.writes if isinstance(write, TemplateChange)]
    template, old = "object.spec.template", "oldObject.spec.template"
    sets_images = any(change.images for _, change in changes)
    if sets_images:
        said += " and images of the containers in image_set, each within its repository and by its digest"
    allowed = [
        cel.both(
            one.here,
            f"request.name == {cel.text(change.deployment)}",
            _only(change.annotations),
            *([_images(f"{template}.spec", f"{old}.spec", change.images)] if sets_images else []),
        )
        for one, change in changes
    ]
    rules = (
        cel.either(allowed),
        _KEPT,
        cel.same("object", "oldObject", ["metadata", "spec"]),
        cel.same("object.metadata", "oldObject.metadata", _SERVER_WRITES),
        cel.same("object.spec", "oldObject.spec", ["template"]),
        cel.same(template, old, ["metadata", *(["spec"] if sets_images else [])]),
        cel.same(f"{template}.metadata", f"{old}.metadata", ["annotations"]),
    )
    return Rules([(rule, said) for rule in rules], _annotations(f"{template}.metadata", f"{old}.metadata"))


def _images(now: str, before: str, containers: Sequence[str]) -> str:
    """Whether two pods' specs differ in nothing but images of these containers, each of the same repository."""
    if not containers:
        return cel.same(now, before, [])
    repository = cel.text(_REPOSITORY)
    another = cel.both(
        f"c.name in {cel.texts(containers)}",
        f"c.image.matches({cel.text(_PINNED)})",
        f"c.image.find({repository}) == o.image.find({repository})",
    )
    same = cel.both("o.name == c.name", cel.same("c", "o", ["image"]), f"(c.image == o.image || {another})")
    order = f"{now}.containers.map(c, c.name) == {before}.containers.map(o, o.name)"
    return cel.both(
        cel.same(now, before, ["containers"]),
        order,
        f"{now}.containers.all(c, {before}.containers.exists(o, {same}))",
    )


def _annotations(now: str, before: str) -> dict[str, str]:
    return {"now": cel.optional(f"{now}.annotations"), "before": cel.optional(f"{before}.annotations")}


_KEPT = "variables.before.all(k, k in variables.now)"
"""No annotation is removed."""


def _only(names: Iterable[str]) -> str:
    """Whether no other annotations than these differ; what is written there is short."""
    equal = "(k in variables.before && variables.before[k] == variables.now[k])"
    ours = f"(k in {cel.texts(names)} && variables.now[k].matches({_VALUE}))"
    return f"variables.now.all(k, {equal} || {ours})"


def secrets(guarded: Sequence[Guarded]) -> Rules:
    """For patches of Secrets: one value, of a key that a repair changes, and the bot's annotations.

    Of a Secret that a repair makes anew from a file, any values.
    """
    said = "agentpod changes nothing of a Secret but one value, and only of its targets' Secrets"
    changes = [(one, write) for one in guarded for write in one.writes if isinstance(write, SecretChange)]
    allowed = [
        cel.both(
            one.here,
            f"request.name == {cel.text(change.secret)}",
            *([] if change.key is None else [f"variables.changed.all(k, k == {cel.text(change.key)})"]),
            _only(change.annotations),
        )
        for one, change in changes
    ]
    one_value = "variables.values_before.all(k, k in variables.values) && variables.changed.size() <= 1"
    rotations = [
        (cel.both(one.here, f"request.name == {cel.text(write.secret)}"), _only(write.annotations))
        for one in guarded
        for write in one.writes
        if isinstance(write, SecretRotation)
    ]
    allowed += [cel.both(*parts) for parts in rotations]
    rules = (
        cel.either(allowed),
        _KEPT,
        cel.either([*(here for here, _ in rotations), one_value]),
        cel.same("object", "oldObject", ["metadata", "data"]),
        cel.same("object.metadata", "oldObject.metadata", ["annotations", *_SERVER_WRITES]),
    )
    differs = "!(k in variables.values_before && variables.values_before[k] == variables.values[k])"
    variables = {
        **_annotations("object.metadata", "oldObject.metadata"),
        "values": cel.optional("object.data"),
        "values_before": cel.optional("oldObject.data"),
        "changed": f"variables.values.filter(k, {differs})",
    }
    return Rules([(rule, said) for rule in rules], variables)


def deletions(guarded: Sequence[Guarded]) -> Rules:
    """For deletions of pods: the targets', and Cilium's where a repair restarts it; by its uid, gracefully."""
    mine = [one for one in guarded if any(isinstance(write, PodDeletion) for write in one.writes)]
    own = [cel.both(one.here, one.own_pod, cel.selects(one.selector, "variables.labels")) for one in mine]
    namespace, selector = CILIUM
    if any(isinstance(write, CiliumRestart) for one in guarded for write in one.writes):
        here = f"request.namespace == {cel.text(namespace)}"
        own.append(cel.both(here, cel.selects(selector, "variables.labels")))
    uid = "request.options.preconditions.uid"
    grace = "request.options.gracePeriodSeconds"
    return Rules(
        [
            (cel.either(own), "agentpod deletes no other pods than its targets'"),
            (
                f"has(request.options.preconditions) && has({uid}) && {uid} == oldObject.metadata.uid",
                "agentpod deletes a pod by its uid only",
            ),
            (f"!has({grace}) || {grace} > 0", "agentpod gives a pod its time to end"),
        ],
        {"labels": cel.optional("oldObject.metadata.labels")},
    )


def others(guarded: Sequence[Guarded]) -> Rules:
    """For all writes: only what the other policies look at, and Cilium's policies that a repair replaces."""
    name = '(request.operation == "DELETE" ? request.name : object.metadata.name)'
    allowed = [
        _kind("", "pods", "exec", operation="CONNECT"),
        _kind("", "pods", operation="DELETE"),
        _kind("", "secrets", operation="UPDATE"),
        _kind("apps", "deployments", operation="UPDATE"),
        cel.both(
            'request.operation == "CREATE" && request.resource.resource.startsWith("selfsubject")',
            'request.resource.group in ["authentication.k8s.io", "authorization.k8s.io"]',
        ),
        *(
            cel.both(
                _kind("cilium.io", "ciliumnetworkpolicies", operation=operation),
                one.here,
                f"{name} == {cel.text(write.policy)}",
            )
            for one in guarded
            for write in one.writes
            if isinstance(write, PolicyReplacement)
            for operation in ("CREATE", "DELETE")
        ),
    ]
    sub = {"subresource": 'has(request.subResource) ? request.subResource : ""'}
    return Rules([(cel.either(allowed), "agentpod writes no such object")], sub)


def _kind(group: str, resource: str, subresource: str = "", *, operation: str) -> str:
    return cel.both(
        f"request.resource.group == {cel.text(group)}",
        f"request.resource.resource == {cel.text(resource)}",
        f"variables.subresource == {cel.text(subresource)}",
        f"request.operation == {cel.text(operation)}",
    )
