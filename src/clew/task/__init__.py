"""What is the agent doing? Observations in, TaskState out.

Built from raw observations only: this room imports the nouns and nothing that either pipeline makes, so
that a mistake in one pipeline can never become the intent that guides the other.
"""
