"""How many credentials pass unmasked, what else is masked, and how fast, beside detect-secrets and the net before."""
