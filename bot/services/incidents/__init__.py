"""Watchers that look for problems, and the incidents that they raise."""
