"""The outbox: pending messages in the ledger, and the worker that delivers them, once each."""
