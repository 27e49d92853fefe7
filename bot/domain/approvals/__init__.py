"""Requests that somebody has to approve, and what is shown of them."""
