"""Which turns of earlier sessions bear on a question or a prompt?"""
