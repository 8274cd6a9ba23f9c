"""Couplings between functions: which of the pairs that an index proposes change together later?"""
