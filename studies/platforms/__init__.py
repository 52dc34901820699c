"""Which Pythons and which torch the package was installed and run with."""
