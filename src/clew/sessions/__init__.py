"""Which sessions live now, what stands in their windows, and what may be said to them at this moment?"""
