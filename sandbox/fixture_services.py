"""The web servers behind a fixture's services, and their Services in the pretend cluster."""

from __future__ import annotations

from aiohttp import web

from bot.errors import AgentpodError
from sandbox.cluster import kinds, objects
from sandbox.cluster.cluster import PretendCluster
from sandbox.cluster.fixture import FixtureFile
from sandbox.cluster.listener import Listener
from sandbox.cluster.workload import sync_status


class FixtureServices:
    """One server on 127.0.0.1 for each service of the fixture."""

    def __init__(self, fixture: FixtureFile) -> None:
        """Not yet started."""
        self._fixture = fixture
        self._listeners = {name: self._listener(name, one.port) for name, one in fixture().services.items()}

    async def start(self, cluster: PretendCluster) -> None:
        """Listen, and put the Services into the cluster. Raises AgentpodError where a port can't be opened."""
        for name, listener in self._listeners.items():
            await self._listen(name, listener)
            cluster.store.put(kinds.SERVICE, objects.local_service(name, listener.port, cluster.store.clock()))
        if self._listeners:
            sync_status(cluster.store)

    async def _listen(self, name: str, listener: Listener) -> None:
        try:
            await listener.start()
        except OSError as error:
            port = self._fixture().services[name].port
            what = f"Port {port} of the fixture's service {name} can't be opened: {error.strerror}."
            raise AgentpodError(what, remedy="Leave the port out where no fact names it.") from None

    async def stop(self) -> None:
        """Close everything."""
        for listener in self._listeners.values():
            await listener.stop()

    def _listener(self, name: str, port: int) -> Listener:
        async def answer(request: web.Request) -> web.Response:
            service = self._fixture().services.get(name)
            found = service.answers.get(request.path_qs) if service is not None else None
            if found is None:
                return web.Response(status=404, text="not in the fixture\n")
            return web.Response(status=found.status, text=found.body)

        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", answer)
        return Listener(app, port)
