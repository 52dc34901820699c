"""The error that the tools answer with one line."""


class RunError(RuntimeError):
    """A run that cannot start or go on, for a reason that one sentence explains."""
