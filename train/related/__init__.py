"""Related words: which search terms a sentence model holds to be near each other, as a table that needs no model."""
