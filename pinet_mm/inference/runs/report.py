"""What came of images and folders."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ...renamed import PERIOD


class Report(NamedTuple):
    """Outcome of `infer`.

    Attributes:
        json: the file that it wrote.
        unreadable: files that are not images.
        images: how many were read.
        seconds: that they took.
        best_scores: the score of the best person of each image, 0 where there is none.
        has_overlays: whether drawings or videos were written.
        pose_thr: people with a lower score were left out.
        is_written: whether `json` is of this run; where no image could be read, an earlier one is
            left as it was.
    """

    json: Path
    unreadable: list[str]
    images: int
    seconds: float
    best_scores: Sequence[float] = ()
    has_overlays: bool = True
    pose_thr: float = 0
    is_written: bool = True

    @property
    def pictures(self) -> int:
        """The name of `images` in 0.1."""
        warnings.warn(
            f'Report.pictures is now Report.images; {PERIOD}', DeprecationWarning, stacklevel=2
        )
        return self.images
