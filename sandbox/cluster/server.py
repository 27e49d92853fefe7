"""The API server: paths, authentication, authorisation, and the verbs on stored objects."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import copy
import json
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import yaml
from aiohttp import web

from sandbox.cluster import admission, companions, discovery, kinds, objects, selectors
from sandbox.cluster.conditions import ApiFaults
from sandbox.cluster.events import as_new
from sandbox.cluster.exec import choose_container, serve_exec
from sandbox.cluster.kinds import Kind
from sandbox.cluster.patch import json_patch, merge_patch, strategic_patch
from sandbox.cluster.podlogs import Line
from sandbox.cluster.protobuf import MAGIC, decode
from sandbox.cluster.rbac import ADMIN, BOT, SERVICE_ACCOUNT, Authorizer, User
from sandbox.cluster.scale import as_scale, with_scale
from sandbox.cluster.simulation import Simulation
from sandbox.cluster.status import (
    ApiError,
    already_exists,
    bad_request,
    conflict,
    expired,
    forbidden,
    internal_error,
    invalid,
    method_not_allowed,
    no_such_path,
    not_found,
    precondition_failed,
    success,
    too_many_requests,
    unauthorized,
)
from sandbox.cluster.store import Change, Store, parse_stamp, stamp
from sandbox.cluster.table import render

Object = dict[str, Any]
Latency = Mapping[str, float] | Callable[[str], float]
"""Seconds by kind of request (``list pods``, ``create pods/exec``, ``*`` for the rest), or a function of it."""
_AS = re.compile(r"/as/([\w-]+)(?=/|$)")
_VERBS = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


@dataclass(frozen=True)
class Call:
    """A request for a resource, as the authoriser sees it."""

    verb: str
    kind: Kind
    namespace: str
    name: str
    sub: str

    @property
    def resource(self) -> str:
        """``pods`` or ``pods/log``."""
        return f"{self.kind.plural}/{self.sub}" if self.sub else self.kind.plural


class ApiServer:
    """Answers the API's requests from a store and its simulation."""

    def __init__(self, store: Store, simulation: Simulation, tokens: Mapping[str, User]) -> None:
        """Serve ``store``; ``tokens`` maps each bearer token to its user."""
        self.store = store
        self.simulation = simulation
        self.tokens = tokens
        self.users = {"admin": ADMIN, SERVICE_ACCOUNT: BOT}
        """Users by their name in the path: client-go sends no credentials over plain HTTP, so its URL says who."""
        self.authorizer = Authorizer()
        self.faults = ApiFaults()
        self.latency: Latency = {}
        self.bookmarks = 60.0
        """Seconds between the bookmarks of a watch that asks for them."""
        self.requests = 0
        """The number of requests received so far."""

    def app(self) -> web.Application:
        """The aiohttp application."""
        app = web.Application(client_max_size=4 * 1024 * 1024)
        app.router.add_route("*", "/{tail:.*}", self._answer)
        return app

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        try:
            return await self._handle(request)
        except ApiError as error:
            return web.json_response(error.as_json(), status=error.code, headers=error.headers)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        await self._global_faults()
        if _path(request) in ("/healthz", "/livez", "/readyz"):
            return web.Response(text="ok")
        user = self._authenticate(request)
        found = self._discovery(request)
        if found is not None:
            return found
        call = self._parse(request)
        await self._delay(f"{call.verb} {call.resource}")
        self._resource_faults(call)
        self._authorise(user, call)
        return await self._dispatch(request, user, call)

    async def _global_faults(self) -> None:
        faults = self.faults
        if faults.hang:
            await asyncio.Event().wait()
        if faults.delay:
            await asyncio.sleep(faults.delay)
        if faults.too_many:
            raise too_many_requests(2)
        if faults.broken:
            raise internal_error("etcdserver: request timed out")
        if faults.unauthorized:
            raise unauthorized()

    async def _delay(self, what: str) -> None:
        latency = self.latency
        seconds = latency(what) if callable(latency) else latency.get(what, latency.get("*", 0.0))
        if seconds:
            await asyncio.sleep(seconds)

    def _resource_faults(self, call: Call) -> None:
        if self.faults.not_found:
            raise no_such_path()
        if self.faults.expired and call.verb in ("list", "watch"):
            raise expired("1", str(self.store.version))

    def _authenticate(self, request: web.Request) -> User:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        user = self.tokens.get(token.strip()) if scheme.lower() == "bearer" else None
        if not scheme and not request.secure:
            user = self.users.get(_user_in_path(request))
        if user is None:
            raise unauthorized()
        return user

    def _authorise(self, user: User, call: Call) -> None:
        verbs = [call.verb]
        if call.sub == "exec" and call.verb == "get":
            verbs.append("create")  # a WebSocket upgrade is a GET, and needs both since Kubernetes 1.35
        denied = self.faults.forbidden in (call.resource, "*") and bool(self.faults.forbidden)
        for verb in verbs:
            if denied or not self.authorizer.allows(
                user, verb, call.kind.group, call.resource, call.name, call.namespace
            ):
                raise forbidden(call.kind, call.name, user.name, verb, call.namespace, call.sub)

    def _discovery(self, request: web.Request) -> web.Response | None:
        absent = self.faults.absent_groups
        parts = _path(request).strip("/").split("/")
        wants = "as=APIGroupDiscoveryList" in request.headers.get("Accept", "")
        if parts in (["api"], ["apis"]) and wants:
            body = discovery.aggregated(parts == ["api"], absent)
            return web.Response(
                text=json.dumps(body), headers={"Content-Type": discovery.AGGREGATED, "Vary": "Accept"}
            )
        plain = self._plain_discovery(parts, request.host)
        return None if plain is None else web.json_response(plain)

    def _plain_discovery(self, parts: list[str], host: str) -> Object | None:
        absent = self.faults.absent_groups
        known = {kind.group for kind in kinds.KINDS} - absent
        match parts:
            case ["version"]:
                return discovery.version()
            case ["api"]:
                return discovery.core_versions(host)
            case ["apis"]:
                return discovery.group_list(absent)
            case ["api", "v1"]:
                return discovery.resource_list("", "v1")
            case ["apis", group] if group in known:
                return discovery.group(group)
            case ["apis", group, version] if group in known:
                return discovery.resource_list(group, version)
            case ["openapi", "v3"]:
                return discovery.openapi_index(absent)
            case ["openapi", "v3", "api", version]:
                return discovery.openapi("", version)
            case ["openapi", "v3", "apis", group, version] if group in known:
                return discovery.openapi(group, version)
        return None

    def _parse(self, request: web.Request) -> Call:
        parts = _path(request).strip("/").split("/")
        if parts[0] == "api" and len(parts) > 2:
            group, version, rest = "", parts[1], parts[2:]
        elif parts[0] == "apis" and len(parts) > 3:
            group, version, rest = parts[1], parts[2], parts[3:]
        else:
            raise no_such_path()
        namespace = ""
        if rest[0] == "namespaces" and len(rest) > 2:
            namespace, rest = rest[1], rest[2:]
        kind = kinds.BY_PATH.get((group, version, rest[0]))
        if kind is None or group in self.faults.absent_groups or len(rest) > 3:
            raise no_such_path()
        name, sub = (rest[1] if len(rest) > 1 else ""), (rest[2] if len(rest) > 2 else "")
        if sub and not kind.has_subresource(sub):
            raise no_such_path()
        return Call(_verb(request, name), kind, namespace, name, sub)

    async def _dispatch(self, request: web.Request, user: User, call: Call) -> web.StreamResponse:
        if call.kind.qualified in discovery.UNSTORED and call.kind is not kinds.NEW_EVENT:
            return web.json_response(self._review(await _body(request), user, call), status=201)
        if call.sub == "log":
            return await self._log(request, self._existing(call))
        if call.sub == "exec":
            self._admit(user, call)
            return await serve_exec(request, self.simulation, self._existing(call))
        if call.verb not in call.kind.verbs:
            raise method_not_allowed()
        if call.verb == "watch":
            return await self._watch(request, call)
        if call.verb == "list":
            return self._list(request, call)
        if call.verb == "get" and call.sub == "scale":
            return web.json_response(as_scale(self._existing(call)))
        if call.verb == "get":
            return self._printed(request, call.kind, [self._existing(call)], single=True)
        return await self._write(request, user, call)

    def _admit(self, user: User, call: Call) -> None:
        """Refuse what admission refuses; the bot's own policies look at nobody else's requests."""
        fault = self.faults.admission
        if user is not BOT and fault != admission.WEBHOOK:
            return
        if call.sub == "exec":
            admission.refuse_command(fault, call.kind, call.name)
        elif call.kind.group != "authorization.k8s.io":
            admission.refuse_change(fault, call.kind, call.name)

    def _existing(self, call: Call) -> Object:
        obj = self.store.get(_stored(call.kind), call.namespace, call.name)
        if obj is None:
            raise not_found(call.kind, call.name)
        return as_new(obj) if call.kind is kinds.NEW_EVENT else obj

    def _selected(self, request: web.Request, call: Call) -> list[Object]:
        match = _matcher(request, call)
        found = [o for o in self.store.list(_stored(call.kind), call.namespace) if match(o)]
        return [as_new(o) for o in found] if call.kind is kinds.NEW_EVENT else found

    def _list(self, request: web.Request, call: Call) -> web.Response:
        found = self._selected(request, call)
        meta: Object = {"resourceVersion": str(self.store.version)}
        start = _continue(request)
        limit = int(request.query.get("limit") or 0)
        if limit and start + limit < len(found):
            meta |= {"continue": str(start + limit), "remainingItemCount": len(found) - start - limit}
        found = found[start : start + limit] if limit else found[start:]
        return self._printed(request, call.kind, found, single=False, meta=meta)

    def _printed(
        self,
        request: web.Request,
        kind: Kind,
        found: list[Object],
        *,
        single: bool,
        meta: Object | None = None,
    ) -> web.Response:
        if _wants_table(request):
            include = request.query.get("includeObject", "Metadata")
            return web.json_response(render(kind, found, self.store.clock(), meta or {}, include))
        if single:
            return web.json_response(found[0])
        head = {"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": meta or {}}
        items = [{k: v for k, v in o.items() if k not in ("kind", "apiVersion")} for o in found]
        return web.json_response(head | {"items": items if not kind.group.count(".io") else found})

    async def _watch(self, request: web.Request, call: Call) -> web.StreamResponse:
        match = _matcher(request, call)
        with self.store.subscribe() as queue:
            asked = _version(request)
            initial = request.query.get("sendInitialEvents") == "true"
            response = web.StreamResponse(headers={"Content-Type": "application/json"})
            await response.prepare(request)
            await response.write(b"")  # send the headers before the first event
            try:
                if asked == 0 or initial:
                    first = [("ADDED", o) for o in self.store.list(_stored(call.kind), call.namespace) if match(o)]
                else:
                    first = [e for c in self.store.changes_since(asked) for e in _event_of(c, call, match)]
            except ApiError as error:
                # Errors of an admitted watch are sent as an event (apiserver, cacher.go, newErrWatcher).
                await _send_event(response, "ERROR", error.as_json())
                return response
            for type_, obj in first:
                await self._emit(response, request, call.kind, type_, obj)
            if initial:
                await self._bookmark(response, call.kind, ended=True)
            with contextlib.suppress(ConnectionError):  # the client may hang up at any time
                await self._follow(response, request, call, match, queue)
        return response

    async def _follow(
        self,
        response: web.StreamResponse,
        request: web.Request,
        call: Call,
        match: selectors.Match,
        queue: asyncio.Queue[Change],
    ) -> None:
        clock = asyncio.get_running_loop().time
        deadline = clock() + float(request.query.get("timeoutSeconds") or 1800)
        marks = request.query.get("allowWatchBookmarks") in ("true", "1")
        marked = clock()
        while (left := deadline - clock()) > 0:
            until_mark = marked + self.bookmarks - clock() if marks else left
            try:
                change = await asyncio.wait_for(queue.get(), min(left, max(0.0, until_mark)))
            except TimeoutError:
                if marks and clock() - marked >= self.bookmarks:
                    marked = clock()
                    await self._bookmark(response, call.kind)
                continue
            for type_, obj in _event_of(change, call, match):
                await self._emit(response, request, call.kind, type_, obj)

    async def _emit(
        self, response: web.StreamResponse, request: web.Request, kind: Kind, type_: str, obj: Object
    ) -> None:
        shown = as_new(obj) if kind is kinds.NEW_EVENT else obj
        if _wants_table(request):
            meta = {"resourceVersion": obj["metadata"]["resourceVersion"]}
            shown = render(kind, [shown], self.store.clock(), meta)
        await _send_event(response, type_, shown)

    async def _bookmark(self, response: web.StreamResponse, kind: Kind, *, ended: bool = False) -> None:
        meta: Object = {"resourceVersion": str(self.store.version)}
        if ended:
            meta["annotations"] = {"k8s.io/initial-events-end": "true"}
        await _send_event(
            response, "BOOKMARK", {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": meta}
        )

    async def _log(self, request: web.Request, pod: Object) -> web.StreamResponse:
        query = request.query
        container = choose_container(pod, query.get("container", ""))
        previous = query.get("previous") in ("true", "1")
        beside = self._given_log(container) if not previous else None
        beside = companions.log(pod, container, self.store.clock()) if beside is None else beside
        if beside is not None:
            return await self._log_beside(request, pod, self._log_lines(request, beside))
        log = self.simulation.log(pod, previous=previous)
        name = pod["metadata"]["name"]
        if previous and log is None:
            raise bad_request(f'previous terminated container "{container}" in pod "{name}" not found')
        if log is None:
            raise bad_request(
                f'container "{container}" in pod "{name}" is waiting to start: {_waiting_reason(pod)}'
            )
        if self.simulation.faults.log_gone:  # like a real kubelet: status 200, no line feed
            container_id = f"containerd://{pod['metadata']['uid'].replace('-', '')}"
            return web.Response(text=f"unable to retrieve container logs for {container_id}")
        lines = self._log_lines(request, log.lines)
        if not _follows(request):
            return web.Response(body=_log_bytes(request, lines), content_type="text/plain")
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        await response.write(_log_bytes(request, lines))
        seen = log.lines[-1] if log.lines else None
        while self.simulation.log(pod) is log and "running" in json.dumps(pod["status"]):
            await asyncio.sleep(0.05)
            fresh = _after(log.lines, seen)
            if fresh:
                await response.write(_log_bytes(request, fresh))
                seen = fresh[-1]
        return response

    async def _log_beside(self, request: web.Request, pod: Object, lines: list[Line]) -> web.StreamResponse:
        """A log that stays as it is; one that is followed stays open until the pod is gone."""
        if not _follows(request):
            return web.Response(body=_log_bytes(request, lines), content_type="text/plain")
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        await response.write(_log_bytes(request, lines))
        while self.simulation.runtime(pod) is not None:  # noqa: ASYNC110 - nothing signals the end of a pod
            await asyncio.sleep(0.05)
        return response

    def _given_log(self, container: str) -> list[Line] | None:
        """The log that the fixture gives a container; None where it gives none."""
        given = self.simulation.fixture().containers.get(container)
        if given is None or given.log is None:
            return None
        return [Line(self.store.clock(), text) for text in given.log.splitlines()]

    def _log_lines(self, request: web.Request, lines: list[Line]) -> list[Line]:
        query = request.query
        try:
            if "sinceSeconds" in query:
                since = self.store.clock() - timedelta(seconds=int(query["sinceSeconds"]))
                lines = [line for line in lines if line.at >= since]
            elif "sinceTime" in query:
                moment = parse_stamp(query["sinceTime"])
                lines = [line for line in lines if line.at >= moment]
            tail = int(query.get("tailLines", -1))
        except ValueError as error:
            raise bad_request(f"unable to decode query parameters: {error}") from error
        return lines if tail < 0 else lines[max(0, len(lines) - tail) :]

    async def _write(self, request: web.Request, user: User, call: Call) -> web.Response:
        body = await _body(request)
        self._admit(user, call)
        if self.faults.echo and call.kind.group != "authorization.k8s.io":
            raise _echoing_refusal(self.faults.echo, body)
        if call.verb == "create":
            return await self._create(request, call, body)
        before = self.store.get(call.kind, call.namespace, call.name)
        if call.verb == "delete":
            return await self._delete(request, call, body)
        if before is None:
            if "apply-patch" in request.content_type:
                return await self._create(request, call, body)
            raise not_found(call.kind, call.name)
        if call.sub == "scale":
            scale = _patched(request.content_type, as_scale(before), body) if call.verb == "patch" else body
            new = with_scale(call.kind, before, scale)
            return web.json_response(as_scale(await self._store(request, call, before, new)))
        new = _patched(request.content_type, before, body) if call.verb == "patch" else body
        return web.json_response(await self._store(request, call, before, new))

    async def _create(self, request: web.Request, call: Call, body: Object) -> web.Response:
        meta = body.setdefault("metadata", {})
        if not meta.get("name"):
            if not meta.get("generateName"):
                causes = [("metadata.name", "Required value: name or generateName is required")]
                raise invalid(call.kind, "", causes)
            meta["name"] = meta["generateName"] + uuid.uuid4().hex[:5]
        if call.namespace:
            meta["namespace"] = call.namespace
        if self.store.get(call.kind, call.namespace, meta["name"]):
            raise already_exists(call.kind, meta["name"])
        if call.kind is kinds.CILIUM_POLICY:  # as Cilium does at once, and without its bug
            admission.refuse_egress_policy(self.faults.egress_frozen)
            body["status"] = objects.egress_policy(self.store.clock(), self.faults.egress_problem)["status"]
        if call.kind is kinds.POD:
            body["status"] = {"phase": "Pending"}  # no kubelet knows the new pod, and nothing here manages it
        return web.json_response(await self._store(request, call, None, body), status=201)

    async def _store(self, request: web.Request, call: Call, before: Object | None, new: Object) -> Object:
        version = new.get("metadata", {}).get("resourceVersion")
        if before and version and version != before["metadata"]["resourceVersion"]:
            why = "the object has been modified; please apply your changes to the latest version and try again"
            raise conflict(call.kind, call.name, why)
        if before and new.get("metadata", {}).get("uid", before["metadata"]["uid"]) != before["metadata"]["uid"]:
            raise invalid(
                call.kind,
                call.name,
                [("metadata.uid", f'Invalid value: "{new["metadata"]["uid"]}": field is immutable')],
            )
        _prepare_secret(call.kind, new)
        _record_manager(request, call.kind, before, new, stamp(self.store.clock()))
        if request.query.get("dryRun") == "All":
            return new
        stored = self.store.put(call.kind, new, by_client=not call.sub)
        await self.simulation.settle()
        return self.store.get(call.kind, call.namespace, stored["metadata"]["name"]) or stored

    async def _delete(self, request: web.Request, call: Call, body: Object) -> web.Response:
        obj = self._existing(call)
        meta, wanted = obj["metadata"], body.get("preconditions") or {}
        for field, title, fate in _PRECONDITIONS:
            if wanted.get(field) and wanted[field] != meta[field]:
                raise precondition_failed(call.kind, call.name, title, (wanted[field], meta[field]), fate)
        tried = body.get("dryRun") if body else request.query.getall("dryRun", [])  # a body decides alone
        if tried == ["All"]:
            return web.json_response(obj)
        if call.kind is kinds.POD and call.namespace == objects.CILIUM_NAMESPACE:
            self.store.remove(kinds.POD, call.namespace, call.name)
            self.store.put(kinds.POD, objects.cilium_agent(self.store.clock(), obj["spec"]["nodeName"]))
            return web.json_response(obj)
        if call.kind is kinds.POD:
            await self.simulation.delete_pod(obj)
            return web.json_response(self.store.get(call.kind, call.namespace, call.name) or obj)
        self.store.remove(call.kind, call.namespace, call.name)
        await self.simulation.settle()
        return web.json_response(success(call.kind, call.name, meta["uid"]))

    def _review(self, body: Object, user: User, call: Call) -> Object:
        head = {"kind": call.kind.kind, "apiVersion": call.kind.api_version, "metadata": {}}
        spec = body.get("spec") or {}
        if call.kind is kinds.ACCESS_REVIEW:
            return head | {"spec": spec, "status": self._access(user, spec)}
        if call.kind is kinds.RULES_REVIEW:
            if not spec.get("namespace"):
                raise bad_request("no namespace on request")
            rules = self.authorizer.rules_for(user, spec["namespace"])
            status = {"resourceRules": rules, "nonResourceRules": _PUBLIC, "incomplete": False}
            return head | {"spec": {}, "status": status}
        if call.kind is kinds.TOKEN_REVIEW:
            owner = self.tokens.get(str(spec.get("token")))
            found = {"authenticated": True, "user": _info(owner)} if owner else {"authenticated": False}
            return head | {"spec": {}, "status": found}
        return head | {"status": {"userInfo": _info(user)}}

    def _access(self, user: User, spec: Object) -> Object:
        attributes = spec.get("resourceAttributes")
        if attributes is None:
            return {"allowed": True}
        resource = attributes.get("resource", "")
        if attributes.get("subresource"):
            resource += f"/{attributes['subresource']}"
        allowed = self.faults.forbidden not in (resource, "*") or not self.faults.forbidden
        allowed = allowed and self.authorizer.allows(
            user,
            attributes.get("verb", ""),
            attributes.get("group", ""),
            resource,
            attributes.get("name", ""),
            attributes.get("namespace", ""),
        )
        return {"allowed": allowed}


_PRECONDITIONS = (
    ("uid", "UID", "deleted and then recreated"),
    ("resourceVersion", "ResourceVersion", "modified"),
)
_PUBLIC = [{"verbs": ["get"], "nonResourceURLs": ["/api", "/api/*", "/apis", "/apis/*", "/healthz", "/version"]}]


def _info(user: User) -> Object:
    return {"username": user.name, "uid": user.uid, "groups": list(user.groups)}


async def _send_event(response: web.StreamResponse, type_: str, obj: Object) -> None:
    await response.write(json.dumps({"type": type_, "object": obj}).encode() + b"\n")


def _version(request: web.Request) -> int:
    """The resource version to watch from; 0 for any."""
    text = request.query.get("resourceVersion") or "0"
    if not (text.isascii() and text.isdigit()):
        why = f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
        raise ApiError(500, "", why)  # the real server answers 500 although it's the client's mistake
    return int(text)


def _path(request: web.Request) -> str:
    """The path without ``/as/<user>`` in front."""
    found = _AS.match(request.path)
    return request.path[found.end() :] if found else request.path


def _user_in_path(request: web.Request) -> str:
    found = _AS.match(request.path)
    return found[1] if found else ""


def _verb(request: web.Request, name: str) -> str:
    verb = _VERBS.get(request.method)
    if verb is None:
        raise method_not_allowed()
    if verb == "get" and not name:
        return "watch" if request.query.get("watch") in ("true", "1") else "list"
    if verb == "delete" and not name:
        return "deletecollection"
    return verb


def _stored(kind: Kind) -> Kind:
    return kinds.EVENT if kind is kinds.NEW_EVENT else kind


def _matcher(request: web.Request, call: Call) -> selectors.Match:
    by_label = selectors.label_selector(request.query.get("labelSelector", ""))
    by_field = selectors.field_selector(request.query.get("fieldSelector", ""))

    def match(obj: Object) -> bool:
        named = not call.name or obj["metadata"]["name"] == call.name
        return named and by_label(obj) and by_field(obj)

    return match


def _event_of(change: Change, call: Call, match: selectors.Match) -> list[tuple[str, Object]]:
    meta = change.object["metadata"]
    if change.kind is not _stored(call.kind) or call.namespace not in ("", meta.get("namespace", "")):
        return []
    now = change.type != "DELETED" and match(change.object)
    before = change.before is not None and match(change.before)
    if now:
        return [("MODIFIED" if before else "ADDED", change.object)]
    return [("DELETED", change.object)] if before else []


def _continue(request: web.Request) -> int:
    text = request.query.get("continue", "0") or "0"
    if not text.isdigit():
        raise bad_request("continue key is not valid")
    return int(text)


def _wants_table(request: web.Request) -> bool:
    return "as=Table" in request.headers.get("Accept", "")


async def _body(request: web.Request) -> Any:
    raw = await request.read()
    if raw.startswith(MAGIC):
        return decode(raw)
    try:
        return yaml.safe_load(raw) if "yaml" in request.content_type else json.loads(raw or b"{}")
    except ValueError as error:
        raise bad_request(f"error decoding the body: {error}") from error


def _patched(content_type: str, stored: Object, patch: Any) -> Object:
    before = copy.deepcopy(stored)
    if "json-patch" in content_type:
        new: Object = json_patch(before, patch)
    elif "strategic-merge" in content_type:
        new = strategic_patch(before, patch)
    elif "merge-patch" in content_type or "apply-patch" in content_type:
        new = merge_patch(before, patch)
    else:
        raise ApiError(415, "UnsupportedMediaType", "the body of the request was in an unknown format")
    return new


def _echoing_refusal(code: int, body: Object) -> ApiError:
    """The most careless webhook refusal: it repeats all that was sent, as received and decoded."""
    data = body.get("data") or {}
    plain = [
        base64.b64decode(value).decode("utf-8", "replace") for value in data.values() if isinstance(value, str)
    ]
    return ApiError(code, "", f"a webhook says no to {json.dumps(body)} ({' '.join([*plain, *map(repr, plain)])})")


def _prepare_secret(kind: Kind, new: Object) -> None:
    if kind is not kinds.SECRET:
        return
    for key, value in (new.pop("stringData", None) or {}).items():
        new.setdefault("data", {})[key] = base64.b64encode(value.encode()).decode()
    new.setdefault("type", "Opaque")


_NOTES = ("labels", "annotations")


def _record_manager(request: web.Request, kind: Kind, before: Object | None, new: Object, now: str) -> None:
    old = before or {}
    changed = [key for key in ("data", "spec", "type") if old.get(key) != new.get(key)]
    metas = [one.get("metadata", {}) for one in (old, new)]
    noted = {part: _changed(*(meta.get(part) or {} for meta in metas)) for part in _NOTES}
    notes: Object = {f"f:{part}": {f"f:{key}": {} for key in keys} for part, keys in noted.items() if keys}
    if not changed and not notes:
        return
    agent = request.headers.get("User-Agent", "unknown").partition("/")[0]
    operation = "Apply" if "apply-patch" in request.content_type else "Update"
    name = request.query.get("fieldManager") or agent
    fields: Object = {f"f:{key}": {f"f:{k}": {} for k in _changed(old.get(key), new.get(key))} for key in changed}
    fields |= {"f:metadata": notes} if notes else {}
    entry: Object = {"manager": name, "operation": operation, "apiVersion": kind.api_version, "time": now}
    managers = new["metadata"].get("managedFields") or []
    for mine in managers:  # a manager keeps the fields it wrote before; they get the new time, too
        if (mine.get("manager"), mine.get("operation")) == (name, operation):
            owned = mine.get("fieldsV1", {})
            fields = owned | {key: owned.get(key, {}) | value for key, value in fields.items()}
    entry |= {"fieldsType": "FieldsV1", "fieldsV1": fields}
    kept = [m for m in managers if (m.get("manager"), m.get("operation")) != (name, operation)]
    new["metadata"]["managedFields"] = [*kept, entry]


def _changed(before: Any, after: Any) -> list[str]:
    if not isinstance(before, dict) or not isinstance(after, dict):
        return sorted(after) if isinstance(after, dict) else []
    return sorted(key for key in {*before, *after} if before.get(key) != after.get(key))


def _waiting_reason(pod: Object) -> str:
    statuses = pod["status"].get("containerStatuses") or [{}]
    waiting = statuses[0].get("state", {}).get("waiting", {})
    return str(waiting.get("reason", "ContainerCreating"))


def _log_bytes(request: web.Request, lines: list[Line]) -> bytes:
    stamps = request.query.get("timestamps") in ("true", "1")
    text = "".join(f"{line.stamp} {line.text}\n" if stamps else f"{line.text}\n" for line in lines)
    limit = request.query.get("limitBytes")
    return text.encode()[: int(limit) if limit else None]


def _follows(request: web.Request) -> bool:
    return request.query.get("follow") in ("true", "1")


def _after(lines: list[Line], seen: Line | None) -> list[Line]:
    for index in range(len(lines) - 1, -1, -1):
        if lines[index] is seen:
            return lines[index + 1 :]
    return list(lines)
