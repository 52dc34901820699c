"""What came of images and folders."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple


class Report(NamedTuple):
    """Outcome of `infer`.

    Attributes:
        json: the file that it wrote.
        unreadable: files that are not images.
        pictures: how many images were read.
        seconds: that they took.
        best_scores: the score of the best person of each image, 0 where there is none.
    """

    json: Path
    unreadable: list[str]
    pictures: int
    seconds: float
    best_scores: Sequence[float] = ()
