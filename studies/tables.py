"""Tables in Markdown."""

from collections.abc import Iterable, Sequence

from tabulate import tabulate


def to_markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown.

    Args:
        header: the names of the columns.
        rows: a text for each column; a `|` in it is escaped.
    """
    cells = [[text.replace('|', r'\|') for text in row] for row in (header, *rows)]
    return tabulate(cells[1:], cells[0], tablefmt='github', disable_numparse=True, stralign=None)
