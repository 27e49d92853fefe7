"""The readers, one module per kind of fact."""
