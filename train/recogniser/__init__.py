"""Fit the recogniser of sentences: `python -m train.recogniser`."""
