"""Greets people and channels, each once."""
