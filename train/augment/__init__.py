"""Fits the model that decides what is added to a prompt."""
