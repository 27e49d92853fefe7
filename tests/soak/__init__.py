"""The proof of at-most-once: real bots killed between any two steps, real rollouts counted. `make soak`."""
