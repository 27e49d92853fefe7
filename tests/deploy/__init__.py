"""What `deploy/` ships, rendered with kubectl's own kustomize and looked at without a cluster."""
