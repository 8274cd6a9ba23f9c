"""Which lines of one session should stand in the window after a cut?"""
