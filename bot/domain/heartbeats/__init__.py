"""When a job's last success was, and whether that is in time."""
