"""Problems and incidents: when problems fire, are repeated and resolve, and how they are shown."""
