"""Identities of people through the frames of a video, by their keypoints.

Needs no torch. Shape shorthand: N poses of a frame, T people who are followed, K keypoints. All
coordinates are pixels of the image.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from ..errors import InputError, is_number
from ..onnx_runner import MEAN
from .people import AUTO, Threshold, lowest_score

NOBODY = -1  # in place of an identity: the pose scores too little to begin one


@dataclass(frozen=True)
class TrackerSettings:
    """Settings of a `Tracker`.

    Args:
        start: poses that score at least this are paired first, and may begin an identity; by
            default the score from which people are drawn, see `lowest_score`.
        keep: poses that score less than this are ignored; by default half of `start`, or half of
            the score from which people are drawn if that is lower.
        least: lowest OKS at which a pose is paired with a prediction.
        tolerance: factor on the dataset's sigmas, since poses are predicted, not seen.
        growth: what is added to this factor for each frame in which the person was not seen.
        memory: frames for which somebody who is not seen is remembered.
        confirm: frames in a row in which somebody must be seen before they are remembered.
        inertia: share of the old velocity that stays when a new one is measured, in [0, 1).

    Raises:
        InputError: a value is not what is listed above.
    """

    start: Threshold = AUTO
    keep: Threshold = AUTO
    least: float = 0.2
    tolerance: float = 3.0
    growth: float = 0.3
    memory: int = 30
    confirm: int = 2
    inertia: float = 0.7

    def __post_init__(self) -> None:
        for name, value in (('start', self.start), ('keep', self.keep)):
            is_auto = isinstance(value, str) and value == AUTO
            if not is_auto and not is_number(value, (Real,)):
                raise InputError(f'{name} must be a score or {AUTO!r}; found {value!r}')
        scores = self.start, self.keep
        wrong = [
            f'{name} must be {expected}; found {getattr(self, name)}'
            for name, expected, good in (
                ('start', 'at least keep', AUTO in scores or self.start >= self.keep),
                ('keep', 'at least 0', self.keep == AUTO or self.keep >= 0),
                ('least', 'in (0, 1]', 0 < self.least <= 1),
                ('tolerance', 'above 0', self.tolerance > 0),
                ('growth', 'at least 0', self.growth >= 0),
                ('memory', 'at least 0', self.memory >= 0),
                ('confirm', 'at least 1', self.confirm >= 1),
                ('inertia', 'in [0, 1)', 0 <= self.inertia < 1),
            )
            if not good
        ]
        if wrong:
            raise InputError(wrong[0])

    def for_scores(self, score_kind: str = MEAN) -> 'TrackerSettings':
        """Return the same with numbers for `start` and `keep`, those for these scores."""
        start, shown = lowest_score(self.start, score_kind), lowest_score(AUTO, score_kind)
        keep = min(start, shown) / 2 if self.keep == AUTO else self.keep
        return replace(self, start=start, keep=keep)


@dataclass
class _Person:
    """Somebody who is followed.

    Attributes:
        identity: their number.
        pose: (K, 2) where they were seen last, carried on by their velocity since.
        scores: (K,) of that pose's keypoints.
        area: of their bounding box, smoothed.
        velocity: (2,) of the whole body, pixels per frame.
        seen: frames in which they were seen.
        missed: frames since they were seen last.
    """

    identity: int
    pose: np.ndarray
    scores: np.ndarray
    area: float
    velocity: np.ndarray = field(default_factory=lambda: np.zeros(2))
    seen: int = 1
    missed: int = 0

    def move(self) -> None:
        """Go on to the next frame."""
        self.pose = self.pose + self.velocity
        self.missed += 1

    def see(self, pose: np.ndarray, scores: np.ndarray, inertia: float) -> None:
        """Take a pose as theirs."""
        # Limbs swing: the velocity is that of the median of all keypoints.
        beyond = _weighted_median(pose - self.pose, scores) / self.missed
        share = 1 - inertia if self.seen > 1 else 1.0
        self.velocity = self.velocity + share * beyond
        self.area += 0.2 * (_area(pose) - self.area)
        self.pose, self.scores, self.seen, self.missed = pose, scores, self.seen + 1, 0


class Tracker:
    """Follow the people of one video; `update` takes its frames in their order.

    Every person is predicted to move on at constant velocity. Poses and predictions are paired such
    that the sum of their OKS is highest, each keypoint weighted by its scores: first the poses that
    score at least `start`, then weaker ones with the people who are left. An unpaired pose that
    scores at least `start` begins a new identity.

    Args:
        sigmas: K OKS sigmas of the dataset.
        settings: by default those of `TrackerSettings`.

    Raises:
        InputError: a sigma is not above 0.
    """

    def __init__(self, sigmas: Sequence[float], settings: TrackerSettings | None = None):
        self.sigmas = np.asarray(sigmas, float)
        if self.sigmas.ndim != 1 or not self.sigmas.size or not (self.sigmas > 0).all():
            raise InputError(f'sigmas must be a list of numbers above 0; found {sigmas}')
        self.settings = (settings or TrackerSettings()).for_scores()
        self.reset()

    def reset(self) -> None:
        """Forget everybody, for the first frame of another video; identities begin at 1 again."""
        self._people: list[_Person] = []
        self._known = 0

    def update(
        self, keypoints: np.ndarray, keypoint_scores: np.ndarray, scores: np.ndarray
    ) -> np.ndarray:
        """Return who the poses of the next frame are.

        Args:
            keypoints: (N, K, 2).
            keypoint_scores: (N, K); below 0 they count as 0.
            scores: (N,) of the poses.

        Returns:
            (N,) int, from 1, each at most once; `NOBODY` for poses that score too little or have a
            number that is not finite.

        Raises:
            InputError: shapes that do not fit together or the sigmas.
        """
        keypoints, keypoint_scores, scores = self._check(keypoints, keypoint_scores, scores)
        settings, ids = self.settings, np.full(len(scores), NOBODY)
        for person in self._people:
            person.move()
        high = np.flatnonzero(scores >= settings.start)
        low = np.flatnonzero((scores >= settings.keep) & (scores < settings.start))
        waiting = self._people
        for chosen in (high, low):
            pairs = self._pair(waiting, keypoints[chosen], keypoint_scores[chosen])
            for number, pose in pairs:
                person, own = waiting[number], chosen[pose]
                person.see(keypoints[own], keypoint_scores[own], settings.inertia)
                ids[own] = person.identity
            met = {number for number, _ in pairs}
            waiting = [person for number, person in enumerate(waiting) if number not in met]
        for pose in high[ids[high] == NOBODY]:
            ids[pose] = self._begin(keypoints[pose], keypoint_scores[pose])
        self._people = [person for person in self._people if self._is_remembered(person)]
        return ids

    def _check(self, *arrays: np.ndarray) -> list[np.ndarray]:
        count, names = len(self.sigmas), ('keypoints', 'keypoint_scores', 'scores')
        arrays = [np.asarray(array, float) for array in arrays]
        poses = len(arrays[2]) if arrays[2].ndim else 0
        for name, array, shape in zip(names, arrays, ((poses, count, 2), (poses, count), (poses,))):
            if array.shape != shape:
                raise InputError(f'{name} must have the shape {shape}; found {array.shape}')
        keypoints, keypoint_scores, scores = arrays
        finite = np.isfinite(keypoints).all((1, 2)) & np.isfinite(keypoint_scores).all(1)
        # A network's heatmaps may go below 0, where a root is taken of their product.
        return [keypoints, np.maximum(keypoint_scores, 0), np.where(finite, scores, -np.inf)]

    def _pair(
        self, people: Sequence[_Person], keypoints: np.ndarray, keypoint_scores: np.ndarray
    ) -> list[tuple[int, int]]:
        """Return pairs of a person and a pose."""
        if not people or not len(keypoints):
            return []
        oks = self._oks(people, keypoints, keypoint_scores)
        pairs = zip(*linear_sum_assignment(np.where(oks < self.settings.least, 0, oks), True))
        return [(row, column) for row, column in pairs if oks[row, column] >= self.settings.least]

    def _oks(
        self, people: Sequence[_Person], keypoints: np.ndarray, keypoint_scores: np.ndarray
    ) -> np.ndarray:
        """Return (T, N) OKS of predictions and poses, keypoints weighted by their scores."""
        settings = self.settings
        predicted = np.stack([person.pose for person in people])
        areas = np.array([person.area for person in people])
        missed = np.array([person.missed - 1 for person in people])
        spread = settings.tolerance + settings.growth * missed
        squared = ((predicted[:, None] - keypoints) ** 2).sum(-1)
        # COCO's OKS: exp(-d^2 / (2 area (2 sigma)^2))
        scale = 8 * np.maximum(areas, 1)[:, None] * (spread[:, None] * self.sigmas) ** 2
        weights = np.stack([person.scores for person in people])[:, None] * keypoint_scores
        weights = np.sqrt(weights) + 1e-9
        return (np.exp(-squared / scale[:, None]) * weights).sum(-1) / weights.sum(-1)

    def _begin(self, pose: np.ndarray, scores: np.ndarray) -> int:
        """Follow somebody new; return their identity."""
        self._known += 1
        self._people.append(_Person(self._known, pose, scores, _area(pose)))
        return self._known

    def _is_remembered(self, person: _Person) -> bool:
        known = person.seen >= self.settings.confirm
        return person.missed <= (self.settings.memory if known else 0)


def _area(pose: np.ndarray) -> float:
    """Return the area of a pose's bounding box."""
    return float(np.ptp(pose, axis=0).prod())


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return (2,) medians of (K, 2) values: half of the weights lie on either side."""
    order = np.argsort(values, axis=0, kind='stable')
    shares = np.cumsum(weights[order] + 1e-9, axis=0)
    middle = (shares >= shares[-1] / 2).argmax(0)
    return values[order[middle, [0, 1]], [0, 1]]


class Follower:
    """Track the people in the results of one video.

    Args:
        settings: of the tracker, by default those of `TrackerSettings`.
    """

    def __init__(self, settings: TrackerSettings | None = None):
        self.settings = settings or TrackerSettings()
        self._tracker: Tracker | None = None

    def update(self, result: Any) -> np.ndarray:
        """Return who the people of the next frame are, see `Tracker.update`.

        Args:
            result: with `keypoints`, `keypoint_scores`, `scores` and, the first, `sigmas`.
        """
        if self._tracker is None:
            settings = self.settings.for_scores(result.score_kind)
            self._tracker = Tracker(result.sigmas, settings)
        return self._tracker.update(result.keypoints, result.keypoint_scores, result.scores)


def track(results: Iterable[Any], settings: TrackerSettings | None = None) -> Iterator[Any]:
    """Yield results with identities: the frames of a video, of several, or of folders of frames.

    Args:
        results: what `predict` yields, in the order of the frames. Those with a `frame` number
            belong to the video that is their `file`, others to the folder of their `file`.
        settings: of the tracker, by default those of `TrackerSettings`.

    Yields:
        The same results; `NOBODY` is the identity of poses that score too little.
    """
    follower, last = Follower(settings), None
    for result in results:
        file = Path(result.file)
        video = file.parent if result.frame is None else file
        if last is not None and video != last:
            follower = Follower(settings)
        last = video
        result.ids = follower.update(result)
        yield result
