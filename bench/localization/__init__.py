"""Localization: given an issue's text and a token budget, is everything that must be changed in the packet?

`rows` reads the questions, `systems` says what a rival must answer, `run` asks them, `metrics` judges, `report` tells.
"""
