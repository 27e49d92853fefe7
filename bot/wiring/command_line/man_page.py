"""The man page, in roff, from the same entries as the command line's help."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from bot import __version__
from bot.wiring.command_line.entries import COMMON, EXIT_CODES, GLOBAL, VERSION, Entry, Flag

_VARIABLES = (
    ("AGENTPOD_CONFIG", "The settings file, where --config names none."),
    ("AGENTPOD_SECRETS_DIR", "A folder of secret files, one for each setting, such as slack__bot_token."),
    ("AGENTPOD_…", "Each setting, such as AGENTPOD_SLACK__CHANNEL for slack.channel. Lists are JSON."),
    ("KUBECONFIG", "The kubeconfig; in a pod the service account is used."),
    ("NO_COLOR, FORCE_COLOR", "No colours, or colours in a pipe as well."),
    ("COLUMNS", "The terminal's width, where the terminal does not tell it."),
)
_EXAMPLES = (
    ("Is the pod healthy? The exit code says so as well.", "agentpod status"),
    ("What keeps the bot from working?", "agentpod check"),
    ("Log lines with errors of the last hour.", "agentpod logs --grep ERROR --since 1h"),
    ("The headline alone, for a script.", "agentpod status --output json | jq -r .headline"),
    ("Ask for a restart; an approver decides in Slack.", 'agentpod restart --reason "a fix"'),
)
_SYNOPSIS = ("[--config FILE] [--context NAME] [--output text|json] COMMAND …",)


def page(entries: Sequence[Entry]) -> str:
    """Return the whole page."""
    own = [one for one in entries if one.own]
    commands = [one for one in entries if one.name and not one.own]
    lines = [
        '.\\" Made from the code: agentpod man prints it.',
        f'.TH AGENTPOD 1 "" "agentpod {__version__}" "User Commands"',
        ".SH NAME",
        "agentpod \\- operates one hardened Kubernetes agent pod from Slack, and in a terminal",
        ".SH SYNOPSIS",
        *(f".B agentpod\n{_text(line)}" for line in _SYNOPSIS),
        ".SH DESCRIPTION",
        _text(
            "Runs the bot, checks its settings, and runs the same commands as /agentpod in Slack. Only answers go "
            "to standard output, all else to standard error. A terminal's text is wrapped at its width, but never "
            "within a command to copy; in a pipe nothing is wrapped. What asks for a repair posts its card in "
            "Slack, where approvers decide."
        ),
        ".SH OPTIONS",
        *_flags((*GLOBAL, VERSION)),
        ".SH OWN COMMANDS",
        *(line for one in own for line in _entry(one)),
        ".SH COMMANDS OF THE RUNBOOK",
        _text("Those that a target's own runbook declares come in addition: agentpod help lists them. Each takes"),
        *_flags(COMMON),
        *(line for one in commands for line in _entry(one)),
        ".SH EXIT STATUS",
        *(line for code, about in EXIT_CODES for line in _item(code, _text(about))),
        ".SH ENVIRONMENT",
        *(line for name, about in _VARIABLES for line in _item(name, _text(about))),
        ".SH FILES",
        _text("The settings file is wherever --config or AGENTPOD_CONFIG says; there is no default place."),
        ".SH EXAMPLES",
        *(line for about, command in _EXAMPLES for line in _item(command, _text(about))),
        ".SH SEE ALSO",
        ".BR kubectl (1),",
        _text("docs/commands.md and docs/settings.md in the source"),
    ]
    return "\n".join(lines) + "\n"


def _entry(entry: Entry) -> Iterator[str]:
    """A command: its usage as heading, what it does, its flags, examples."""
    words = [place.name if place.required else f"[{place.name}]" for place in entry.places]
    usage = " ".join([entry.name, *words, *(f"[{_called(flag)}]" for flag in entry.flags)])
    yield f".SS {_argument(usage)}"
    yield _text(f"{entry.about[:1].upper()}{entry.about[1:]}.".replace("?.", "?"))
    if entry.details:
        yield from (".PP", _text(entry.details))
    named = [(place.name, place.about) for place in entry.places if place.about]
    for name, about in [*named, *((_called(flag), flag.about) for flag in entry.flags)]:
        yield from _item(name, _text(about))
    if entry.examples:
        yield from (".PP", "For example:", ".EX")
        yield from (_verbatim(f"agentpod {one}") for one in entry.examples)
        yield ".EE"


def _flags(flags: Iterable[Flag]) -> Iterator[str]:
    for flag in flags:
        yield from _item(_called(flag), _text(flag.about))


def _called(flag: Flag) -> str:
    return f"{flag.name} {flag.value}".strip()


def _item(name: str, about: str) -> tuple[str, str, str]:
    return ".TP", f".B {_argument(name)}", about or "\\&"


def _text(text: str) -> str:
    """A paragraph's text: no line may begin with a control character."""
    return "\n".join(_verbatim(line) for line in textwrap.wrap(text, 72, break_on_hyphens=False))


def _verbatim(line: str) -> str:
    return ("\\&" if line.startswith((".", "'")) else "") + _escaped(line)


def _escaped(text: str) -> str:
    """Characters that roff would take for something else; a hyphen stays one that can be copied."""
    return text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")


def _argument(text: str) -> str:
    """One argument of a macro."""
    return '"' + _escaped(text).replace('"', "\\(dq") + '"'
