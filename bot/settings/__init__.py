"""Typed settings: what there is (`model`), where it comes from (`loader`), what is wrong with it (`explain`)."""
