"""Schedules held against the real crons: supercronic's own parser and cronexpr, and Debian's cron itself.

`python -m tests.schedules` tries as many lines as one likes; the tests try a few thousand.
"""
