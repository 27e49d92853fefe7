"""What the bot does by itself: read, decide, act. One file a background task, and the desk that starts repairs."""
