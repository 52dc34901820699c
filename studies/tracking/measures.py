"""How well identities are kept: IDF1, switches, MOTA, HOTA by the library `trackers`.

Shape shorthand: P people, N poses, K keypoints.
"""

from collections.abc import Callable, Sequence

import numpy as np

from .scenes import Poses, Truth, Video

# poses of a frame -> their identities, negative for none
Follow = Callable[[Poses], np.ndarray]
# An upright person's area in COCO is near this share of their squared height.
AREA = 0.19


def similarity(truth: Truth, keypoints: np.ndarray, sigmas: np.ndarray) -> np.ndarray:
    """Return the (P, N) OKS of true people and poses, over all labeled keypoints.

    Args:
        truth: of a frame.
        keypoints: (N, K, 2).
        sigmas: (K,).
    """
    labeled = (truth.keypoints[..., 2] > 0)[:, None]
    squared = ((truth.keypoints[:, None, :, :2] - keypoints) ** 2).sum(-1)
    scale = 8 * AREA * truth.heights[:, None, None] ** 2 * sigmas**2
    return (np.exp(-squared / scale) * labeled).sum(-1) / labeled.sum(-1)


def measure(
    videos: Sequence[Video], source: str, make_tracker: Callable[[], Follow], sigmas: np.ndarray
) -> dict:
    """Follow the people of all videos, each with a tracker of its own, and measure.

    A person and a pose match at an OKS of 0.5.

    Args:
        videos: with true identities.
        source: of the poses, a key of `Video.poses`.
        make_tracker: makes a function that takes the poses of the next frame.
        sigmas: (K,) OKS sigmas.

    Returns:
        `IDF1`, `switches`, `MOTA`, `HOTA`, `recall`, `precision`, rounded.
    """
    from trackers import eval as metrics

    computed = []
    for video in videos:
        frames = _follow(video, source, make_tracker(), sigmas)
        columns = [list(column) for column in zip(*frames)]
        computed.append(
            (
                metrics.compute_identity_metrics(*columns),
                metrics.compute_clear_metrics(*columns),
                metrics.compute_hota_metrics(*columns),
            )
        )
    identity, clear, hota = zip(*computed)
    identity = metrics.aggregate_identity_metrics(list(identity))
    clear = metrics.aggregate_clear_metrics(list(clear))
    hota = metrics.aggregate_hota_metrics(list(hota))
    rates = dict(
        IDF1=identity['IDF1'],
        MOTA=clear['MOTA'],
        HOTA=hota['HOTA'],
        recall=clear['CLR_Re'],
        precision=clear['CLR_Pr'],
    )
    return {name: round(float(value), 4) for name, value in rates.items()} | dict(
        switches=int(clear['IDSW'])
    )


def _follow(
    video: Video, source: str, follow: Follow, sigmas: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Return each frame's true identities, identities found, and the similarity of both."""
    frames = []
    for truth, poses in zip(video.truth, video.poses[source], strict=True):
        ids = follow(poses)
        known = ids >= 0
        frames.append((truth.ids, ids[known], similarity(truth, poses.keypoints[known], sigmas)))
    return frames
