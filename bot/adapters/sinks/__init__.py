"""The sinks that messages are delivered to: a folder each, with its client and its `SINK` registration."""
