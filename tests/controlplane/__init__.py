"""Tests on a real control plane: kube-apiserver, etcd, controller manager and scheduler, kwok as the node."""
