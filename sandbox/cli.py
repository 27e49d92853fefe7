"""`agentpod sandbox`: a Slack workspace and a pretend agent pod in the browser, with the real bot in it."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import webbrowser
from collections.abc import Sequence
from pathlib import Path

from sandbox.house import BotProcess, Sandbox


def main(words: Sequence[str]) -> int:
    """Run until Ctrl-C; gives the exit code."""
    options = _parser().parse_args(list(words))
    if options.context and not options.kubeconfig:
        options.kubeconfig = Path(os.environ.get("KUBECONFIG", "~/.kube/config").split(":")[0]).expanduser()
    if options.kubeconfig and not options.kubeconfig.is_file():
        sys.stderr.write(f"agentpod: {options.kubeconfig} (named by --kubeconfig) is not a file.\n")
        return 2
    try:
        return asyncio.run(_run(options))
    except OSError as error:
        sys.stderr.write(f"agentpod: port {options.port} can't be opened: {error.strerror}. Try --port 0.\n")
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="agentpod sandbox", description=__doc__, allow_abbrev=False)
    parser.add_argument("--port", type=int, default=0, help="the page's port (default: a free one)")
    parser.add_argument("--no-browser", action="store_true", help="only print the page's address")
    parser.add_argument("--kubeconfig", type=Path, help="use a real cluster instead of the pretend one")
    parser.add_argument("--context", help="context of that kubeconfig")
    parser.add_argument("--verbose", action="store_true", help="show the bot's log here")
    return parser


async def _run(options: argparse.Namespace) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    house = Sandbox(port=options.port, kubeconfig=options.kubeconfig, context=options.context, lively=True)
    async with house as sandbox:
        try:
            bot = await sandbox.start_bot()
        except RuntimeError as error:
            sys.stderr.write(f"agentpod: {error}\n")
            return 1
        _say(sandbox, bot)
        if not options.no_browser:
            _open_browser(sandbox.workspace.base_url)
        follow = asyncio.create_task(_follow(bot, options.verbose))
        ended = await _first(stop, bot)
        follow.cancel()
        if ended is not None:
            sys.stderr.write(f"agentpod: the bot ended with code {ended}:\n{bot.output()[-4000:]}\n")
            return 1
    return 0


def _say(sandbox: Sandbox, bot: BotProcess) -> None:
    kubeconfig = sandbox.kubeconfig or sandbox.cluster.kubeconfig(
        sandbox.folder / "admin.kubeconfig", user="admin"
    )
    pod = "a real cluster" if sandbox.kubeconfig else "a pretend agent pod"
    sys.stdout.write(
        f"""
  agentpod's sandbox is running, with {pod}.

    open      {sandbox.workspace.base_url}
    try       /agentpod status      in #ops-agent-pod, as Maya; then break something in the panel
    metrics   {bot.ops_url}/metrics  (also /readyz)
    kubectl   KUBECONFIG={kubeconfig} kubectl -n secure-agent-pod get pods

  Ctrl-C ends it and drops everything.

"""
    )
    sys.stdout.flush()


def _open_browser(url: str) -> None:
    """Open the page where there is a browser; a machine without one has the printed address."""
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return
    webbrowser.open(url)


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
