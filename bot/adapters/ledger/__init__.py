"""The Ledger port: a SQLite file for one bot, PostgreSQL for several replicas.

`file` and `version` need no SQLAlchemy, which takes long to load: a file is judged before Slack hears of the bot.
"""
