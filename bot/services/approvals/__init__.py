"""Requests, decisions and executions: each is written down in one transaction with what follows from it."""
