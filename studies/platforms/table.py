"""The table of docs/platforms.md, of what ran and nothing else."""

import re
from pathlib import Path

from .cells import all_cells

START, END = '<!-- matrix -->', '<!-- end of the matrix -->'
STEPS = dict(
    install='install',
    doctor='doctor',
    inference='one image',
    training='one iteration',
    tests='tests',
)


def to_table(results: dict[str, dict]) -> str:
    """Return the table in Markdown, a row for each cell that has a result.

    Args:
        results: of the cells, see `matrix.run_cell`.
    """
    header = ['Python', 'way', 'torch', 'numpy', 'GB', 'by', *STEPS.values()]
    known = [(cell, results[cell.name]) for cell in all_cells() if cell.name in results]
    rows = [_row(cell, result) for cell, result in known]
    if not rows:
        return 'Nothing has been run yet.'
    first, *others = (f'| {" | ".join(line)} |' for line in (header, *rows))
    return '\n'.join([first, f'|{"---|" * len(header)}', *others])


def _row(cell, result: dict) -> list[str]:
    if 'steps' not in result:
        missing = f'{result["status"]} found: not run'
        return [cell.python, cell.door, cell.torch or '-', missing, *['-'] * (len(STEPS) + 2)]
    versions = result['versions']
    return [
        result['python'],
        cell.door,
        versions.get('torch', '-'),
        versions.get('numpy', '-'),
        f'{result["megabytes"] / 1000:.1f}',
        result['installed_by'],
        *(_step(name, result['steps']) for name in STEPS),
    ]


def _step(name: str, steps: dict[str, dict]) -> str:
    if name not in steps:
        return '-'
    step = steps[name]
    seconds = step['seconds'] + (steps.get('mmpose', {}).get('seconds', 0) * (name == 'install'))
    # A step may say nothing, as uv does.
    counts = re.findall(r'\d+ (?:failed|passed|skipped)', ' '.join(step['said'][-1:]))
    word = ' '.join(counts) if name == 'tests' else ''
    word = word or ('' if step['ok'] else 'failed')
    return f'{word} {seconds:.0f} s'.strip()


def write_table(page: Path, results: dict[str, dict]) -> None:
    """Put the table between the marks of a page.

    Args:
        page: a Markdown file with both marks.
        results: of the cells.
    """
    text = page.read_text()
    before, after = text[: text.index(START)], text[text.index(END) :]
    page.write_text(f'{before}{START}\n\n{to_table(results)}\n\n{after}')
