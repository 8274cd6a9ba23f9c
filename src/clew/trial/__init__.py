"""Trial: which sessions are with and without each part of clew, by chance, and what came of it. Knows no transcript and no store."""
