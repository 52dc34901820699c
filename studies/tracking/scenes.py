"""Drawn videos with true identities, and poses found in them.

Shape shorthand: P people of a frame, N poses, K keypoints. Coordinates are pixels of the frame.
"""

import copy
from collections.abc import Iterator
from typing import NamedTuple

from pinet_mm import api
from pinet_mm.crowdsynth import CrowdSettings, CrowdVideo, VideoSettings
from pinet_mm.models.estimator import PINet

import numpy as np

# as large as the drawn-crowd model knows people: it resizes the shorter side to 128 pixels
VIDEOS = VideoSettings(
    CrowdSettings(size=(256, 128), persons=(8, 12), height=(0.6, 0.85)), frames=100
)
WITH, WITHOUT, JITTERED = 'PINet with fusion', 'PINet without fusion', 'true poses, jittered'
SOURCES = (WITH, WITHOUT, JITTERED)
# no tracker looks at poses that score less
LEAST_SCORE = 0.02


class Truth(NamedTuple):
    """A frame's labeled people.

    Attributes:
        ids: (P,) identities.
        keypoints: (P, K, 3) x, y, visibility.
        heights: (P,) upright.
    """

    ids: np.ndarray
    keypoints: np.ndarray
    heights: np.ndarray


class Poses(NamedTuple):
    """A frame's poses.

    Attributes:
        keypoints: (N, K, 2).
        keypoint_scores: (N, K).
        scores: (N,).
    """

    keypoints: np.ndarray
    keypoint_scores: np.ndarray
    scores: np.ndarray


class Video(NamedTuple):
    """A video's truth, and its poses by source.

    Attributes:
        truth: of each frame.
        poses: source -> poses of each frame.
    """

    truth: list[Truth]
    poses: dict[str, list[Poses]]


def load_model() -> PINet:
    """Return the drawn-crowd model that the package ships."""
    return api.load('pinet_hrnet-slim_crowdsynth.py', device='cpu')


def make_video(model: PINet, index: int, split: str, settings: VideoSettings = VIDEOS) -> Video:
    """Draw a video and find its poses, with fusion, without, and by jittering the truth.

    Args:
        model: a PINet.
        index: number of the video.
        split: 'val' or 'test'.
        settings: of the video.
    """
    video = CrowdVideo(settings, 0, index, split)
    frames = [video.draw(frame) for frame in range(len(video))]
    images = [image for image, _ in frames]
    truth = [_truth(people) for _, people in frames]
    proposing = copy.copy(model)  # shares the weights
    proposing.test_cfg = dict(model.test_cfg, oks_thr=1.0)  # no two poses are one person
    rng = np.random.default_rng([index, len(split)])
    return Video(
        truth,
        {
            WITH: list(_find(model, images)),
            WITHOUT: list(_find(proposing, images)),
            JITTERED: [jitter(rng, people) for people in truth],
        },
    )


def _truth(people: list[tuple]) -> Truth:
    # somebody whose keypoints all lie outside the image cannot be found
    people = [(track, person) for track, person in people if (person.keypoints[:, 2] > 0).any()]
    return Truth(
        np.array([track for track, _ in people], int),
        np.array([person.keypoints for _, person in people]).reshape(len(people), -1, 3),
        np.array([person.height for _, person in people]),
    )


def _find(model: PINet, images: list[np.ndarray]) -> Iterator[Poses]:
    for sample in api.predict(model, images):
        people = sample.pred_instances
        kept = people.bbox_scores >= LEAST_SCORE
        yield Poses(people.keypoints[kept], people.keypoint_scores[kept], people.bbox_scores[kept])


def jitter(rng: np.random.Generator, truth: Truth) -> Poses:
    """Return what a good detector would see of true people.

    Seen keypoints are off by 1.5 % of the height, covered ones by 5 %; who is covered scores less,
    and is missed more often: by half covered 2 %, wholly covered 60 %.

    Args:
        rng: a numpy random generator.
        truth: of the frame.
    """
    keypoints, heights = truth.keypoints, truth.heights
    if not len(heights):
        return Poses(np.zeros((0, 17, 2)), np.zeros((0, 17)), np.zeros(0))
    seen = keypoints[..., 2] == 2
    covered = 1 - seen.mean(1)
    off = np.where(seen, 0.015, 0.05) * heights[:, None]
    poses = keypoints[..., :2] + rng.normal(size=keypoints[..., :2].shape) * off[..., None]
    scores = np.clip(0.8 - 0.7 * covered + rng.normal(0, 0.05, len(heights)), 0.01, 1)
    found = rng.random(len(heights)) > np.clip(1.2 * (covered - 0.5), 0.02, 1)
    return Poses(poses[found], np.where(seen, 0.8, 0.3)[found], scores[found])
