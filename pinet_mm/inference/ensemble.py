"""Pose Fusion for everyone: one model's poses or several models' become one pose a person.

In Python `fuse_models` takes the poses of one picture and `fuse_pictures` those of many;
`fuse_files` reads and writes COCO's result format, which `tools/test.py --json` writes for any
model of MMPose. Shape shorthand: N poses, K keypoints. Coordinates are pixels of the picture.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..datasets.pose_files import Poses, read_poses
from ..errors import InputError
from ..method.fusion import PoseFusion

# Of pairs of poses, which a chunk of pictures holds at once: at K = 17, in double precision, an
# array of (pictures, K, N, N) is 140 MB; three of them live at a time.
CHUNK = 2**20


def fuse_models(
    models: Sequence[Any],
    sigmas: Sequence[float],
    oks_thr: float = 0.7,
    weights: Sequence[float] | None = None,
) -> Poses:
    """Fuse the poses that one or several models found in a picture.

    Args:
        models: of each model what has `keypoints` (N, K, 2) and `keypoint_scores` (N, K), such as
            `pred_instances` or `Poses`; N may differ and be 0.
        sigmas: K OKS sigmas.
        oks_thr: see `fuse_pictures`.
        weights: see `fuse_pictures`.

    Returns:
        The fused poses, ordered by the score of the best of those that each was made of.

    Raises:
        ValueError: see `fuse_pictures`.
    """
    (fused,) = fuse_pictures([models], sigmas, oks_thr, weights)
    return fused


def fuse_pictures(
    pictures: Sequence[Sequence[Any]],
    sigmas: Sequence[float],
    oks_thr: float = 0.7,
    weights: Sequence[float] | None = None,
) -> list[Poses]:
    """Fuse the poses of many pictures, padded to common numbers, a chunk of pictures at a time.

    Algorithm 1 on the poses of all models together: from the one with the best score on, a pose
    takes the others whose OKS with it is above `oks_thr`, and every keypoint comes from the pose
    of the group that has the best score for it. A person whom one model alone found keeps that
    pose and its scores.

    Args:
        pictures: for each picture the poses of every model, as `fuse_models` takes them.
        sigmas: K OKS sigmas.
        oks_thr: poses whose OKS is above it are one person; at 1 nothing is fused.
        weights: factors on the keypoint scores of each model, by default 1, to bring models to
            one scale or to trust one more. The fused scores have them as well.

    Returns:
        The fused poses of every picture, as `fuse_models` returns them.

    Raises:
        ValueError: `oks_thr` is not in [0, 1], `weights` are not as many positive numbers as
            there are models, a shape is not as above, or a number is not finite.
    """
    if not 0 <= oks_thr <= 1:
        raise InputError(f'oks_thr must be between 0 and 1; found {oks_thr}')
    sigmas = np.asarray(sigmas, dtype=np.float64)
    joined = [_join(models, weights, len(sigmas)) for models in pictures]
    fusion, fused = PoseFusion(sigmas).double(), {}
    for members in _chunks([len(poses.scores) for poses in joined]):
        found = _fuse_chunk(fusion, [joined[i] for i in members], oks_thr)
        fused.update(zip(members, found))
    return [fused[i] for i in range(len(joined))]


def _join(models: Sequence[Any], weights: Sequence[float] | None, num_keypoints: int) -> Poses:
    weights = [1.0] * len(models) if weights is None else list(weights)
    if len(weights) != len(models) or not all(0 < weight < np.inf for weight in weights):
        raise InputError(
            f'weights must be a positive number for each of {len(models)} models; found {weights}'
        )
    parts = [_check(poses, num_keypoints) for poses in models]
    scores = [weight * poses.keypoint_scores for weight, poses in zip(weights, parts)]
    empty = Poses(np.zeros((0, num_keypoints, 2)), np.zeros((0, num_keypoints)))
    return Poses(
        np.concatenate([empty.keypoints, *(poses.keypoints for poses in parts)]),
        np.concatenate([empty.keypoint_scores, *scores]),
    )


def _check(poses: Any, num_keypoints: int) -> Poses:
    keypoints = np.asarray(poses.keypoints, dtype=np.float64)
    scores = np.asarray(poses.keypoint_scores, dtype=np.float64)
    if keypoints.shape != (len(scores), num_keypoints, 2) or scores.shape != keypoints.shape[:2]:
        raise InputError(
            f'for {num_keypoints} sigmas, keypoints must be (N, {num_keypoints}, 2) and keypoint '
            f'scores (N, {num_keypoints}); found {keypoints.shape} and {scores.shape}'
        )
    if not (np.isfinite(keypoints).all() and np.isfinite(scores).all()):
        raise InputError('keypoints and keypoint scores must be finite numbers')
    return Poses(keypoints, scores)


def _chunks(counts: Sequence[int]) -> Iterator[list[int]]:
    # Pictures with about as many poses go together: little padding.
    members: list[int] = []
    for i in sorted(range(len(counts)), key=counts.__getitem__):
        if members and (len(members) + 1) * counts[i] ** 2 > CHUNK:
            yield members
            members = []
        members.append(i)
    if members:
        yield members


def _fuse_chunk(fusion: PoseFusion, pictures: Sequence[Poses], oks_thr: float) -> list[Poses]:
    counts = np.array([len(poses.scores) for poses in pictures])
    valid = np.arange(counts.max()) < counts[:, None]
    keypoints = np.zeros((*valid.shape, *pictures[0].keypoints.shape[1:]))
    scores = np.zeros(keypoints.shape[:-1])
    keypoints[valid] = np.concatenate([poses.keypoints for poses in pictures])
    scores[valid] = np.concatenate([poses.keypoint_scores for poses in pictures])
    keypoints, scores, valid = map(torch.from_numpy, (keypoints, scores, valid))
    fused = fusion(keypoints, scores, scores.mean(dim=-1), valid, oks_thr)
    return [
        Poses(points[kept].numpy(), values[kept].numpy())
        for points, values, kept in zip(fused.keypoints, fused.keypoint_scores, fused.kept)
    ]


# --- files ---------------------------------------------------------------------------------------


def fuse_files(
    paths: Sequence[str | Path],
    sigmas: Sequence[float],
    oks_thr: float = 0.7,
    weights: Sequence[float] | None = None,
) -> dict[Any, Poses]:
    """Fuse the poses of files, one a model or test scale; of pictures that any of them has.

    Args:
        paths: files in COCO's result format, see `read_poses`.
        sigmas: K OKS sigmas.
        oks_thr: see `fuse_pictures`.
        weights: one a file, see `fuse_pictures`.

    Returns:
        Image id to the fused poses, for `write_poses`; pictures in the order in which the files
        name them.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a file has another format or number of keypoints than there are sigmas, or see
            `fuse_pictures`.
    """
    files = [read_poses(path) for path in paths]
    for path, pictures in zip(paths, files):
        sizes = {poses.keypoints.shape[1] for poses in pictures.values()} - {len(sigmas)}
        if sizes:
            raise InputError(
                f'{path} has poses of {sizes.pop()} keypoints; expected '
                f'{len(sigmas)}, as there are sigmas: is it of another dataset?'
            )
    nobody = Poses(np.zeros((0, len(sigmas), 2)), np.zeros((0, len(sigmas))))
    image_ids = list(dict.fromkeys(image_id for pictures in files for image_id in pictures))
    fused = fuse_pictures(
        [[pictures.get(image_id, nobody) for pictures in files] for image_id in image_ids],
        sigmas,
        oks_thr,
        weights,
    )
    return dict(zip(image_ids, fused))
