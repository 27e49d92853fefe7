"""The real sops, with which the tests encrypt config files."""
