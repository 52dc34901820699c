"""What was found in an image, as properties and in the formats of other tools.

N people, best first; K keypoints; M parts; coordinates are pixels of the original image. Needs
numpy only, and each format's own library when it is asked for.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ...atomic import write_whole
from ...errors import InputError, RunError
from ...onnx_runner import MEAN
from ..people import AUTO, lowest_score, person_boxes, person_scores
from .records import document_lines, header, to_coco, to_record, to_rows


class Answer:
    """Properties of what has `pred_instances`, a mapping of arrays, and `metainfo`.

    All properties are sorted by the people's scores, best first; `pred_instances` stays as the
    model gave it.
    """

    pred_instances: Any
    metainfo: Any

    @property
    def keypoints(self) -> np.ndarray:
        """Keypoints (N, K, 2) of the people, hidden ones included."""
        return self._sorted('keypoints')

    @property
    def keypoint_scores(self) -> np.ndarray:
        """Scores (N, K) of the keypoints."""
        return self._sorted('keypoint_scores')

    @property
    def scores(self) -> np.ndarray:
        """Scores (N,) of the people, in descending order."""
        return person_scores(self.pred_instances)[self._order]

    @property
    def score_kind(self) -> str:
        """What the scores are: `mean keypoint score` or `expected OKS`."""
        return self.metainfo.get('score', MEAN)

    @property
    def boxes(self) -> np.ndarray:
        """Boxes (N, 4; x1, y1, x2, y2) of the people."""
        return person_boxes(self.pred_instances)[self._order]

    @property
    def parts(self) -> np.ndarray | None:
        """Which of M parts proposed each keypoint (N, K); None if the model does not tell it."""
        return self._sorted('keypoint_parts') if 'keypoint_parts' in self.pred_instances else None

    @property
    def stds(self) -> np.ndarray | None:
        """Deviation (N, K) in pixels, in x and in y, expected of each keypoint; or None."""
        return self._sorted('keypoint_stds') if 'keypoint_stds' in self.pred_instances else None

    @property
    def ids(self) -> np.ndarray | None:
        """Identities (N,) of people that are tracked through a video; None without tracking."""
        return self._sorted('track_ids') if 'track_ids' in self.pred_instances else None

    @ids.setter
    def ids(self, ids: Iterable[int]) -> None:
        """Set the identities (N,), in the order of `keypoints`.

        Raises:
            InputError: they are not one per person.
        """
        found = np.asarray(ids, dtype=np.int64)
        if found.shape != self.scores.shape:
            raise InputError(
                f'expected {len(self.scores)} ids, one per person; found {found.shape}'
            )
        self.pred_instances['track_ids'] = found[np.argsort(self._order)]

    @property
    def names(self) -> list[str]:
        """Names of the K keypoints."""
        return list(self.metainfo['keypoint_names'])

    @property
    def skeleton(self) -> list[tuple[int, int]]:
        """Limbs, as pairs of indices into `names`."""
        return [(int(i), int(j)) for i, j in self.metainfo['keypoint_links']]

    @property
    def sigmas(self) -> np.ndarray:
        """OKS sigmas (K,) of the keypoints."""
        return np.asarray(self.metainfo['keypoint_sigmas'])

    @property
    def file(self) -> str:
        """Path of the image, empty for one that was given as an array."""
        return self.metainfo.get('img_path') or ''

    @property
    def frame(self) -> int | None:
        """Number of the frame in its video, the first is 0; None for an image."""
        return self.metainfo.get('frame_index')

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the image."""
        height, width = self.metainfo['ori_shape'][:2]
        return int(width), int(height)

    @property
    def _order(self) -> np.ndarray:
        return np.argsort(-person_scores(self.pred_instances), kind='stable')

    def _sorted(self, name: str) -> np.ndarray:
        return np.asarray(self.pred_instances[name])[self._order]

    def above(self, pose_thr: float | str = AUTO) -> 'Answer':
        """Return the same with only those people who score `pose_thr` or more.

        Args:
            pose_thr: by default it follows what scores are, see `lowest_score`.
        """
        lowest = lowest_score(pose_thr, self.score_kind)
        kept = np.flatnonzero(person_scores(self.pred_instances) >= lowest)
        people = {name: np.asarray(value)[kept] for name, value in self.pred_instances.items()}
        return self.with_people(people)

    def with_people(self, people: dict[str, np.ndarray]) -> 'Answer':
        """Return the same with other people; each kind of answer copies itself in its own way.

        Args:
            people: arrays named as in `pred_instances`.
        """
        raise NotImplementedError

    def plot(
        self, image: np.ndarray | None = None, path: str | Path | None = None, style: Any = None
    ) -> np.ndarray:
        """Return the image with its people drawn over it, (H, W, 3) uint8 BGR.

        Args:
            image: the same, without people; by default it is read from `file`.
            path: where to write the drawing as well.
            style: a `skeletons.Style`, by default the people of `above()`, with their scores.

        Raises:
            InputError: the image did not come from a file and is not given, or `path` does not end
                as images do.
            OSError: the drawing cannot be written.
        """
        from ..drawing.files import write_image
        from ..drawing.skeletons import Style, draw_people
        from ..sources.images import read_image

        if image is None and not (self.file and self.frame is None):
            raise InputError('plot needs the image, which did not come from a file: plot(image)')
        drawn = read_image(self.file) if image is None else image.copy()
        style = (style or Style(tags=True)).for_scores(self.score_kind)
        draw_people(drawn, self.pred_instances, self.skeleton, style)
        if path is not None:
            write_image(path, drawn)
        return drawn

    def to_record(self, pose_thr: float | str | None = AUTO, schema: int = 2) -> dict:
        """Return the image's entry in the document that docs/predictions.md describes.

        Args:
            pose_thr: people with a lower score are left out, see `lowest_score`; None keeps all.
            schema: 2, or 1 for the form of version 0.1.
        """
        record = to_record(self, self.file, pose_thr, schema)
        if self.frame is None or schema == 1:
            return record
        times = dict(frame=self.frame, seconds=self.metainfo.get('seconds'))
        return {'file': record.pop('file'), **times, **record}

    def to_json(
        self, path: str | Path | None = None, pose_thr: float | str | None = AUTO, schema: int = 2
    ) -> str:
        """Return the document that docs/predictions.md describes, of this image alone.

        Args:
            path: where to write it as well.
            pose_thr: people with a lower score are left out, see `lowest_score`; None keeps all.
            schema: 2, or 1 for the form of version 0.1.
        """
        return to_json([self], path, pose_thr, schema)

    def to_coco(
        self, image_id: int = 0, category_id: int = 1, pose_thr: float | str | None = None
    ) -> list[dict]:
        """Return the people in COCO's result format, by default all, as its evaluation wants them.

        Args:
            image_id: of the image in the annotation file.
            category_id: of people in the annotation file.
            pose_thr: people with a lower score are left out.
        """
        return to_coco(self.to_record(pose_thr), image_id, category_id)

    def to_df(self, pose_thr: float | str | None = AUTO) -> Any:
        """Return a pandas DataFrame with a row per keypoint; `records.to_rows` lists its columns.

        Args:
            pose_thr: people with a lower score are left out, see `lowest_score`; None keeps all.
        """
        return to_df([self], pose_thr)

    def to_supervision(self, pose_thr: float | str | None = AUTO) -> Any:
        """Return `supervision.KeyPoints`, to draw and to count with that library.

        Args:
            pose_thr: people with a lower score are left out, see `lowest_score`; None keeps all.

        Raises:
            RunError: supervision is not installed.
        """
        shown = self if pose_thr is None else self.above(pose_thr)
        try:
            import supervision

            return supervision.KeyPoints(
                xy=shown.keypoints.astype(np.float32),
                class_id=np.zeros(len(shown.scores), dtype=int),
                keypoint_confidence=shown.keypoint_scores.astype(np.float32),
                detection_confidence=shown.scores.astype(np.float32),
                data={} if shown.ids is None else dict(tracker_id=shown.ids),
            )
        except (ImportError, TypeError) as error:  # before 0.29 the scores have other names
            raise RunError(
                "to_supervision needs supervision: pip install 'supervision>=0.29'"
            ) from error


def to_json(
    results: Iterable[Answer],
    path: str | Path | None = None,
    pose_thr: float | str | None = AUTO,
    schema: int = 2,
) -> str:
    """Return the document of many images that docs/predictions.md describes.

    Args:
        results: what `predict` yields; all of one model.
        path: where to write it as well.
        pose_thr: people with a lower score are left out, see `lowest_score`; None keeps all.
        schema: 2, or 1 for the form of version 0.1.

    Raises:
        InputError: there is no result, which names the keypoints.
    """
    results = list(results)
    if not results:
        raise InputError('to_json needs one result at least, for the names of the keypoints')
    first = results[0]
    if pose_thr is not None:
        pose_thr = lowest_score(pose_thr, first.score_kind)
    head = header(first.names, first.skeleton, pose_thr, schema, first.score_kind)
    records = (result.to_record(None if schema == 1 else pose_thr, schema) for result in results)
    text = ''.join(document_lines(head, records, ()))
    if path is not None:
        write_whole(path, text)
    return text


def to_df(results: Iterable[Answer], pose_thr: float | str | None = AUTO) -> Any:
    """Return a pandas DataFrame of many images; `records.to_rows` lists its columns.

    Args:
        results: what `predict` yields.
        pose_thr: people with a lower score are left out, see `lowest_score`; None keeps all.

    Raises:
        RunError: pandas is not installed.
    """
    try:
        import pandas
    except ImportError as error:
        raise RunError('to_df needs pandas: pip install pandas') from error
    rows = [row for each in results for row in to_rows(each.to_record(pose_thr), each.names)]
    return pandas.DataFrame(rows, columns=COLUMNS)


COLUMNS = (
    'file frame seconds person id score x1 y1 x2 y2 keypoint x y keypoint_score part std'
).split()
