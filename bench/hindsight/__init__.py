"""Hindsight: after history is folded to a budget, does the agent still have what it turns out to need?"""
