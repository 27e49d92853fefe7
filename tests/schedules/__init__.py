"""Schedules compared with the real crons: supercronic's own parser and cronexpr, and Debian's cron itself.

`python -m tests.schedules` tries any number of lines; the tests try a few thousand.
"""
