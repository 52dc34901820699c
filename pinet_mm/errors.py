"""The errors that are meant for users: the tools answer them with one sentence, no traceback."""


class RunError(RuntimeError):
    """A run that cannot start or go on, for a reason that one sentence explains."""


class InputError(ValueError):
    """An option, a setting of a config or a file of the user's that is not what is expected.

    The message names the offender, what is expected and what was found. Every other ValueError is
    a programming error, which keeps its traceback.
    """


class CheckpointError(InputError, RunError):
    """A checkpoint that is missing, cannot be read, has foreign names or does not fit a network.

    The file is not what is expected, and so the run cannot start: it is caught as either.
    """


class Stopped(KeyboardInterrupt):
    """A run that was stopped by a signal.

    Args:
        number: of the signal.
        message: one sentence for the user.
    """

    def __init__(self, number: int, message: str):
        super().__init__(message)
        self.number = number


class NotInstalledError(ModuleNotFoundError, RunError):
    """A package that is not installed; the message names the command that brings it."""
