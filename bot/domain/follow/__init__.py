"""Following a container's log: what was seen, what is shown, and in which messages. Pure."""
