"""Messages that a transaction has enqueued, and where they are once they are posted."""
