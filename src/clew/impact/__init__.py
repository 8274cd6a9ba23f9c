"""Which files change together with others?"""
