"""The problem sources, and the incidents that come of them."""
