"""The Ledger port on SQLAlchemy: a SQLite file for one bot, PostgreSQL for several replicas."""

from bot.adapters.ledger.ledger import SqlLedger, open_ledger

__all__ = ["SqlLedger", "open_ledger"]
