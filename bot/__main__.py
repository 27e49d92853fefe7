"""The `agentpod` command line.

``agentpod run`` is the bot; ``agentpod check`` checks settings, connections and rights; ``agentpod sandbox``
starts a workspace to try the bot in; every command of the runbook can be run here too, such as ``agentpod
status``. Exit codes: 0 healthy or done, 1 not healthy, 2 could not tell (wrong usage and settings included).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import errno
import gc
import io
import os
import pwd
import shlex
import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bot import __version__
from bot.errors import AgentpodError, SettingsError

if TYPE_CHECKING:
    from bot.domain.core.outside import Outside
    from bot.domain.core.reply import Reply
    from bot.settings.loader import Loaded
    from bot.settings.model import Settings
    from bot.wiring.parts import SystemClock

COULD_NOT_TELL = 2
COLLECTOR = (50_000, 10, 10)
"""Thresholds of the cycle collector (`gc.set_threshold`). Nearly all garbage goes without it: by default a poll in
which a hundred incidents begin spends a twentieth of its time there."""


_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def main(argv: Sequence[str] | None = None, clock: SystemClock | None = None) -> int:
    """Run the command line; returns the exit code. Never shows a traceback for a user's mistake.

    ``clock``: commands go by it instead of the machine's.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        code = _main(words, clock)
        sys.stdout.flush()
        return code
    except SettingsError as error:
        return _complain(*error.problems, title="The settings are wrong:")
    except AgentpodError as error:
        return _complain(error.message, *([error.remedy] if error.remedy else []))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - the reader is gone; nothing may be flushed to it
        return 141
    except OSError as error:
        if error.errno not in _UNWRITABLE:
            raise
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - so that the exit doesn't try to write it again
        return _complain(f"The answer could not be written: {error.strerror or error}.")


def entry(clock: SystemClock | None = None) -> None:
    """Entry point of the installed script: exit with :func:`main`'s code."""
    # The kernel drops unhandled signals to process 1 of a container: a SIGTERM during the imports would be lost.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    _prepare_streams()
    try:
        code = main(clock=clock)
    except Exception:
        traceback.print_exc()
        code = COULD_NOT_TELL
    sys.exit(code)


def _prepare_streams() -> None:
    """Replace characters that the terminal can't encode by question marks, and closed streams by /dev/null."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 - for the process's life
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _complain(*lines: str, title: str = "") -> int:
    from bot.adapters.terminal.complaint import print_complaint
    from bot.domain.core.outside import Outside

    print_complaint(Outside().of(lines), title=title)
    return COULD_NOT_TELL


def _main(words: list[str], clock: SystemClock | None) -> int:
    parser = _parser()
    parser.set_defaults(clock=clock)
    options, rest = parser.parse_known_args(words)
    if options.word is None or (options.help and options.word in ("run", "check", "help", "man")):
        parser.epilog = _epilog()
        parser.print_help()
        return 0
    if options.help:
        return _help_on(options)
    if options.word == "run":
        _no_more(rest, "run")
        return _run(options)
    if options.word == "check":
        if rest == ["--schema"]:
            return _settings_schema()
        whole = rest == ["--all"]
        _no_more([] if whole else rest, "check", " [--all | --schema]")
        return _check(options, whole=whole)
    if options.word == "sandbox":
        return _sandbox([*_shared(options), *rest])
    if (tool := _TOOLS.get(options.word)) is not None:
        return tool(options, rest)
    if [options.word, *rest] == ["audit", "export"] and options.output == "text":
        return _export(options)
    return _command(options, [options.word, *rest])


def _export(options: argparse.Namespace) -> int:
    """Write the whole audit trail to standard output, one JSON object per line, in batches."""
    from bot import logs
    from bot.wiring.lazy import LazyLedger
    from commands.admin.audit import line

    settings = _given(options).settings
    logs.configure("error", "console", settings.secret_values())

    async def go() -> None:
        ledger = LazyLedger(settings.ledger.url, exclusive=False)
        try:
            async for record in ledger.records():
                sys.stdout.write(line(record) + "\n")
        finally:
            await ledger.close()

    asyncio.run(go())
    return 0


_LEDGER_USAGE = (
    "Usage: agentpod ledger backup FILE [--force] | agentpod ledger restore FILE [--force]; FILE - is a pipe"
)


def _ledger(options: argparse.Namespace, words: Sequence[str]) -> int:
    """Run ``agentpod ledger backup`` or ``agentpod ledger restore``."""
    from bot import logs
    from bot.wiring.ledger_files import backup, restore

    force, names = "--force" in words, [word for word in words if word != "--force"]
    bad = [name for name in names if name.startswith("-") and name != "-"]
    if len(names) != 2 or names[0] not in ("backup", "restore") or bad:
        what = f"agentpod ledger does not know {bad[0]!r}." if bad else "agentpod ledger needs: backup or restore."
        raise AgentpodError(what, remedy=_LEDGER_USAGE)
    settings = _load(options).settings
    logs.configure("error", "console", settings.secret_values())
    work = backup if names[0] == "backup" else restore
    for line in asyncio.run(work(settings.ledger.url, names[1], force=force)):
        sys.stderr.write(line + "\n")
    return 0


def _settings_schema() -> int:
    """Print the JSON Schema of the settings file."""
    from bot.settings.schema import settings_schema

    _print_json(settings_schema())
    return 0


def _runbook(options: argparse.Namespace, words: Sequence[str]) -> int:
    """Run one of the tools for authors of a runbook."""
    from bot.domain.core.outside import Outside
    from bot.wiring import runbook_cli

    load = _given if words[:1] == ["record"] else _load  # it looks into the pod that they name
    lines, code = runbook_cli.run(words, lambda: load(options).settings, _outside)
    # A manifest must be exact; it is ASCII, and holds nothing but what the settings and runbooks say.
    shown = lines if words[:1] == ["rights"] else Outside().of(lines)
    sys.stdout.write("\n".join(shown) + "\n")
    return code


def _policy(options: argparse.Namespace, words: Sequence[str]) -> int:
    """Run cases against the access and approval settings."""
    from bot.wiring import policy_cli

    loaded = _load(options)
    lines, code = policy_cli.run(words, loaded)
    sys.stdout.write("\n".join(_outside(loaded.settings).of(lines)) + "\n")
    return code


def _completion(options: argparse.Namespace, words: Sequence[str]) -> int:
    """Print the completion script of a shell."""
    from bot import logs
    from bot.wiring.command_line.tools import completion_script

    logs.configure("error", "console")
    sys.stdout.write(completion_script(words, lambda: _load(options).settings))
    return 0


def _man(_: argparse.Namespace, words: Sequence[str]) -> int:
    from bot.wiring.command_line.tools import show_man

    return show_man(words)


_TOOLS: Mapping[str, Callable[[argparse.Namespace, Sequence[str]], int]] = {
    "ledger": _ledger,
    "runbook": _runbook,
    "policy": _policy,
    "completion": _completion,
    "man": _man,
}


def _help_on(options: argparse.Namespace) -> int:
    """Show the help of a command: ``agentpod logs --help`` is ``agentpod help logs``."""
    if options.word == "ledger":
        sys.stdout.write(_LEDGER_USAGE + "\n")
        return 0
    if options.word == "runbook":
        from bot.wiring.runbook_cli import USAGE

        sys.stdout.write(USAGE + "\n")
        return 0
    if options.word == "completion":
        from bot.wiring.command_line.tools import COMPLETION_USAGE

        sys.stdout.write(COMPLETION_USAGE + "\n")
        return 0
    if options.word == "policy":
        from bot.wiring.policy_cli import USAGE as POLICY_USAGE

        sys.stdout.write(POLICY_USAGE + "\n")
        return 0
    return _sandbox(["--help"]) if options.word == "sandbox" else _command(options, ["help", options.word])


def _shared(options: argparse.Namespace) -> list[str]:
    """The options that the sandbox takes as well, wherever they were given on the command line."""
    given = {"--config": options.config, "--context": options.context}
    return [word for name, value in given.items() if value is not None for word in (name, str(value))]


def _sandbox(words: list[str]) -> int:
    try:
        from sandbox.cli import main as sandbox_main
    except ModuleNotFoundError as error:
        if error.name != "sandbox":
            raise
        raise AgentpodError(
            "The sandbox is not part of this installation.", remedy="In a clone of the repository: make sandbox"
        ) from None
    return sandbox_main(words)


def _no_more(rest: Sequence[str], word: str, more: str = "") -> None:
    if rest:
        usage = f"Usage: agentpod {word} [--config FILE] [--context NAME]{more}"
        raise AgentpodError(f"agentpod {word} does not know {rest[0]!r}.", remedy=usage)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="agentpod",
        description="Operates one hardened Kubernetes agent pod from Slack.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
        allow_abbrev=False,
    )
    parser.add_argument("-h", "--help", action="store_true", help="this help, or that of the command")
    parser.add_argument("--version", action="version", version=f"agentpod {__version__}")
    parser.add_argument("--config", metavar="FILE", type=Path, help="settings file (YAML); else AGENTPOD_CONFIG")
    parser.add_argument("--context", metavar="NAME", help="context of the kubeconfig")
    parser.add_argument("--output", choices=("text", "json"), default="text", help="for commands: how to print")
    parser.add_argument(
        "word", nargs="?", metavar="COMMAND", help="run, check, sandbox, or a command of the runbook"
    )
    return parser


def _epilog() -> str:
    from bot.wiring.command_line.help_page import listing
    from commands import registry

    width = shutil.get_terminal_size().columns - 1 if sys.stdout.isatty() else None
    return listing([(command.name, command.summary) for command in registry.build()], width)


def _load(options: argparse.Namespace) -> Loaded:
    from bot.settings.loader import load

    return load(config=options.config, flags=_flags(options))


def _given(options: argparse.Namespace) -> Loaded:
    """Load the settings. Raises AgentpodError where there are none: the defaults name a pod that is another's."""
    from bot.settings.loader import require

    require(options.config)
    return _load(options)


def _flags(options: argparse.Namespace) -> dict[str, str]:
    return {"kubernetes.context": options.context} if options.context else {}


def _without_httpx_cli() -> None:
    """Keep httpx from importing its command line with click, rich and pygments: they take 5 MB of memory."""
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # importing it fails, as if not installed


def _give_memory_back() -> None:
    """Have glibc return freed memory: by default it keeps up to twice the largest block ever freed.

    All threads share one heap: heaps of their own would each keep what a short job in them has freed.
    """
    import ctypes

    trim_threshold, mmap_threshold, most_heaps = -1, -3, -8  # parameters in malloc.h
    initial = 128 << 10
    with contextlib.suppress(AttributeError, OSError):  # another C library
        for parameter, value in ((trim_threshold, initial), (mmap_threshold, initial), (most_heaps, 1)):
            ctypes.CDLL(None).mallopt(parameter, value)


def _outside(settings: Settings) -> Outside:
    """The `Outside` that redacts the settings' secrets, which also seal times, and the passwords of proxies."""
    from bot.domain.core import moments
    from bot.domain.core.outside import Outside
    from bot.domain.core.proxies import passwords

    moments.seal_by(settings.secret_values())
    return Outside([*settings.secret_values(), *passwords(os.environ)])


def _run(options: argparse.Namespace) -> int:
    # Loading modules makes hardly any garbage; collecting it would take a sixth of the start.
    gc.disable()
    _give_memory_back()
    _without_httpx_cli()
    from bot import logs
    from bot.app import Bot
    from bot.check.routes import bad_proxies
    from bot.check.tokens import missing_tokens

    settings = _given(options).settings
    outside = _outside(settings)
    logs.configure(settings.log.level, settings.log.format, outside)
    names = missing_tokens(settings)
    absent = [f"{n} is not set: set AGENTPOD_{n.upper().replace('.', '__')} (docs/slack.md)." for n in names]
    if wrong := [*absent, *bad_proxies(settings, os.environ)]:
        raise SettingsError(wrong)

    async def go() -> None:
        bot = Bot(settings, outside=outside)
        gc.freeze()  # everything loaded so far stays: later collections can skip it
        gc.set_threshold(*COLLECTOR)
        gc.enable()
        await bot.run()

    asyncio.run(go())
    return 0


def _check(options: argparse.Namespace, *, whole: bool) -> int:
    from bot import logs
    from bot.check import check_all
    from bot.check.in_force import effective
    from bot.settings.loader import require
    from bot.settings.usable import load_usable

    require(options.config)
    read = load_usable(config=options.config, flags=_flags(options))
    outside = _outside(read.loaded.settings)
    logs.configure("error", "console", outside)
    report = asyncio.run(check_all(read, outside))
    checks = outside.of(list(report.checks))
    settings = [] if report.wrong_settings else outside.of(list(effective(read.loaded)))
    headline = outside.of(report.headline)
    if options.output == "json":
        _print_json(
            {
                "headline": headline,
                "exit_code": report.exit_code,
                "settings": [{"name": s.name, "value": s.value, "origin": s.origin} for s in settings],
                "checks": [{"title": c.title, "ok": c.ok, "detail": c.detail, "remedy": c.remedy} for c in checks],
            }
        )
    else:
        from bot.adapters.terminal.check_report import print_check

        print_check(headline, checks, settings, whole=whole)
    return report.exit_code


def _print_json(document: object) -> None:
    import json

    from bot.domain.core import moments

    sys.stdout.write(moments.bare(json.dumps(document, indent=2, ensure_ascii=False)) + "\n")


class _NoMetrics:
    """Discards metrics: a terminal command has no metrics server."""

    def command_done(self, command: str, outcome: str, seconds: float) -> None:
        """Do nothing."""

    def repair_ended(self, action: str, state: str, seconds: float | None) -> None:
        """Do nothing."""

    def delivery(self, kind: str, outcome: str) -> None:
        """Do nothing."""


def _command(options: argparse.Namespace, words: Sequence[str]) -> int:
    from bot import logs
    from bot.adapters.terminal import print_reply

    loaded = _load(options)
    outside = _outside(loaded.settings)
    logs.configure("error", "console", outside)
    text = options.output == "text"
    reply = asyncio.run(_answer(options, loaded, shlex.join(words), outside))
    aside = reply.posted or (text and reply.is_error)
    print_reply(reply, output=options.output, outside=outside, stream=sys.stderr if aside else None)
    return reply.exit_code


async def _answer(options: argparse.Namespace, loaded: Loaded, line: str, outside: Outside) -> Reply:
    from bot import logs
    from bot.domain.rbac.access import Identity
    from bot.runbook.context import Caller
    from bot.runbook.grammar import is_dry_run, target_of
    from bot.services.follow.terminal_follow import TerminalFollow
    from bot.settings.loader import require
    from bot.wiring.approvals import Approvals
    from bot.wiring.connecting import connecting
    from bot.wiring.parts import Parts

    settings, text = loaded.settings, options.output == "text"
    parts = Parts.build(settings, outside=outside, clock=options.clock)
    parts.approval_service = Approvals(
        settings, parts.ledger, parts.clock, parts.cluster_of, _NoMetrics(), check_context=parts.check_context
    ).approval_service
    parts.follows = TerminalFollow(parts.clock, parts.cluster_of, outside, _write_lines, text=text)
    try:
        dispatcher = parts.dispatcher("agentpod", _NoMetrics())
        command = dispatcher.command(line)
        if command is not None and command.needs_settings:
            require(options.config)
        caller = Caller(Identity(user=_user(), channel="terminal"), "terminal")
        if is_dry_run(line, parts.commands):
            return await dispatcher.run(line, caller, request_id=logs.new_request_id(), progress=_ignore)
        asked, seconds = target_of(line, parts.commands), settings.probes.timeout.total_seconds()
        async with connecting(parts.clusters, asked, outside, seconds) as redaction:
            reply = await dispatcher.run(line, caller, request_id=logs.new_request_id(), progress=_ignore)
        noted = redaction.noted(reply, reads_pod=command is not None and command.reads_pod)
        return await _with_names(noted, settings) if text else noted
    finally:
        await parts.close()


async def _with_names(reply: Reply, settings: Settings) -> Reply:
    """Put names in the place of ids, as Slack's own clients do."""
    from bot.domain.core.mentions import mentioned, with_names

    if not (ids := mentioned(reply)):
        return reply
    from bot.adapters.slack.names import names_of

    return with_names(reply, await names_of(settings.slack, ids))


def _write_lines(text: str) -> bool:
    """Print lines at once, also into a pipe; returns whether anybody reads them."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - nothing may be flushed to it
        return False
    return True


async def _ignore(_: Reply) -> None:
    """Discard progress: a terminal shows the whole answer at its end."""


def _user() -> str:
    """The login name of this process's user. Not $USER, which can be set to anything."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


if __name__ == "__main__":
    entry()
