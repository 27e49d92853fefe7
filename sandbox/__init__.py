"""A local Slack workspace, a pretend agent pod and a page to use both: playground and test bench."""
