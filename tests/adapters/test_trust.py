"""Which connections are given the trusted certificate authorities."""

from __future__ import annotations

import pytest

from bot.adapters.transport.clients import trust


@pytest.mark.parametrize(
    ("urls", "trusts"),
    [
        (("https://push.example.com",), True),
        (("HTTPS://push.example.com",), True),
        (("http://push.example.com", "https://proxy.example.com:3128"), True),
        (("http://push.example.com",), False),
        (("http://push.example.com", "socks5h://proxy.example.com:1080"), False),
    ],
)
def test_only_https_needs_authorities_and_nothing_is_trusted_without(urls: tuple[str, ...], trusts: bool) -> None:
    context = trust(*urls)
    assert bool(context.cert_store_stats()["x509_ca"]) is trusts
    assert context.check_hostname
