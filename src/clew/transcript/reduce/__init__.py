"""Which lines of an output does the agent have to read? `reduce.reduce_output` says so when it arrives."""
