"""The manifests of `deploy/`, rendered with kubectl's own kustomize and checked without a cluster."""
