"""Score: one figure for each claim of the README, measured now and compared with the last committed results."""
