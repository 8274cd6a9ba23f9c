"""Which lines of one session should be in the window after compaction?"""
