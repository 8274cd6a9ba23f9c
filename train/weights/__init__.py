"""Weights: the default weights of the channels, fitted to issues whose answers are known."""
