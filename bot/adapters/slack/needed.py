"""Settings without which there is no connection."""

from __future__ import annotations

from pydantic import SecretStr

from bot.errors import SettingsError


def needed(secret: SecretStr | None, name: str) -> str:
    """The value of a secret. Raises SettingsError, by its ``name``, where it is not set."""
    if secret is None:
        raise SettingsError([f"{name} is not set."])
    return secret.get_secret_value()
