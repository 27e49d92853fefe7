"""The runbook file's engine: read, compile, judge, test."""
