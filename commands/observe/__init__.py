"""Commands that observe the pod, its processes, services, logs and heartbeats; and ``heartbeats push``."""
