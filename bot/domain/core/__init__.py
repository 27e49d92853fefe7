"""What every feature stands on: a cluster's facts, the target's settings, text from outside, words."""
