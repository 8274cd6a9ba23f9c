"""Same: do two commits give the same values on real input?"""
