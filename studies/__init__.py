"""What the project measures of itself; not part of the installed package."""
