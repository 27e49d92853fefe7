"""`agentpod sandbox`: a Slack workspace and a pretend agent pod in the browser, with the real bot in it."""

from __future__ import annotations

import argparse
import asyncio
import errno
import os
import shlex
import signal
import sys
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from bot.domain.core.target import Target
from bot.errors import AgentpodError, SettingsError
from bot.settings.loader import load, place_runbooks
from bot.settings.runbook_pod import is_path
from bot.wiring.runbook_tools import compiled
from sandbox.cluster.fixture import FixtureFile
from sandbox.environment import BotProcess, Sandbox
from sandbox.terminal import write_script

START_SECONDS = 60.0
"""How long the bot may take to connect, on a machine that is busy."""
TAKEN = ("targets", "approvals", "alerts", "digest", "probes")
"""The sections read from a settings file. The sandbox itself provides Slack, its users and everything else."""


def main(words: Sequence[str]) -> int:
    """Run until Ctrl-C; gives the exit code."""
    options = _parser().parse_args(list(words))
    if options.context and not options.kubeconfig:
        options.kubeconfig = Path(os.environ.get("KUBECONFIG", "~/.kube/config").split(":")[0]).expanduser()
    settings = _settings(options.config) if options.config else {}
    fixture = FixtureFile(options.fixture)
    target = _target(options.runbook, settings)
    if options.kubeconfig and not options.kubeconfig.is_file():
        sys.stderr.write(f"agentpod: {options.kubeconfig} (named by --kubeconfig) is not a file.\n")
        return 2
    try:
        return asyncio.run(_run(options, settings, target, fixture))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise AgentpodError(f"The sandbox can't be started: {error.strerror or error}.") from None
        sys.stderr.write(f"agentpod: port {options.port} is in use. Try --port 0, which takes a free one.\n")
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="agentpod sandbox", description=__doc__, allow_abbrev=False)
    parser.add_argument("--port", type=_port, default=0, help="the page's port (default: a free one)")
    parser.add_argument("--no-browser", action="store_true", help="only print the page's address")
    parser.add_argument("--kubeconfig", type=Path, help="use a real cluster instead of the pretend one")
    parser.add_argument("--context", help="context of that kubeconfig")
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help=f"take {', '.join(TAKEN)} from a settings file; all else stays"
    )
    parser.add_argument(
        "--runbook", metavar="FILE", help="the target's runbook: a path, or the name of a shipped one"
    )
    parser.add_argument(
        "--fixture",
        type=Path,
        metavar="FILE",
        help="files, commands, processes, logs and services of the pretend pod",
    )
    parser.add_argument("--verbose", action="store_true", help="show the bot's log here")
    return parser


def _port(text: str) -> int:
    """Read a port. Raises ArgumentTypeError for what is none."""
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 65_535):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no port: give a number from 0 (a free one) to 65535")
    return int(text)


def _settings(path: Path) -> dict[str, Any]:
    """Read the sections in use from a settings file. Raises SettingsError with every problem and its line."""
    load(config=path, environ={})
    given = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    place_runbooks(given, path.parent.resolve())
    taken = {section: given[section] for section in TAKEN if given.get(section) is not None}
    if "digest" in taken:
        taken["digest"] = {name: value for name, value in taken["digest"].items() if name != "channel"}
    return taken


def _target(runbook: str | None, settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of the target for ``--runbook``. Raises AgentpodError for a runbook that is wrong.

    In targets of a settings file the runbook takes the place of the first one's.
    """
    if runbook is None:
        return {}
    place = str(Path(runbook).resolve()) if is_path(runbook) else runbook
    try:
        compiled(place)
    except SettingsError as error:
        raise AgentpodError("\n".join([f"The runbook {runbook} is wrong:", *error.problems])) from None
    target = {"runbook": [place]}
    if "targets" in settings:
        settings["targets"][0] |= target
    return target


async def _run(
    options: argparse.Namespace, settings: dict[str, Any], target: dict[str, Any], fixture: FixtureFile
) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    cluster = {"kubeconfig": options.kubeconfig, "context": options.context}
    own = not (options.kubeconfig or options.fixture or target or "targets" in settings)
    async with Sandbox(
        port=options.port,
        lively=True,
        yesterday=own,
        settings=settings,
        target=target,
        fixture=fixture,
        **cluster,
    ) as sandbox:
        try:
            bot = await _started(sandbox, stop)
        except RuntimeError as error:
            sys.stderr.write(f"agentpod: {error}\n")
            return 1
        if bot is None:
            return 0
        _print_addresses(sandbox, bot, list(settings))
        if not options.no_browser:
            _open_browser(sandbox.workspace.base_url)
        follow = asyncio.create_task(_follow(bot, options.verbose))
        ended = await _first(stop, bot)
        follow.cancel()
        if ended is not None:
            sys.stderr.write(f"agentpod: the bot ended with code {ended}:\n{bot.output()[-4000:]}\n")
            return 1
    return 0


def _print_addresses(sandbox: Sandbox, bot: BotProcess, taken: Sequence[str]) -> None:
    kubeconfig = sandbox.kubeconfig or sandbox.cluster.kubeconfig(
        sandbox.folder / "admin.kubeconfig", user="admin"
    )
    pod = "a real cluster" if sandbox.kubeconfig else "a pretend agent pod"
    namespace = sandbox.settings()["targets"][0].get("namespace", Target().namespace)
    yours = f"\n    settings  yours: {', '.join(taken)}; the sandbox's own: all else" if taken else ""
    terminal = sandbox.folder / "agentpod"
    write_script(terminal, bot.env)
    sys.stdout.write(
        f"""
  agentpod's sandbox is running, with {pod}.

    open      {sandbox.workspace.base_url}
    try       /agentpod status      in #ops-agent-pod, as Maya; then break something in the panel
    metrics   {bot.ops_url}/metrics  (also /readyz)
    kubectl   KUBECONFIG={kubeconfig} kubectl -n {namespace} get pods
    terminal  {shlex.quote(str(terminal))} status{yours}

  Ctrl-C ends it and drops everything.

"""
    )
    sys.stdout.flush()


def _open_browser(url: str) -> None:
    """Open the page in a browser, if the machine has one; otherwise the printed address has to do."""
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return
    webbrowser.open(url)


async def _started(sandbox: Sandbox, stop: asyncio.Event) -> BotProcess | None:
    """Start the bot; None for Ctrl-C meanwhile. Raises RuntimeError if it does not connect."""
    waiting = asyncio.create_task(stop.wait())
    starting = asyncio.create_task(sandbox.start_bot(timeout=START_SECONDS))
    await asyncio.wait({waiting, starting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if starting.done():
        return starting.result()
    starting.cancel()
    return None


async def _first(stop: asyncio.Event, bot: BotProcess) -> int | None:
    """Wait for Ctrl-C (None) or the bot's end (its exit code)."""
    waiting = asyncio.create_task(stop.wait())
    ended = asyncio.create_task(bot.wait())
    done, pending = await asyncio.wait({waiting, ended}, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    return ended.result() if ended in done and not stop.is_set() else None


async def _follow(bot: BotProcess, verbose: bool) -> None:
    """Copy the bot's log to this terminal as it grows."""
    if not verbose:
        return
    seen = 0
    while True:
        text = bot.output()
        sys.stderr.write(text[seen:])
        seen = len(text)
        await asyncio.sleep(0.5)
