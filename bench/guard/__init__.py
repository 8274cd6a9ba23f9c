"""Are the lines that are told when work counts as done needed? On recorded sessions, and on commits with one file held out."""
