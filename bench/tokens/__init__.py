"""How far the token estimate is from reference counts, and how fast it counts."""
