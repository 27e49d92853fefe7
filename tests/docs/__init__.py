"""Every command in README.md and docs/ is run by a test, or marked with the reason why it can't be."""
