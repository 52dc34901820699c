"""What the packages underneath need to run on the Python, torch and numpy of today."""
