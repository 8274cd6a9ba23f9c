"""Recall over sessions: are the turns found that answer a question about earlier conversations, and nothing where nothing does?"""
