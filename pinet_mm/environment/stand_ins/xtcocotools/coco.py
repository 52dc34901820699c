"""Annotations, with what xtcocotools adds to pycocotools."""

import json
from collections.abc import Sequence
from pathlib import Path

from pycocotools import coco


class COCO(coco.COCO):
    """Read annotations in COCO's format.

    Args:
        annotation_file: the JSON file.
        test_index: indices of the keypoints that are kept, by default all.
    """

    def __init__(self, annotation_file: str | None = None, test_index: Sequence[int] | None = None):
        self.anno_file = [annotation_file]
        super().__init__(annotation_file)
        for annotation in self.dataset.get('annotations', ()):
            annotation.setdefault('iscrowd', False)
            if test_index is not None:
                values = annotation['keypoints']
                kept = [values[3 * i : 3 * i + 3] for i in test_index]
                annotation['keypoints'] = [value for triple in kept for value in triple]

    def loadRes(self, resFile):
        """Load results, also an empty list of them, which pycocotools refuses.

        Args:
            resFile: the JSON file or what it holds.
        """
        if isinstance(resFile, str):
            resFile = json.loads(Path(resFile).read_text())
        if isinstance(resFile, list) and not resFile:
            results = COCO()
            results.dataset = dict(self.dataset, annotations=[])
            results.createIndex()
            return results
        return super().loadRes(resFile)
