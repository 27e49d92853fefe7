"""Options of SSH keys are parsed as by sshd. The expected result of each line is from sshd of OpenSSH 9.2."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.health import judge_ssh_keys, ssh_keys, ssh_options
from tests.times import utc

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIUvbyNn0i2zG8Vb2fzQyL9HqhGeVTmVnqyeBWcnFq1k"

TAKEN = (
    "",
    "no-pty ",
    "NO-PTY ",
    "restrict,pty ",
    'from="127.0.0.*" ',
    r'command="echo \"a b\"" ',
    r'command="a\\ b" ',
    'command="" ',
    'environment="A=b" ',
    'environment="A=" ',
    'expiry-time="20990101" ',
    'expiry-time="20990101Z" ',
    'expiry-time="20990101utc" ',
    'expiry-time="209901010101" ',
    'expiry-time="20990101235960" ',
    'expiry-time="20990230" ',
    "no-pty, ",
    "no-pty,,pty ",
    ",no-pty ",
    "touch-required ",
    "no-verify-required ",
    'tunnel="0",tunnel="any" ',
    'permitopen="a:1",permitopen="[::1]:22",permitopen="*:*" ',
    'permitlisten="1",permitlisten="localhost:8080" ',
    "  \t",
    "no-pty \t ",
)
REFUSED = (
    'expiry-time="20240101" ',
    'expiry-time="20240101Z" ',
    'expiry-time="202401010101" ',
    'expiry-time="20240101010101UTC" ',
    'expiry-time="20990101",expiry-time="20240101" ',
    'expiry-time="20991301" ',
    'expiry-time="20990100" ',
    'expiry-time="209901012460" ',
    'expiry-time="2099" ',
    'expiry-time="2099010112" ',
    'expiry-time="20990101 " ',
    'expiry-time="19690101" ',
    "expiry-time=20990101 ",
    "expiry-time='20990101' ",
    'from="" ',
    'from="," ',
    'from="!*" ',
    'from="127.0.0.1",from="127.0.0.1" ',
    r'command="a\" ',
    'command="x ',
    'command="x"y ',
    'command="x",command="y" ',
    "command ",
    "command= ",
    'no-pty="x" ',
    "nonsense ",
    "no-restrict ",
    "no-pty ,pty ",
    "no-pty, pty ",
    "pty no ",
    'environment="=b" ',
    'environment="A-B=c" ',
    'principals="claude" ',
    'tunnel="x" ',
    'tunnel="0:1" ',
    'permitopen="a" ',
    'permitopen="a:0" ',
    'permitopen="a:70000" ',
    'permitlisten="x:y" ',
    "cert-authority ",
    "\xa0",
    "\ufeff",
    '"',
)


@pytest.mark.parametrize("options", TAKEN)
def test_a_key_with_valid_options_can_sign_in(options: str) -> None:
    assert len(ssh_keys.ways_in(f"{options}{KEY} maya\n", NOW)) == 1


@pytest.mark.parametrize("options", REFUSED)
def test_a_key_with_invalid_options_can_not_sign_in(options: str) -> None:
    text = f"{options}{KEY} maya\n"
    assert not ssh_keys.ways_in(text, NOW)
    [entry] = ssh_keys.parse_file(text)
    assert entry.problem or (entry.key and (entry.key.why_not(NOW) or entry.key.meaning.authority))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ('expiry-time="20240102030405Z"', "no: expired on 2024-01-02 03:04 UTC"),
        ('expiry-time="20270101"', "yes, until Fri 01 Jan, 00:00 UTC"),
        ('from="10.0.0.*,!10.0.0.7"', "yes, only from 10.0.0.*,!10.0.0.7"),
        (r'restrict,command="rsync --server \"a\""', 'yes, restrict, runs only rsync --server "a"'),
        ('cert-authority,principals="claude"', "by certificate, principals claude"),
        ('environment="TOKEN=of-somebody"', "yes, sets TOKEN"),
        ('tunnel="0",no-pty', "yes, tunnel 0, no-pty"),
        ("nonsense", "no: sshd refuses its options: it does not know 'nonsense'"),
        (f'command="{"x" * 5000}"', f"yes, runs only {'x' * 79}…"),
    ],
)
def test_the_meaning_of_options_is_described(options: str, says: str) -> None:
    [key] = ssh_keys.keys(f"{options} {KEY} maya\n")
    assert utc(judge_ssh_keys.sign_in(key, NOW), NOW) == says


@given(st.text(alphabet='abc=",\\ -', max_size=60))
def test_no_options_break_the_parser(text: str) -> None:
    ssh_options.parse(text[: ssh_options.end_of(text)])
    ssh_keys.parse_file(f"{text}{KEY}")
