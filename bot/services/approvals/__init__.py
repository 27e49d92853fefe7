"""Requests, decisions and executions of repairs; each change and its messages are one ledger transaction."""
