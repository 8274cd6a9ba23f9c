"""Which records fit? Ways to show the ranked records, selected within a token budget."""
