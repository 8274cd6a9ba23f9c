"""Sessions: state of the running agent sessions, and the policy for which text each of them is given and when."""
