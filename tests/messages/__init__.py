"""Every message that a user can get in Slack, rendered by the real code from prepared states, and its rules."""
