"""Measurements beside the wheel: rivals, replays, and results named by commit. Never installed with clew."""
