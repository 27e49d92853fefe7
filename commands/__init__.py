"""What people can ask for. `registry` has the list."""
