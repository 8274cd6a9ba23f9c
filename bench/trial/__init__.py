"""Trial: how often `clew trial` claims what is not so, and how often it finds what is, over outcomes of real sessions."""
