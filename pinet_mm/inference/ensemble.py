"""Pose Fusion of the poses of one model or several: one pose per person remains.

In Python `fuse_models` takes the poses of one image and `fuse_images` those of many; `fuse_files`
reads and writes COCO's result format, which `tools/test.py --json` writes for any model of MMPose.
Shape shorthand: N poses, K keypoints. Coordinates are pixels of the image.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmpose.datasets.datasets.utils import parse_pose_metainfo

from ..datasets.labeling import keypoint_names
from ..datasets.pose_files import Poses, read_results
from ..errors import InputError
from ..method.fusion import PoseFusion
from ..models.codec import build_layout

# Pairs of poses per chunk of images: at K = 17, in double precision, an array of (images, K, N, N)
# takes 140 MB, and three of them are in memory at a time.
CHUNK = 2**20


def fuse_models(
    models: Sequence[Any],
    sigmas: Sequence[float],
    oks_thr: float = 0.7,
    weights: Sequence[float] | None = None,
) -> Poses:
    """Fuse the poses that one or several models found in an image.

    Args:
        models: of each model what has `keypoints` (N, K, 2) and `keypoint_scores` (N, K), such as
            `pred_instances` or `Poses`; N may differ and be 0.
        sigmas: K OKS sigmas.
        oks_thr: see `fuse_images`.
        weights: see `fuse_images`.

    Returns:
        The fused poses, ordered by the best score among the poses that each was fused from.

    Raises:
        ValueError: see `fuse_images`.
    """
    (fused,) = fuse_images([models], sigmas, oks_thr, weights)
    return fused


def fuse_images(
    images: Sequence[Sequence[Any]],
    sigmas: Sequence[float],
    oks_thr: float = 0.7,
    weights: Sequence[float] | None = None,
) -> list[Poses]:
    """Fuse the poses of many images, a chunk at a time, padded to one number of poses.

    Algorithm 1 on the poses of all models together: in order of their scores, each pose takes the
    remaining ones whose OKS with it is above `oks_thr`, and every keypoint comes from the pose of
    this group that has the best score for it. A person found by one model only keeps that pose and
    its scores.

    Args:
        images: for each image the poses of every model, as `fuse_models` takes them.
        sigmas: K OKS sigmas.
        oks_thr: poses whose OKS is above it are one person; at 1 nothing is fused.
        weights: factors on the keypoint scores of each model, by default 1, to bring models to one
            scale or to trust one more. The fused scores include them.

    Returns:
        The fused poses of every image, as `fuse_models` returns them.

    Raises:
        ValueError: `oks_thr` is not in [0, 1], `sigmas` are not positive, `weights` are not as
            many positive numbers as there are models, a shape is not as above, or a number is not
            finite.
    """
    if not 0 <= oks_thr <= 1:
        raise InputError(f'oks_thr must be between 0 and 1; found {oks_thr}')
    sizes = np.asarray(sigmas, dtype=np.float64)
    if sizes.ndim != 1 or not ((sizes > 0) & (sizes < np.inf)).all():
        raise InputError(f'sigmas must be a positive number for each keypoint; found {sizes}')
    joined = [_join(models, weights, len(sizes)) for models in images]
    fusion, fused = PoseFusion(sizes.tolist()).double(), {}
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
    if not all(np.isfinite(each).all() for each in scores):
        raise InputError(f'weights times keypoint scores must be finite; found weights {weights}')
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
    # Images with similar numbers of poses go together, which needs little padding.
    members: list[int] = []
    for i in sorted(range(len(counts)), key=counts.__getitem__):
        if members and (len(members) + 1) * counts[i] ** 2 > CHUNK:
            yield members
            members = []
        members.append(i)
    if members:
        yield members


def _fuse_chunk(fusion: PoseFusion, images: Sequence[Poses], oks_thr: float) -> list[Poses]:
    counts = np.array([len(poses.scores) for poses in images])
    valid = np.arange(counts.max()) < counts[:, None]
    keypoints = np.zeros((*valid.shape, *images[0].keypoints.shape[1:]))
    scores = np.zeros(keypoints.shape[:-1])
    keypoints[valid] = np.concatenate([poses.keypoints for poses in images])
    scores[valid] = np.concatenate([poses.keypoint_scores for poses in images])
    keypoints, scores, valid = map(torch.from_numpy, (keypoints, scores, valid))
    fused = fusion(keypoints, scores, scores.mean(dim=-1), valid, oks_thr)
    return [
        Poses(points[kept].numpy(), values[kept].numpy())
        for points, values, kept in zip(fused.keypoints, fused.keypoint_scores, fused.kept)
    ]


# --- files ---------------------------------------------------------------------------------------


def read_keypoints(path: str) -> tuple[Sequence[float], Sequence[str]]:
    """Return OKS sigmas and names of a dataset's keypoints.

    Args:
        path: MMPose's metainfo, or a config with a codec, whose layout then gives both.

    Raises:
        FileNotFoundError: there is no such file, nor metainfo of this name in MMPose.
        InputError: it is neither of the two.
    """
    cfg = Config.fromfile(path) if Path(path).is_file() else None
    if cfg is not None and cfg.get('codec', {}).get('layout'):
        layout = build_layout(cfg.codec.layout)
        return layout.sigmas, layout.keypoint_names
    if cfg is not None and 'dataset_info' not in cfg:
        raise InputError(
            f'{path} must be metainfo, with dataset_info, or a config with a codec; found neither'
        )
    metainfo = parse_pose_metainfo(dict(from_file=path))
    sigmas, names = metainfo['sigmas'], keypoint_names(metainfo)
    if len(sigmas) != len(names):
        raise InputError(f'{path} has {len(sigmas)} sigmas for {len(names)} keypoints')
    return sigmas, names


def fuse_files(
    paths: Sequence[str | Path],
    sigmas: Sequence[float],
    oks_thr: float = 0.7,
    weights: Sequence[float] | None = None,
) -> dict[Any, Poses]:
    """Fuse the poses of files, one per model or scale, in all images that any of them has.

    Args:
        paths: files in COCO's result format, see `read_results`.
        sigmas: K OKS sigmas.
        oks_thr: see `fuse_images`.
        weights: one per file, see `fuse_images`.

    Returns:
        Image id to the fused poses, for `write_poses`; images in the order in which the files name
        them.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a file has another format or number of keypoints than there are sigmas, or see
            `fuse_images`.
    """
    files = [read_results(path, num_keypoints=len(sigmas)).images for path in paths]
    return fuse_read(files, sigmas, oks_thr, weights)


def fuse_read(
    files: Sequence[Mapping[Any, Poses]],
    sigmas: Sequence[float],
    oks_thr: float = 0.7,
    weights: Sequence[float] | None = None,
) -> dict[Any, Poses]:
    """Fuse the poses of files that were read already, see `fuse_files`.

    Args:
        files: the `images` that `read_results` returns of each.
        sigmas: see `fuse_files`.
        oks_thr: see `fuse_files`.
        weights: see `fuse_files`.

    Raises:
        ValueError: see `fuse_images`.
    """
    nobody = Poses(np.zeros((0, len(sigmas), 2)), np.zeros((0, len(sigmas))))
    image_ids = list(dict.fromkeys(image_id for images in files for image_id in images))
    fused = fuse_images(
        [[images.get(image_id, nobody) for images in files] for image_id in image_ids],
        sigmas,
        oks_thr,
        weights,
    )
    return dict(zip(image_ids, fused))
