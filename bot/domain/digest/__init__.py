"""The daily digest: each job's and the pod's day."""
