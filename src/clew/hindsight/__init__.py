"""Hindsight: what of a session's past did its future need, and which window would have held it?"""
