"""The line of a termination message that says why: in a sentence, a log's end, and many kinds of stack traces."""

from __future__ import annotations

import pytest

from bot.domain.health.last_words import LONGEST, last_words

NODE = """node:events:497
      throw er; // Unhandled 'error' event
      ^

Error: listen EADDRINUSE: address already in use :::2222
    at Server.setupListenHandle [as _listen2] (node:net:1908:16)
    at listenInCluster (node:net:1965:12)
Emitted 'error' event on Server instance at:
    at emitErrorNT (node:net:1944:8)
{
  code: 'EADDRINUSE',
  port: 2222
}

Node.js v22.11.0
"""
PYTHON = """Traceback (most recent call last):
  File "/app/main.py", line 3, in <module>
    connect()
ConnectionRefusedError: [Errno 111] Connection refused
"""
GO = """panic: open /etc/agent/config.yaml: no such file or directory

goroutine 1 [running]:
main.main()
\t/src/main.go:12 +0x1d
exit status 2
"""
RUST = """thread 'main' panicked at src/main.rs:4:10:
called `Result::unwrap()` on an `Err` value: AddrInUse
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
"""
LOGS = """2026-11-24T02:49:58Z INFO starting
2026-11-24T02:49:59.123Z ERROR cannot bind port 2222
2026-11-24T02:50:00Z INFO bye
"""


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("cannot bind port 2222", "cannot bind port 2222"),
        ("cannot bind port 2222.\n", "cannot bind port 2222"),
        ("Download failed", "Download failed"),
        (LOGS, "cannot bind port 2222"),
        (NODE, "Error: listen EADDRINUSE: address already in use :::2222"),
        (PYTHON, "ConnectionRefusedError: [Errno 111] Connection refused"),
        (GO, "panic: open /etc/agent/config.yaml: no such file or directory"),
        (RUST, "called `Result::unwrap()` on an `Err` value: AddrInUse"),
        ('time="2026-11-24T02:50:00Z" level=fatal msg="no such host: db"', "no such host: db"),
        ('{"level":"error","ts":1,"msg":"cannot bind port 2222"}', "cannot bind port 2222"),
        ("{not json} but failed", "{not json} but failed"),
        ("first\nsecond\n", "second"),
        ("", ""),
        ("\n \n}\n", ""),
        ("\x1b[31mcannot bind port 2222\x1b[0m", "cannot bind port 2222"),
    ],
)
def test_the_line_that_says_why(message: str, line: str) -> None:
    assert last_words(message) == line


@pytest.mark.parametrize(
    "message",
    [
        "failed " + "to do this and that " * 40,
        "failed: " + "x" * 5_000,
        "x" * 5_000,
        "error: " * 900,
        "{" * 4_000,
        '{"msg":' * 600,
        " " * 4_000 + "x",
    ],
)
def test_the_result_is_short_and_cuts_no_word(message: str) -> None:
    said = last_words(message)
    assert len(said) <= LONGEST + 1
    whole = {word.rstrip(":") for word in message.split()}
    assert all(word.rstrip("…:") in whole for word in said.split())


def test_the_cause_is_the_end_of_a_chain() -> None:
    chain = "starting the agent: reading the settings of the agent in its home: opening it: permission denied"
    assert last_words(chain) == "reading the settings of the agent in its home: opening it: permission denied"


def test_secrets_are_redacted_before_cutting() -> None:
    said = last_words("cannot log in with the token that is in the environment, password=hunter2-" + "abcdef" * 9)
    assert "hunter2" not in said
