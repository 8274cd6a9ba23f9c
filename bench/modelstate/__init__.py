"""What a model's state is worth: whole (`python -m bench.modelstate`), at some positions (`.positions`), in some features (`.features`)."""
