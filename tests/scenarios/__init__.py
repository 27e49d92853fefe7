"""The real bot process against the sandbox, over HTTP and WebSocket."""
