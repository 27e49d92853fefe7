"""The kinds of facts, a module each."""
