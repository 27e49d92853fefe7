"""Commands that request a repair, and those that decide on requests."""
