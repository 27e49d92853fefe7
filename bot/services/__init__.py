"""What the bot does by itself: read, decide, act; and its background tasks. The features are the domain's."""
