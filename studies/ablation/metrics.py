"""Measure poses against annotations: COCO's AP and recall, on subsets and folds of the images.

COCO's evaluation matches poses and people once; every number here is read from those matches.
Frames: image pixels (`_img`). Shape shorthand: N annotated people, K keypoints, M parts.
"""

import contextlib
import copy
import io
from collections.abc import Sequence
from dataclasses import dataclass

from pinet_mm.datasets.matching import match_poses, oks_terms
from pinet_mm.method.layouts import PartLayout
from pinet_mm.method.targets import part_centers

import numpy as np
from xtcocotools.coco import COCO
from xtcocotools.cocoeval import COCOeval

# CrowdPose's bounds of the crowd index; xtcocotools prints easy, medium and hard with 0.2 for 0.1.
CROWDING = dict(easy=(0, 0.1), medium=(0.1, 0.8), hard=(0.8, 1.001))
SEEN_SHARES = (0, 0.25, 0.5, 0.75, 1.001)  # of a person's labeled keypoints
NEAR = 8.0  # image pixels between two people's part centers


@dataclass(frozen=True)
class Persons:
    """The annotated people of a test set, one row each.

    Attributes:
        ids: (N,) annotation ids.
        images: (N,) image ids.
        keypoints_img: (N, K, 2).
        visibility: (N, K) COCO's v: 0 not labeled, 1 hidden, 2 seen.
        near: for every part and for `person`, the center of all keypoints: (N,) bool, whether
            another person's center lies within `NEAR` pixels; `any` part of them.
    """

    ids: np.ndarray
    images: np.ndarray
    keypoints_img: np.ndarray
    visibility: np.ndarray
    near: dict[str, np.ndarray]

    @property
    def seen_shares(self) -> np.ndarray:
        """Share of each person's labeled keypoints that is seen: (N,)."""
        return (self.visibility == 2).sum(1) / np.maximum((self.visibility > 0).sum(1), 1)

    @property
    def groups(self) -> dict[str, np.ndarray]:
        """Who belongs to the groups that recall is measured on: name -> (N,) bool."""
        seen = self.seen_shares
        by_share = {
            f'seen_{int(100 * low)}-{int(100 * high)}': (low <= seen) & (seen < high)
            for low, high in zip(SEEN_SHARES, SEEN_SHARES[1:])
        }
        return {**by_share, **{f'near_{name}': near for name, near in self.near.items()}}

    @property
    def counts(self) -> dict[str, int]:
        """How many people there are, in all and in each group."""
        return dict(
            all=len(self.ids), **{name: int(members.sum()) for name, members in self.groups.items()}
        )


def read_persons(annotations: COCO, layout: PartLayout) -> Persons:
    """Read a test set's people and who is near whom.

    Args:
        annotations: in COCO's format; people without labeled keypoints are left out.
        layout: whose parts count as centers.
    """
    rows = [row for row in annotations.dataset['annotations'] if row['num_keypoints']]
    keypoints = np.array([row['keypoints'] for row in rows], float).reshape(
        len(rows), layout.num_keypoints, 3
    )
    images = np.array([row['image_id'] for row in rows], int)
    points, labeled = keypoints[..., :2], keypoints[..., 2] > 0
    whole = np.ones((1, layout.num_keypoints), bool)
    near = {
        name: _has_neighbor(images, *part_centers(points, labeled, part[None]))
        for name, part in zip(layout.part_names, layout.membership)
    }
    near['any'] = np.any(list(near.values()), axis=0)
    near['person'] = _has_neighbor(images, *part_centers(points, labeled, whole))
    return Persons(np.array([row['id'] for row in rows]), images, points, keypoints[..., 2], near)


def _has_neighbor(images: np.ndarray, centers_img: np.ndarray, exists: np.ndarray) -> np.ndarray:
    # Centers (N, 1, 2) of one part, and whether each exists (N, 1).
    distance = np.linalg.norm(centers_img - centers_img[:, 0], axis=-1)
    pair = (images[:, None] == images) & exists & exists[:, 0]
    np.fill_diagonal(pair, False)
    return ((distance < NEAR) & pair).any(axis=1)


def measure(
    annotations: COCO,
    entries: list[dict],
    persons: Persons,
    sigmas: Sequence[float],
    folds: int = 10,
) -> dict[str, dict]:
    """Measure one evaluation.

    Args:
        annotations: of the test set, with `crowdIndex` at every image.
        entries: the poses in COCO's result format.
        persons: of `annotations`.
        sigmas: K OKS sigmas.
        folds: into how many parts the images are dealt, in turn.

    Returns:
        For every metric `all`, and `folds`, the same on the folds, NaN where there is nobody.
        AP, AP50, AP75, AR; AP by crowd index; `AP_box_area`, OKS with 0.53 × box in place of
        the area, as on CrowdPose; recall at OKS 0.5 by share of keypoints seen
        (`recall_seen_0-25` ...) and of people near others (`recall_near_PART`); and the share of
        keypoints found, those seen and those hidden.
    """
    image_ids = sorted(annotations.getImgIds())
    fold_of = {image: i % folds for i, image in enumerate(image_ids)}
    matches, by_boxes = (
        match_poses(annotations, entries, sigmas, 'keypoints_crowd', use_area)
        for use_area in (True, False)
    )
    crowding = {image['id']: image['crowdIndex'] for image in annotations.dataset['images']}
    found, keypoints_found = _found(matches, entries, persons, np.asarray(sigmas), annotations)

    def on(subset: Sequence[int]) -> dict:
        scores = _average(matches, subset)
        for name, (low, high) in CROWDING.items():
            members = [i for i in subset if low <= crowding[i] < high]
            scores[f'AP_{name}'] = _average(matches, members)['AP']
        scores['AP_box_area'] = _average(by_boxes, subset)['AP']
        mine = np.isin(persons.images, subset)
        scores.update(_recalls(persons, mine, found, keypoints_found))
        return scores

    per_fold = [on([i for i in image_ids if fold_of[i] == fold]) for fold in range(folds)]
    return {
        name: dict(all=value, folds=[scores[name] for scores in per_fold])
        for name, value in on(image_ids).items()
    }


def _average(matches: COCOeval, images: Sequence[int]) -> dict[str, float]:
    """Compute AP, AP50, AP75 and AR on some of the images; NaN where nobody is annotated."""
    some = copy.copy(matches)
    wanted = set(images)
    some.evalImgs = [
        one for image, one in zip(matches.params.imgIds, matches.evalImgs) if image in wanted
    ]
    some.params = copy.copy(matches.params)
    some.params.imgIds = [i for i in matches.params.imgIds if i in wanted]
    some._paramsEval = some.params
    with contextlib.redirect_stdout(io.StringIO()):
        some.accumulate()
    precision = some.eval['precision'][:, :, 0, 0, 0].mean(axis=1)
    precision = np.where(precision < 0, np.nan, precision)
    recall = some.eval['recall'][:, 0, 0, 0]
    return dict(
        AP=float(precision.mean()),
        AP50=float(precision[0]),
        AP75=float(precision[5]),
        AR=float(np.where(recall < 0, np.nan, recall).mean()),
    )


def _found(
    matches: COCOeval, entries: list[dict], persons: Persons, sigmas: np.ndarray, annotations: COCO
):
    """Return which people have a pose at OKS 0.5, and which of their keypoints it finds.

    A keypoint is found if its own term of OKS is at least 0.5.

    Returns:
        (N,) and (N, K) bool.
    """
    pose_of = {}
    for image in filter(None, matches.evalImgs):
        pose_of.update(zip(image['gtIds'], image['gtMatches'][0]))
    owners = np.array([pose_of.get(i, -1) for i in persons.ids])
    found = owners >= 0
    keypoints_found = np.zeros(persons.visibility.shape, bool)
    if found.any():
        # loadRes numbers the entries from 1.
        poses = np.array([entries[i - 1]['keypoints'] for i in owners[found]])
        poses = poses.reshape(len(poses), -1, 3)[..., :2]
        areas = np.array([annotations.anns[i]['area'] for i in persons.ids[found]])
        keypoints_found[found] = (
            oks_terms(poses, persons.keypoints_img[found], areas, sigmas) >= 0.5
        )
    return found, keypoints_found


def _recalls(
    persons: Persons, mine: np.ndarray, found: np.ndarray, keypoints_found: np.ndarray
) -> dict[str, float]:
    recalls = {
        f'recall_{name}': _mean(found[mine & members]) for name, members in persons.groups.items()
    }
    recalls['keypoints_seen'] = _mean(keypoints_found[mine][persons.visibility[mine] == 2])
    recalls['keypoints_hidden'] = _mean(keypoints_found[mine][persons.visibility[mine] == 1])
    return recalls


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else float('nan')
