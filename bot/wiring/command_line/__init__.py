"""The words of the `agentpod` command line: for its help, its completion and its man page."""
