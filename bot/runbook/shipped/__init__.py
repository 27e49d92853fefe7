"""The runbooks that ship with the bot, as YAML files."""
