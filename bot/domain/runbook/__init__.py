"""The runbook file: its entries, and the facts that they judge."""
