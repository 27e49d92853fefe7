"""The daily digest, and how long the history that it needs is kept."""
