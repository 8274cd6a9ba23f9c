"""What is added to real prompts, against the files that the agent touched before the next prompt."""
