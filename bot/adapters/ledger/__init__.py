"""The Ledger port: a SQLite file for one bot, PostgreSQL for several replicas.

`file` and `version` do not import SQLAlchemy, which is slow to load: the file is checked first of all.
"""
