"""Compress: does what a small local model chooses of a session beat nets, chance and the newest lines, by each form of the state?"""
