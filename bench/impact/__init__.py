"""Impact: one file of a change is known; which are the others?"""
