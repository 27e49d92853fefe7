"""What only looks: the pod, what runs in it, what reaches it, its logs and heartbeats."""
