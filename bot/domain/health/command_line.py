"""Find the program that a command line runs, as opposed to names it only mentions. Pure, in linear time.

The program is the first word, or what that word runs: the command after ``sudo``, ``timeout 5`` and other
wrappers, or the script of an interpreter (``node -r ./tracing.js bin/vibe-kanban``, ``python -m module``, ``npx
package``). busybox' ``ps`` puts the process's name in braces where it differs from the first word: ``{vibe-kanban}
node …``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

MOST_WORDS = 128
"""Words of a command line that are examined; no script comes after more options than that."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TOOLS = _words(
    """
    ack ag awk bat btop bzgrep cat chmod chown cmp code column cp curl cut diff du echo ed egrep emacs emacsclient
    ex fgrep file find fuser gawk gdb git grep gunzip gzip head helix hexdump htop hx info jed joe journalctl jq
    kak kill
    killall kubectl less ln login ls lsof ltrace man mawk mcedit micro mkdir more mv nano nvim objdump od perf
    pgrep pico pidof pidwait pkill printf ps pstree pt readlink rg rgrep rm rsync scp screen sed service sftp sleep
    sort ssh stat strace strings su systemctl tac tail tar tee tmux top touch type ugrep uniq unzip vi view vim
    vimdiff watch wc wget whatis whereis which xargs xxd xzgrep yq zcat zgrep zip zless
    """
)
_SHELLS = _words("ash bash dash fish ksh mksh sh yash zsh")
_SCRIPTS = (".js", ".mjs", ".cjs", ".ts", ".mts", ".py", ".pyz", ".pyc", ".rb", ".pl", ".sh", ".bash", ".jar")


@dataclass(frozen=True)
class _Grammar:
    """The command syntax of a wrapper or interpreter: what may stand between its name and the program it runs."""

    valued: Collection[str] = ()
    """Options whose value is the next word."""
    code: Collection[str] = ()
    """Options that are followed by code instead of a program."""
    names: Collection[str] = ()
    """Options whose value is the program to run."""
    skipped: int = 0
    """Number of arguments between the options and the program."""
    verbs: Collection[str] = ()
    """The subcommands that run a program; others run none. Empty: it has no subcommands."""
    clusters: str = ""
    """One-letter options that take code or a program's name, also combined with others: ``-lc``, ``-um``."""


_WRAPPERS: Mapping[str, _Grammar] = {
    "busybox": _Grammar(),
    "chpst": _Grammar(_words("-u -U -b -e -d -m -o -p -f -c -n -/")),
    "chrt": _Grammar(_words("-T -P -D"), skipped=1),
    "command": _Grammar(),
    "doas": _Grammar(_words("-u -C")),
    "env": _Grammar(_words("-u -C --unset --chdir")),
    "exec": _Grammar(_words("-a")),
    "flock": _Grammar(_words("-w -E --timeout"), skipped=1),
    "gosu": _Grammar(skipped=1),
    "ionice": _Grammar(_words("-c -n -p --class --classdata")),
    "nice": _Grammar(_words("-n --adjustment")),
    "nohup": _Grammar(),
    "numactl": _Grammar(_words("-m -N -C -p -i")),
    "s6-setuidgid": _Grammar(skipped=1),
    "setpriv": _Grammar(_words("--reuid --regid --groups --inh-caps --ambient-caps --bounding-set --securebits")),
    "setsid": _Grammar(),
    "setuidgid": _Grammar(skipped=1),
    "stdbuf": _Grammar(_words("-i -o -e --input --output --error")),
    "su-exec": _Grammar(skipped=1),
    "sudo": _Grammar(_words("-u -g -h -p -C -r -t -U -T -D -R --user --group --host --chdir --prompt")),
    "taskset": _Grammar(skipped=1),
    "time": _Grammar(_words("-f -o --format --output")),
    "timeout": _Grammar(_words("-s -k --signal --kill-after"), skipped=1),
    "unbuffer": _Grammar(),
}
_NODE = _Grammar(
    _words(
        "-r --require --import --loader --experimental-loader -C --conditions --title --icu-data-dir --input-type "
        "--openssl-config --inspect-port --env-file --env-file-if-exists --redirect-warnings --watch-path"
    ),
    _words("-e --eval -p --print -pe -c --check"),
)
_PYTHON = _Grammar(_words("-W -X --check-hash-based-pycs"), _words("-c"), _words("-m"), clusters="cm")
_RUNNER = _Grammar(
    _words("-p --package -w --workspace --from --with --python --registry --cache"), _words("-c --call")
)
_LOADER = _Grammar(_words("--library-path --preload --argv0 --audit --glibc-hwcaps-prepend"))
_EMULATOR = _Grammar(_words("-L -0 -cpu -E -U -g -s -R -B"))
_SHELL = _Grammar(_words("-o +o -O +O --rcfile --init-file"), _words("-c"), clusters="c")
_INTERPRETERS: Mapping[str, _Grammar] = {
    **dict.fromkeys(_SHELLS, _SHELL),
    **dict.fromkeys(("node", "nodejs"), _NODE),
    **dict.fromkeys(("python", "pypy"), _PYTHON),
    **dict.fromkeys(("npx", "bunx", "pnpx", "uvx"), _RUNNER),
    "npm": _Grammar(_RUNNER.valued, _RUNNER.code, verbs=_words("exec x")),
    "pnpm": _Grammar(_words("-C --dir"), _words("-c"), verbs=_words("exec dlx")),
    "yarn": _Grammar(_words("--cwd -p"), verbs=_words("exec dlx")),
    "uv": _Grammar(_words("--with --python -p --project --directory"), names=_words("-m"), verbs=_words("run")),
    "pipx": _Grammar(_words("--spec --python"), verbs=_words("run")),
    "poetry": _Grammar(_words("-C -P --directory --project"), verbs=_words("run")),
    "bundle": _Grammar(verbs=_words("exec")),
    "bun": _Grammar(
        _words("-r --preload --cwd --env-file"), _words("-e --eval -p --print"), verbs=_words("run x")
    ),
    "deno": _Grammar(_words("-c --config --import-map -L --log-level"), verbs=_words("run serve")),
    "perl": _Grammar(_words("-I"), _words("-e -E"), clusters="eE"),
    "ruby": _Grammar(_words("-I -r -C"), _words("-e"), clusters="e"),
    "php": _Grammar(_words("-c -d -z"), _words("-r"), _words("-f")),
    "java": _Grammar(
        _words("-cp -classpath --class-path -p --module-path --add-modules --add-opens --add-exports --add-reads"),
        names=_words("-jar -m --module"),
    ),
}
_VERBLESS = frozenset(["bun"])
"""Interpreters whose subcommand is optional: ``bun run x``, ``bun x.ts``."""


@dataclass(frozen=True)
class Program:
    """The program of a command line. ``names``: its names; ``tool``: it only works on what its arguments name."""

    names: tuple[str, ...]
    first: str = ""
    """The program's own name, without its path."""
    tool: bool = False


NOTHING = Program(())


def base(word: str) -> str:
    """The last component of a path."""
    return word.rsplit("/", 1)[-1]


_BUILD = re.compile(
    r"(?:[-_](?:v\d+(?:\.\d+)*|\d+(?:\.\d+)+|linux|unknown|gnu|musl|static|x86_64|amd64|arm64|aarch64|arm(?:hf|v\d\w?)?"
    r"|i?[36]86|riscv64|ppc64le|s390x))+",
    re.IGNORECASE,
)
"""What upstreams append to the name of a program's file: version, system, processor."""


def is_build(name: str, word: str) -> bool:
    """Whether a word is a program's file as upstream names it: ``/opt/supercronic-linux-amd64``."""
    file = base(word)
    return file.startswith(name) and _BUILD.fullmatch(file, len(name), len(name) + 80) is not None


def program(command: str) -> Program:
    """Parse a command line; `NOTHING` for zombies, kernel threads and empty lines."""
    command = command.strip()
    if command.startswith("[") or command.endswith("<defunct>"):
        return NOTHING
    name, rest = _braced(command)
    args = rest.split(None, MOST_WORDS)[:MOST_WORDS]
    start = _behind_wrappers(args)
    if start >= len(args):
        return Program((name,), name) if name else NOTHING
    found = _of(args, start)
    if name and not found.tool and base(name) in _TOOLS:
        return Program((name,), name, tool=True)
    return Program((*found.names, name), found.first, found.tool) if name and not found.tool else found


def _braced(command: str) -> tuple[str, str]:
    """Split busybox' ``{name} arguments``; the name is empty where there are no braces."""
    if not command.startswith("{"):
        return "", command
    name, closed, rest = command[1:65].partition("}")
    return (name, command[len(name) + 2 :]) if closed and name and rest[:1] in ("", " ") else ("", command)


def _behind_wrappers(args: Sequence[str]) -> int:
    """The index of the program after wrappers such as ``sudo``, ``timeout 5`` and ``env A=b``."""
    at = 0
    while at < len(args) and (grammar := _WRAPPERS.get(base(args[at]))) is not None:
        at = _behind_options(args, at + 1, grammar)
        while at < len(args) and "=" in args[at]:
            at += 1
        at += grammar.skipped
    return at


def _behind_options(args: Sequence[str], at: int, grammar: _Grammar) -> int:
    while at < len(args) and args[at][:1] in ("-", "+"):
        if args[at] == "--":
            return at + 1
        at += 2 if args[at] in grammar.valued else 1
    return at


def _of(args: Sequence[str], at: int) -> Program:
    word = args[at]
    name = base(word).lstrip("-")
    if name in _TOOLS:
        return Program((word,), name, tool=True)
    grammar = _grammar(name)
    if grammar is None:
        return Program((word,), name)
    script = _script(args, at + 1, grammar, optional_verb=name in _VERBLESS)
    if not script:
        return Program((word,), name, tool=script is not None and name in _SHELLS)
    return Program((word, *_spellings(script)), name)


def _grammar(name: str) -> _Grammar | None:
    if name.startswith(("ld-linux", "ld-musl", "ld.so")):
        return _LOADER
    if name.startswith("qemu-") or name == "rosetta":
        return _EMULATOR
    return _INTERPRETERS.get(name) or _INTERPRETERS.get(name.rstrip("0123456789.-"))


def _script(args: Sequence[str], at: int, grammar: _Grammar, *, optional_verb: bool) -> str | None:
    """The script that an interpreter runs; empty where it is given code instead, None where neither is given."""
    wanted = bool(grammar.verbs)
    while at < len(args):
        word = args[at]
        if word[:1] in ("-", "+") and len(word) > 1 and word != "--":
            kind, value = _option(word, grammar)
            if kind == "code":
                return ""
            if kind == "name":
                return value or (args[at + 1] if at + 1 < len(args) else None)
            at += 2 if kind == "valued" else 1
        elif word == "--":
            at += 1
        elif wanted and word in grammar.verbs:
            wanted, at = False, at + 1
        elif wanted and not optional_verb:
            return None
        else:
            return word
    return None


def _option(word: str, grammar: _Grammar) -> tuple[str, str]:
    """Classify an option as ``code``, ``name``, ``valued`` or ``flag``; and its value if in the same word."""
    if word in grammar.code:
        return "code", ""
    if word in grammar.names:
        return "name", ""
    if word in grammar.valued:
        return "valued", ""
    if word[:2] != "--":
        for at, letter in enumerate(word[1:12], start=1):
            if letter in grammar.clusters:
                return ("name", word[at + 1 :]) if f"-{letter}" in grammar.names else ("code", "")
            if not letter.isalpha() or f"-{letter}" in grammar.valued:
                break
    return "flag", ""


def _spellings(script: str) -> list[str]:
    """Names of a script: as written, without extension or version, and with hyphens for underscores."""
    found = [script]
    name = base(script)
    if name.endswith(_SCRIPTS):
        found.append(name.rpartition(".")[0])
    if name.rfind("@") > 0:
        found.append(name.rpartition("@")[0])
    if "_" in name or "." in name:
        found.append(name.partition(".")[0].replace("_", "-"))
    return found
