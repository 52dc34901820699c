"""At which stage of a test persons are lost: is there a proposal, is it refined, is it kept?

The question is not how poses rank but whether a person has one at all. All numbers are shares of
persons whose best pose has at least some OKS, whoever else that pose may belong to. Shape
shorthand: N annotated persons, P poses, K keypoints.
"""

from typing import Dict, List, Mapping, Sequence

import numpy as np
from xtcocotools.coco import COCO

from .metrics import Persons

# Nothing has an OKS above 1, so that no pose is taken by another: all of them are left.
_UNMATCHED = dict(use_fusion=False, oks_thr=1.0)
STAGES: Dict[str, dict] = {
    'proposed': dict(_UNMATCHED, use_refinement=False), 'refined': _UNMATCHED, 'fused': {}}
LEAST_OKS = (0.3, 0.5, 0.75)


def groups_of(persons: Persons) -> Dict[str, np.ndarray]:
    """Tell apart who stands near another, and of them who can be seen: name -> (N,) bool."""
    near, seen = persons.near['any'], persons.seen_shares >= 0.5
    return {'all': np.ones_like(near), 'near another, half seen or more': near & seen,
            'near another, less seen': near & ~seen}


def best_oks(annotations: COCO, entries: Sequence[Mapping], persons: Persons,
             sigmas: Sequence[float]) -> np.ndarray:
    """Find the OKS of every person's best pose, 0 where its picture has none: (N,).

    Args:
        annotations: of the test set, for the persons' areas.
        entries: poses in COCO's result format; their scores do not matter.
        persons: of `annotations`.
        sigmas: K OKS sigmas.
    """
    poses_of: Dict[int, List[np.ndarray]] = {}
    for entry in entries:
        pose = np.reshape(entry['keypoints'], (-1, 3))[:, :2]
        poses_of.setdefault(entry['image_id'], []).append(pose)
    areas = np.array([annotations.anns[i]['area'] for i in persons.ids])
    best = np.zeros(len(persons.ids))
    for picture, poses in poses_of.items():
        mine = persons.pictures == picture
        labelled = persons.visibility[mine, None] > 0
        squared = ((persons.keypoints_img[mine, None] - np.stack(poses))**2).sum(-1)  # N, P, K
        terms = np.exp(-squared / (2 * areas[mine, None, None] * (2 * np.asarray(sigmas))**2))
        best[mine] = ((terms * labelled).sum(-1) / labelled.sum(-1)).max(axis=1)
    return best


def shares(best: np.ndarray, persons: Persons) -> Dict[str, List[float]]:
    """Share of each group whose best pose has at least each of `LEAST_OKS`; NaN of nobody."""
    return {name: [float((best[members] >= least).mean()) if members.any() else float('nan')
                   for least in LEAST_OKS] for name, members in groups_of(persons).items()}
