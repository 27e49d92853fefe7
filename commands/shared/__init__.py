"""What several commands share: requests, and parts of their answers."""
