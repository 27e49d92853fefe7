"""Typed settings: their definition (`model`), their sources (`loader`), and error messages (`explain`)."""
