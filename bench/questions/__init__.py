"""Questions: does the file that answers a person's question about a repository stand first?"""
