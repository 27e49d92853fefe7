"""Where messages go: a folder each, with its client and what registers it."""
