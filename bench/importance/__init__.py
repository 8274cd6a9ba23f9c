"""What does the importance of records gain where it is read: in ranking and in forgetting?"""
