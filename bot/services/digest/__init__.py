"""The daily digest, and what is kept for it."""
