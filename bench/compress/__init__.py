"""Compress: what can be measured of a model's compression without a model."""
