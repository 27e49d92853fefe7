"""What the core needs from outside, as Protocols. Adapters provide them and raise only `bot.errors`."""
