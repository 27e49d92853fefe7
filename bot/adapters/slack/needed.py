"""Settings that are required to connect to Slack."""

from __future__ import annotations

from pydantic import SecretStr

from bot.errors import SettingsError


def needed(secret: SecretStr | None, name: str) -> str:
    """Return a secret's value. Raises SettingsError with its ``name`` if it is not set."""
    if secret is None:
        raise SettingsError([f"{name} is not set."])
    return secret.get_secret_value()
