"""One reader and one check for COCO-style annotation files.

`check_file` reads a file once, reports all that is wrong with it, and mends it where its author's
meaning is clear. What would lose data is refused. `kinds.KINDS` lists every fault that it knows.
"""

from .file import Checked, Expected, check_data, check_file
from .findings import Finding, Findings, Level
from .kinds import KINDS
from .reading import AnnotationError

__all__ = [
    'KINDS',
    'AnnotationError',
    'Checked',
    'Expected',
    'Finding',
    'Findings',
    'Level',
    'check_data',
    'check_file',
]
