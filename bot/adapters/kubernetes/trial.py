"""A connection for server-side dry runs: the API server judges each change and stores nothing.

Reads are real. A change is sent with ``dryRun=All``: validation, quotas and admission see it, and what they make
of it comes back, which is compared with the object as it is. Commands in containers know no dry run: none is run.
Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#dry-run
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

import msgspec

from bot.adapters.kubernetes.client import ApiResponse, Call, Connection
from bot.domain.core.object_diff import FieldChange, deletion, object_diff
from bot.domain.core.proxies import Route
from bot.domain.core.workload import Right

DRY_RUN = ("dryRun", "All")


class TrialConnection(Connection):
    """Sends each change as a dry run, and keeps what would become of the object."""

    lasting = False

    def __init__(self, connection: Connection) -> None:
        """Send on another connection, whose sessions and login are shared."""
        self.__dict__.update(connection.__dict__)
        self._on = connection
        self.changes: list[FieldChange] = []
        self._read: dict[str, bytes] = {}
        """Path → the object as it was read last."""

    @property
    def server(self) -> str:
        """The API server's address."""
        return self._on.server

    @property
    def route(self) -> Route:
        """The route to the API server."""
        return self._on.route

    async def send(self, call: Call) -> ApiResponse:
        """Send a read as it is and a change as a dry run. Raises as the change itself would."""
        if call.method not in ("PATCH", "DELETE", "PUT") and call.right.verb != "create":
            answer = await self._on.send(call)
            if call.right.verb == "get":
                self._read[call.path] = answer.body
            return answer
        if call.right.group == "authorization.k8s.io":  # a review creates nothing
            return await self._on.send(call)
        if call.method == "DELETE":
            return await self._deleted(call)
        before = await self._present(call)
        answer = await self._on.send(replace(call, query=(*call.query, DRY_RUN)))
        self.changes += object_diff(before, _object(answer.body))
        return answer

    async def _deleted(self, call: Call) -> ApiResponse:
        """Try a deletion. Its body decides: the API server reads no option from the query where there is one.

        Source: Kubernetes, ``staging/src/k8s.io/apiserver/pkg/endpoints/handlers/delete.go``.
        """
        options = {**(call.body or {"apiVersion": "v1", "kind": "DeleteOptions"}), "dryRun": ["All"]}
        answer = await self._on.send(replace(call, body=options, query=(*call.query, DRY_RUN)))
        kind = call.right.resource.removesuffix("s").capitalize()
        self.changes.append(deletion(kind, unquote(call.path.rpartition("/")[2])))
        return answer

    async def _present(self, call: Call) -> Mapping[str, Any]:
        """The object before the change, as it was read; empty for one that is created."""
        if call.method == "POST":
            return {}
        if (read := self._read.get(call.path)) is not None:
            return _object(read)
        right = Right("get", call.right.resource, call.right.group, "", call.right.name, call.right.namespace)
        return _object((await self._on.send(Call(right, call.path))).body)


def _object(body: bytes) -> Mapping[str, Any]:
    found = msgspec.json.decode(body)
    return found if isinstance(found, Mapping) else {}
