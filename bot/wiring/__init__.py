"""The only place that joins features: which services there are, and what they are given."""
