"""Around it: help, rights, the audit trail, Home."""
