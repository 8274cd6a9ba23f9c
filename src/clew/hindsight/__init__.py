"""What turned out to be needed, looked at from the end of a session?"""
