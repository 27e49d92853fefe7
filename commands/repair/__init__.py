"""What asks for a change, and what decides on it."""
