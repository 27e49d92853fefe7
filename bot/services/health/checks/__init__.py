"""The handbook's "Observing State", a check a module: it reads the facts and gives them to its judge."""
