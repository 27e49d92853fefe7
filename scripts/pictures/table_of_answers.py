"""The pictures of answers to commands about the pod and its jobs."""

from __future__ import annotations

from scripts.pictures.shot import DESKTOP_DARK, DESKTOP_LIGHT, PHONE_DARK, PHONE_LIGHT, Group, Shot

STATUS = Group(
    "Is the pod well?",
    (
        Shot(
            "status-healthy",
            "healthy",
            PHONE_LIGHT,
            "`status`: all is well",
            "All checks are ok, and two buttons",
            "Healthy:",
        ),
        Shot(
            "status-broken",
            "broken",
            PHONE_DARK,
            "`status`: a process is gone",
            "One problem comes first: vibe-kanban is not running; below it what was checked, and the next step",
            "vibe-kanban is not running",
        ),
        Shot(
            "status-all-broken",
            "broken",
            DESKTOP_DARK,
            "`status`: many things are wrong at once",
            "The problems, worst first, each with its cause and its next step",
            "Not healthy:",
            ("Argo CD", "Pushgateway"),
        ),
        Shot(
            "status-unknown",
            "broken",
            DESKTOP_LIGHT,
            "`status`: the API server can't be reached",
            "Unknown, not healthy: the API server refuses connections, and which checks that concerns",
            "API server",
        ),
        Shot(
            "status-forbidden",
            "broken",
            PHONE_LIGHT,
            "`status`: a right is missing",
            "Could not tell: the account may not list pods, with the right to grant",
            "pods",
        ),
        Shot(
            "home-healthy",
            "page",
            PHONE_LIGHT,
            "The Home tab: all is well",
            "The Home tab with the verdict, the heartbeats and buttons",
            "Healthy",
        ),
        Shot(
            "home-broken",
            "alerts",
            DESKTOP_DARK,
            "The Home tab: a job is silent",
            "The Home tab names the silent job first, then the incident with its buttons",
            "session-manager",
        ),
    ),
)
INSIDE = Group(
    "What is wrong inside it?",
    (
        Shot(
            "pods-crash",
            "broken",
            PHONE_DARK,
            "`pods`: the container keeps crashing",
            "kali keeps crashing, with its exit code and the last lines of its log",
            "kali",
        ),
        Shot(
            "diagnose",
            "broken",
            DESKTOP_DARK,
            "`diagnose`: a proven cause",
            "A Secret is missing, so kali can't start; the line that proves it, and the next step",
            "Secret",
        ),
        Shot(
            "logs",
            "healthy",
            DESKTOP_LIGHT,
            "`logs`",
            "The last lines of the log, with secrets redacted",
            "lines",
        ),
        Shot("storage", "healthy", PHONE_LIGHT, "`storage`", "How full the home and its volumes are", "Disk:"),
        Shot(
            "egress",
            "healthy",
            PHONE_DARK,
            "`egress`",
            "The egress policy is there, and Cilium calls it valid",
            "Egress policy",
        ),
        Shot(
            "secrets",
            "healthy",
            DESKTOP_DARK,
            "`secrets`",
            "The keys of each Secret and when they changed, without their values",
            "secrets",
        ),
        Shot(
            "ssh-keys",
            "healthy",
            PHONE_DARK,
            "`ssh keys`",
            "The SSH keys with their owners and fingerprints",
            "key",
        ),
    ),
)
JOBS = Group(
    "Do its jobs run?",
    (
        Shot(
            "heartbeats",
            "healthy",
            DESKTOP_LIGHT,
            "`heartbeats`: all came",
            "Each job with its last heartbeat and the rule",
            "Heartbeats:",
        ),
        Shot(
            "heartbeats-stale",
            "alerts",
            PHONE_DARK,
            "`heartbeats`: one is late",
            "session-manager comes first, with how long it has been silent",
            "session-manager",
        ),
        Shot(
            "heartbeats-no-data",
            "broken",
            PHONE_LIGHT,
            "`heartbeats`: the Pushgateway has lost them",
            "The Pushgateway restarted and has lost the heartbeats; each job as it was last seen",
            "holds no heartbeats",
        ),
        Shot(
            "heartbeats-pushgateway-down",
            "broken",
            DESKTOP_DARK,
            "`heartbeats`: the Pushgateway is down",
            "Could not tell: the Pushgateway refuses connections",
            "Pushgateway",
        ),
        Shot(
            "cron",
            "healthy",
            PHONE_LIGHT,
            "`cron`",
            "Each cron job, its schedule and its next run",
            "Crontab:",
        ),
        Shot(
            "cron-scripts",
            "healthy",
            DESKTOP_LIGHT,
            "`cron scripts`",
            "The scripts that the image has for cron",
            "script",
        ),
    ),
)
GROUPS = (STATUS, INSIDE, JOBS)
