"""HTTP: the one local daemon. Who may ask it, where it listens, how it starts, rests and stops."""
