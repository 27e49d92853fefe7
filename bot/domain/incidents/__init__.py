"""Problems from their beginning to their end, and what is said of them when."""
