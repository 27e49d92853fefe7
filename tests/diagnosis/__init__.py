"""A corpus of recorded facts with the cause that a diagnosis has to find in them, and its score."""
