"""Repairs that MMPose and its packages need to run with today's Python, torch and numpy."""
