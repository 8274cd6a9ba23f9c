"""Claude Code, the one client that clew is validated against."""
