"""Compute an agent's task state (goals, rules, files, errors, dead ends) from the raw observations of its session.

Nothing here reads stored records, so that a wrong record can never pass for something that happened.
"""
