"""Finds the words of a command that are run as code: a shell's script, awk's program, what ``ssh`` sends.

Whatever is typed into such a word becomes part of the code. As an argument after the script it is data.

No list of such programs is whole. So what is typed freely goes only to programs that are known to run none of
their words (`first_data`), or to those of which the runbook says so; what is found here is refused all the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Code:
    """A word of a command that is run as code, or says what is run."""

    word: int
    """Its number, from 0."""
    program: str
    """What runs it."""
    is_program: bool = False
    """Whether the word is the program itself."""


@dataclass(frozen=True)
class _Language:
    """How an interpreter is given its script: by default the first word that is no option."""

    script: str = ""
    """Options whose value is a script: letters, and long ones."""
    valued: str = ""
    """Options with another value, in full."""
    data: Mapping[str, int] = field(default_factory=dict)
    """Options whose values, so many, are data."""
    only_options: bool = False
    """Whether only options give a script: other words are data, such as a database."""
    again: bool = False
    """Whether options after the script can give another one."""


_SHELL = _Language("c", "-o +o -O +O --rcfile --init-file")
_EVAL = _Language("e E r p eval print require import", "-I -C -F -i -S -r --require --import", again=True)
SHELLS = ("sh", "bash", "ash", "dash", "zsh", "ksh", "mksh", "csh", "tcsh", "fish", "rbash")
"""Shells, by their names."""
_LANGUAGES: Mapping[str, _Language] = {
    **dict.fromkeys(SHELLS, _SHELL),
    **dict.fromkeys(("pwsh", "tclsh", "expect", "execlineb"), _SHELL),
    **dict.fromkeys(("python", "pypy", "ipython"), _Language("c", "-W -X")),
    **dict.fromkeys(("perl", "ruby", "node", "nodejs", "php", "lua", "luajit", "julia", "osascript"), _EVAL),
    **dict.fromkeys(("Rscript", "groovy", "scala", "elixir", "guile"), _EVAL),
    **dict.fromkeys(
        ("awk", "gawk", "mawk", "nawk"), _Language("e f i source file", data={"-v": 1, "-F": 1}, again=True)
    ),
    "sed": _Language("e f expression file", "-l", again=True),
    **dict.fromkeys(("jq", "yq"), _Language("f", "-L", {"--arg": 2, "--argjson": 2, "--indent": 1})),
    "psql": _Language("c f command file", only_options=True),
    **dict.fromkeys(("mysql", "mariadb", "cqlsh"), _Language("e execute", only_options=True)),
    **dict.fromkeys(("mongosh", "mongo"), _Language("f eval file", only_options=True)),
    "clickhouse-client": _Language("q query", only_options=True),
    **dict.fromkeys(("su", "runuser", "script", "flock"), _Language("c command", only_options=True)),
}
"""By the program's name, without its folder and its version."""
_ALL_WORDS = frozenset(
    "ssh autossh rsh mosh eval watch parallel at batch vi vim ex ed gdb sqlite3 deno bun".split()  # noqa: SIM905
)
"""Programs that run whatever their words say, be it on another machine."""
_COMMAND_NAMES = frozenset(("perl", "ruby"))
"""With ``-n`` or ``-p`` these open their arguments as files, and run one that is called ``id|``."""
_STARTERS: Mapping[str, tuple[int, str]] = {
    "env": (0, "-u --unset -C --chdir"),
    "sudo": (0, "-u -g -h -p -C -r -t -T -U -D -R"),
    "doas": (0, "-u -C"),
    "nice": (0, "-n --adjustment"),
    "ionice": (0, "-c -n -p"),
    "timeout": (1, "-k -s --kill-after --signal"),
    "stdbuf": (0, "-i -o -e"),
    "time": (0, "-f -o"),
    "nsenter": (0, "-t --target -S -G"),
    "unshare": (0, "-S -G"),
    "xargs": (0, "-I -n -P -d -a -E -L -s"),
    "strace": (0, "-e -o -p -s -u"),
    "runuser": (0, "-u -g -G"),
    "sshpass": (0, "-p -f -d"),
    "flock": (1, "-w -E -c --command"),
    **dict.fromkeys(("chroot", "gosu", "su-exec", "s6-setuidgid", "s6-envdir", "chrt", "taskset"), (1, "")),
    **dict.fromkeys(("busybox", "toybox", "nohup", "setsid", "exec", "command", "with-contenv", "tini"), (0, "")),
}
"""Programs that start another one: how many words stand before it, and options with a value."""
_DATA_ONLY = frozenset(
    {
        "basename", "cat", "chgrp", "chmod", "chown", "cksum", "cmp", "comm", "cp", "cut", "df", "dirname",
        "du", "echo", "egrep", "expr", "fgrep", "file", "getent", "grep", "head", "id", "kill", "ln", "ls",
        "lsof", "md5sum", "mkdir", "mv", "nvidia-smi", "od", "pgrep", "pidof", "pkill", "pwd", "readlink",
        "realpath", "rm", "rmdir", "s6-svc", "s6-svstat", "sha1sum", "sha256sum", "sha512sum", "sleep",
        "stat", "tac", "tail", "test", "touch", "tr", "truncate", "uniq", "wc",
    }
)  # fmt: skip
"""Programs that run none of their words, whatever those are."""
_BEFORE_COMMANDS = frozenset(("--", "-exec", "-execdir", "-ok", "-okdir"))
"""Words after which a command begins: ``find -exec``, ``kubectl exec POD --``."""
_VARIABLE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=")
_CODE_VARIABLE = re.compile(
    r"((LD|DYLD|GIT|BASH|PYTHON|PERL5|RUBY|NODE|JAVA|LUA|AWK).*|PATH|ENV|SHELL|.*PAGER|.*EDITOR|VISUAL|PS4|IFS)"
)
"""Names of environment variables that say what is run."""
_VERSION = re.compile(r"[0-9.]+$")


def code_words(words: Sequence[str]) -> list[Code]:
    """Return the words of a command that are run as code, or say what is run, each once and in order."""
    found: dict[int, Code] = {}
    for code in _command(words, 0):
        found.setdefault(code.word, code)
    data = first_data(words)
    for start in range(1, len(words) if data is None else data):
        if words[start - 1] in _BEFORE_COMMANDS or _has_script_option(words, start):
            for code in _command(words, start):
                found.setdefault(code.word, code)
    return [found[number] for number in sorted(found)]


def first_data(words: Sequence[str]) -> int | None:
    """The number of the first word that the program takes as data, like all after it; None if that isn't known."""
    program = max((code.word for code in _command(words, 0) if code.is_program), default=None)
    return None if program is None or _name(words[program]) not in _DATA_ONLY else program + 1


def program_of(words: Sequence[str]) -> str:
    """The name of the program that a command runs, behind those that only start another one."""
    return _name(words[max((code.word for code in _command(words, 0) if code.is_program), default=0)])


def _name(word: str) -> str:
    return _VERSION.sub("", word.rpartition("/")[2])


def _has_script_option(words: Sequence[str], start: int) -> bool:
    """Whether a word is an interpreter with a script after it, whatever may start it: ``anything sh -c …``."""
    language = _LANGUAGES.get(_name(words[start]))
    return language is not None and any(_is_script(word, language) for word in words[start + 1 :])


def _is_script(word: str, language: _Language) -> bool:
    """Whether a word is an option that gives a script: ``-c``, ``-lc``, ``-cCODE``, ``--eval=CODE``."""
    if word.startswith("--"):
        return word[2:].partition("=")[0] in language.script.split()
    letters = re.match(r"-([A-Za-z0-9]*)", word)
    return letters is not None and any(len(one) == 1 and one in letters[1] for one in language.script.split())


def _command(words: Sequence[str], start: int) -> Iterator[Code]:
    """The words of the command that begins at ``start``, which is the program."""
    if start >= len(words):
        return
    name = _name(words[start])
    language = _LANGUAGES.get(name)
    yield Code(start, name, is_program=True)
    if name in _ALL_WORDS or _opens_commands(name, words[start + 1 :]):
        yield from (Code(number, name) for number in range(start + 1, len(words)))
    elif language is not None:
        yield from (Code(number, name) for number in _scripts(words, start + 1, language))
    if name in _STARTERS:
        yield from _started(words, start + 1, name)


def _opens_commands(name: str, words: Sequence[str]) -> bool:
    return name in _COMMAND_NAMES and any(re.match(r"-[a-zA-Z0-9]*[np]", word) for word in words)


def _scripts(words: Sequence[str], number: int, language: _Language) -> Iterator[int]:
    """The numbers of all words that belong to a script, or may."""
    begun = language.only_options
    while number < len(words):
        word = words[number]
        if word in language.data:
            number += language.data[word]
        elif begun and _is_script(word, language):
            yield from (number, number + 1)
        elif begun and word.startswith(("-{", "--{")):
            yield number
        elif not begun:
            yield number
            if _has_value(word, language):
                number += 1
                yield number
            elif not word.startswith(("-", "+")):
                begun = True
                if not language.again:
                    return
        number += 1


def _has_value(word: str, language: _Language) -> bool:
    """Whether the next word is an option's value: after ``-o``, and ``-euo``."""
    valued = language.valued.split()
    return word in valued or (re.fullmatch(r"[-+][A-Za-z]+", word) is not None and word[0] + word[-1] in valued)


def _started(words: Sequence[str], number: int, name: str) -> Iterator[Code]:
    """The command that another one starts, and what else says what that is."""
    before, valued = _STARTERS[name]
    while number < len(words):
        word = words[number]
        variable = _VARIABLE.match(word)
        if word in ("-S", "--split-string") and name == "env":
            yield Code(number + 1, name)
            number += 1
        elif word in valued.split():
            number += 1
        elif word.startswith("-"):
            yield Code(number, name)
        elif variable is not None:
            if _CODE_VARIABLE.fullmatch(variable[1]):
                yield Code(number, name)
        elif before > 0:
            before -= 1
        else:
            yield from _command(words, number)
            return
        number += 1
