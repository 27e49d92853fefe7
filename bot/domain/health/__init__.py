"""Whether the pod is as it should be: what Kubernetes says of it, and what each check concludes."""
