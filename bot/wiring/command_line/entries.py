"""What can be typed after ``agentpod``: its own words, and each command of the runbook."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

FILE = "\0file"
"""Among choices: the names of files."""


@dataclass(frozen=True)
class Flag:
    """A flag: a switch, or one with a value."""

    name: str
    about: str
    value: str = ""
    """What its value is called; empty: it takes none."""
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Place:
    """A word that a command takes."""

    name: str
    about: str = ""
    choices: tuple[str, ...] = ()
    required: bool = True


@dataclass(frozen=True)
class Entry:
    """Something that can be run."""

    name: str
    about: str
    flags: tuple[Flag, ...] = ()
    places: tuple[Place, ...] = ()
    details: str = ""
    examples: tuple[str, ...] = ()
    own: bool = False
    """Whether it is a word of the terminal alone; commands of the runbook take `COMMON` flags too."""


_FILE = Place("FILE", "a runbook file, or the name of a shipped one", (FILE,))
_TARGET = Flag("--target", "which target", "NAME")
_FORCE = Flag("--force", "overwrite what is there")

GLOBAL = (
    Flag("--help", "this help, or that of the command"),
    Flag("--config", "settings file (YAML); else AGENTPOD_CONFIG", "FILE", (FILE,)),
    Flag("--context", "context of the kubeconfig", "NAME"),
    Flag("--output", "for commands: how to print", "FORMAT", ("text", "json")),
)
"""Flags of everything that can be run."""
VERSION = Flag("--version", "the version")
COMMON = (
    Flag("--target", "which of the settings' targets; else the first", "NAME"),
    Flag("--dry-run", "show the calls instead of making them"),
)
"""Flags of every command of the runbook."""

OWN = (
    Entry("run", "the bot: hears Slack and answers", own=True),
    Entry(
        "check",
        "try settings, tokens, connections and rights; say what to fix",
        (
            Flag("--all", "every setting instead of those that differ from the defaults"),
            Flag("--schema", "only print the JSON Schema of the settings file, for editors"),
        ),
        own=True,
    ),
    Entry(
        "sandbox",
        "a Slack workspace and a pretend pod in your browser, with the real bot in it",
        (
            Flag("--port", "the page's port (default: a free one)", "PORT"),
            Flag("--no-browser", "only print the page's address"),
            Flag("--kubeconfig", "use a real cluster instead of the pretend one", "FILE", (FILE,)),
            Flag("--runbook", "the target's runbook: a path, or a shipped one", "FILE", (FILE,)),
            Flag("--fixture", "what the pretend pod holds", "FILE", (FILE,)),
            Flag("--verbose", "show the bot's log here"),
        ),
        own=True,
    ),
    Entry(
        "ledger backup",
        "the whole ledger into a file, while the bot runs",
        (_FORCE,),
        (Place("FILE", "- is standard output", (FILE,)),),
        own=True,
    ),
    Entry(
        "ledger restore",
        "such a file into an empty ledger, while no bot runs",
        (_FORCE,),
        (Place("FILE", "- is standard input", (FILE,)),),
        own=True,
    ),
    Entry(
        "policy test",
        "run cases against the access and approval settings: who may what, and what then",
        places=(Place("FILE", "the cases", (FILE,)),),
        own=True,
    ),
    Entry("runbook lint", "check a runbook file and run its own tests", places=(_FILE,), own=True),
    Entry("runbook test", "run a runbook's own tests", places=(_FILE,), own=True),
    Entry("runbook show", "what a runbook holds, with all that it extends", places=(_FILE,), own=True),
    Entry("runbook docs", "a runbook as a page for people, in Markdown", places=(_FILE,), own=True),
    Entry(
        "runbook rights",
        "the Role that a runbook's facts need; without FILE Roles and admission policies for all settings",
        (
            _TARGET,
            Flag("--policies", "the admission policies only"),
            Flag("--account", "another account than the bot's", "USER"),
        ),
        (Place("FILE", _FILE.about, (FILE,), required=False),),
        own=True,
    ),
    Entry(
        "runbook record",
        "the live facts of a check or a diagnosis, redacted, as a test for the runbook",
        (_TARGET,),
        (Place("NAME", "a check or a diagnosis of the target's runbook"),),
        own=True,
    ),
    Entry("runbook schema", "the JSON Schema of runbook files, for editors", own=True),
    Entry(
        "completion",
        "a script that completes agentpod's command lines in a shell",
        places=(Place("SHELL", "which shell", ("bash", "zsh", "fish")),),
        own=True,
    ),
    Entry("man", "this manual: shown in a terminal, else printed as roff", own=True),
)
"""The words that a terminal has besides the commands of the runbook."""

EXIT_CODES = (
    ("0", "healthy, done, or asked for"),
    ("1", "not healthy; of check, runbook and policy: something to fix"),
    ("2", "not known or not done: unknown, refused, left to somebody else, wrong usage or settings"),
    ("130", "interrupted by Ctrl-C"),
    ("141", "whoever read the output closed it"),
)
"""What each exit code means."""


@dataclass(frozen=True)
class Known:
    """What the settings name, to complete with; empty where they can't be read."""

    targets: tuple[str, ...] = ()
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By the name of a command's parameter, such as ``container``."""


def names(entries: Iterable[Entry]) -> list[str]:
    """Return the names of the commands that help explains."""
    return [one.name for one in entries if not one.own and one.name]
