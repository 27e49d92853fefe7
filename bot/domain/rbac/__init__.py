"""Who may do what: people by their rules, the bot's account by Kubernetes' own."""
