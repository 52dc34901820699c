"""How a study that goes on after an error tells it in a row of its table."""

from pathlib import Path
from traceback import extract_tb


def describe(error: Exception, length: int = 600) -> str:
    """Return the type, the first paragraph of the message and the place of an error, in one line.

    Some errors, such as failed assertions in PyTorch's compiler, have a place and no message.

    Args:
        error: that was caught.
        length: in characters, to which the message is cut.
    """
    text = f'{type(error).__name__}: {error}'.split('\n\n')[0]
    text = ' '.join(text.split())[:length]
    frames = extract_tb(error.__traceback__)
    if not frames:
        return text
    file = Path(frames[-1].filename)
    return f'{text} [{file.parent.name}/{file.name}:{frames[-1].lineno}]'
