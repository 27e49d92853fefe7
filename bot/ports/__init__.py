"""Protocols for everything outside the core. Adapters implement them and raise only `bot.errors`."""
