"""Which words, how long, how alike? Knows strings and arrays, and no noun of the house."""
