"""Commands for incidents, and for the digest of a day."""
