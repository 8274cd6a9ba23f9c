"""Fits the model that orders recalled turns and says how likely any of them answers."""
