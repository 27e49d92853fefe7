"""The bot's commands; `registry` lists them."""
