"""Measured ratios, each within one run: against bare Bolt, the slowest probe, kubectl, `json.loads`."""
