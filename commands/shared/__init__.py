"""What the commands are made of: reads, checks, probes, and what their answers have in common."""
