"""What does a machine speak? Adapters translate between clew and others' programs; they never decide."""
