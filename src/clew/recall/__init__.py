"""Which turns of earlier sessions are relevant to a question or a prompt?"""
