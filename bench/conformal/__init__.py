"""Is a level kept on sessions and projects that a calibration never saw, and what does it cost?"""
