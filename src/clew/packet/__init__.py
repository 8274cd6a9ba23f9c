"""Which records fit? Options of what was ranked, bought within a token budget."""
