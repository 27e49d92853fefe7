"""``configs``: whether the config files are there and can be read; their content is never read."""

from __future__ import annotations

from commands.shared.check_list import check_list

COMMAND = check_list(
    "configs",
    "Are the config files in the pod, and readable?",
    ("config-files",),
    details="Counts the bytes of talosconfig, kubeconfig and omniconfig; shows none of their content.",
    more=(("Rotate config files", "configs rotate"), ("Pods", "pods")),
)
