"""Who has a pose at each stage of inference: as proposed, as refined, as fused.

The question is not how poses rank but whether a person has one at all. Poses and people are
matched one to one: a pose between two people counts for one of them. Frames: image
pixels (`_img`). Shape shorthand: N annotated people, P poses, K keypoints.
"""

from collections.abc import Mapping, Sequence

from pinet_mm.datasets.matching import person_oks

import numpy as np
from scipy.optimize import linear_sum_assignment
from xtcocotools.coco import COCO

from .metrics import Persons

# No OKS is above 1, so no pose takes another: all of them are left.
_ALL_POSES = dict(use_fusion=False, oks_thr=1.0)
STAGES: dict[str, dict] = {
    'proposed': dict(_ALL_POSES, use_refinement=False),
    'refined': _ALL_POSES,
    'fused': {},
}
LEAST_OKS = (0.3, 0.5, 0.75)


def groups_of(persons: Persons) -> dict[str, np.ndarray]:
    """Return name -> (N,) bool: who stands near another, and of whom at least half is seen."""
    near, half_seen = persons.near['any'], persons.seen_shares >= 0.5
    return {
        'all': np.ones_like(near),
        'near another, half seen or more': near & half_seen,
        'near another, less seen': near & ~half_seen,
    }


def reached_oks(
    annotations: COCO, entries: Sequence[Mapping], persons: Persons, sigmas: Sequence[float]
) -> np.ndarray:
    """Return which people have a pose of their own, for each OKS of `LEAST_OKS` at least.

    Args:
        annotations: of the test set, for the people's areas.
        entries: poses in COCO's result format, image pixels; their scores do not matter.
        persons: of `annotations`.
        sigmas: K OKS sigmas.

    Returns:
        (N, 3) bool, by the matching that gives most people a pose; of several, by the one whose
        poses fit best.
    """
    poses_of: dict[int, list[np.ndarray]] = {}
    for entry in entries:
        pose_img = np.reshape(entry['keypoints'], (-1, 3))[:, :2]
        poses_of.setdefault(entry['image_id'], []).append(pose_img)
    areas = np.array([annotations.anns[i]['area'] for i in persons.ids])
    reached = np.zeros((len(persons.ids), len(LEAST_OKS)), bool)
    for image, poses_img in poses_of.items():
        mine = np.flatnonzero(persons.images == image)
        labeled = persons.visibility[mine] > 0
        oks = person_oks(
            np.stack(poses_img), persons.keypoints_img[mine], labeled, areas[mine], sigmas
        ).T  # (N, P)
        for i, least in enumerate(LEAST_OKS):
            gain = np.where(oks >= least, 1 + oks / 100, 0)
            matched = linear_sum_assignment(gain, maximize=True)
            reached[mine[matched[0]], i] = gain[matched] > 0
    return reached


def shares(reached: np.ndarray, persons: Persons) -> dict[str, list[float]]:
    """Average the result of `reached_oks` over each group; NaN for a group of nobody."""
    return {
        name: reached[members].mean(axis=0).tolist()
        if members.any()
        else [float('nan')] * len(LEAST_OKS)
        for name, members in groups_of(persons).items()
    }
