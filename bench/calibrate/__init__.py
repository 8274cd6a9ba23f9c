"""Does a repository's own history make a better retriever of it?"""
