"""Who is found and who is missed, by annotations or by what the other model found.

All coordinates are in pixels of the image. Shape shorthand: N poses, P people, K keypoints.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from mmengine.structures import InstanceData

from ..datasets.matching import Persons, shown_persons
from ..method.fusion import pairwise_oks

OKS_THR = 0.5  # of a person and a pose that shows it


class View(NamedTuple):
    """Result of one model in an image.

    Attributes:
        poses: `keypoints`, `keypoints_visible`, `bbox_scores`, the best first.
        shown: (N,) the person that each pose shows, −1: none.
        missed: people that no pose shows.
    """

    poses: InstanceData
    shown: np.ndarray
    missed: np.ndarray


class People(NamedTuple):
    """The people of an image.

    Attributes:
        keypoints: (P, K, 2).
        labeled: (P, K) boolean: keypoints that count.
    """

    keypoints: np.ndarray
    labeled: np.ndarray


class Comparison(NamedTuple):
    """An image in both models' views.

    Attributes:
        people: the annotated ones or, without annotations, all that one of the models found.
        views: one for each model.
        persons: None without annotations.
    """

    people: People
    views: tuple[View, View]
    persons: Persons | None = None


def judge_by_annotations(
    poses: Sequence[InstanceData], persons: Persons, sigmas: np.ndarray
) -> Comparison:
    """Match both models' poses with annotated people as COCO's evaluation does.

    Args:
        poses: of each model, the best first; of more than 20, those after them show nobody.
        persons: the image's.
        sigmas: K OKS sigmas.
    """
    views = []
    for each in poses:
        shown = shown_persons(each.keypoints, each.bbox_scores, persons, sigmas)
        views.append(View(each, shown, np.setdiff1d(np.arange(len(persons.boxes)), shown)))
    return Comparison(People(persons.keypoints, persons.labeled), tuple(views), persons)


def judge_each_other(poses: Sequence[InstanceData], sigmas: np.ndarray) -> Comparison:
    """Find the poses of each model that match none of the other's (OKS of 0.5 or less).

    People are the poses of the first model, then those that only the second has.
    """
    first, second = (each.keypoints for each in poses)
    count = len(first)
    oks = pairwise_oks(
        torch.from_numpy(np.concatenate((first, second))), torch.from_numpy(sigmas)
    ).numpy()[:count, count:]
    alike = oks > OKS_THR
    new = ~alike.any(axis=0)
    shown = np.where(new, count + new.cumsum() - 1, oks.argmax(axis=0) if count else -1)
    missed = np.arange(count, count + new.sum()), np.flatnonzero(~alike.any(axis=1))
    keypoints = np.concatenate((first, second[new]))
    people = People(keypoints, np.ones(keypoints.shape[:2], bool))
    return Comparison(
        people, (View(poses[0], np.arange(count), missed[0]), View(poses[1], shown, missed[1]))
    )


def choose(
    comparisons: Sequence[Comparison], hardest: int | None = None, most_different: int | None = None
) -> list[int]:
    """Choose images by their indices: all in their order, or the first of another order.

    Args:
        comparisons: of all images.
        hardest: this many of `hardest_first`.
        most_different: this many of `most_different_first`, with `hardest` of those.
    """
    chosen = range(len(comparisons)) if hardest is None else hardest_first(comparisons)[:hardest]
    if most_different is not None:
        chosen = [i for i in most_different_first(comparisons) if i in chosen][:most_different]
    return list(chosen)


def hardest_first(comparisons: Sequence[Comparison]) -> list[int]:
    """Order images by crowd index, then by the number of people, the highest first."""

    def key(i: int) -> tuple:
        persons = comparisons[i].persons
        return -(persons.crowd_index or 0), -len(persons.boxes)

    return sorted(range(len(comparisons)), key=key)


def most_different_first(comparisons: Sequence[Comparison]) -> list[int]:
    """Order images by the difference between the models' numbers of found people.

    Ties go to the higher crowd index, then to more people.
    """

    def key(i: int) -> tuple:
        first, second = (len(view.missed) for view in comparisons[i].views)
        persons = comparisons[i].persons
        return -abs(first - second), -(persons.crowd_index or 0), -len(persons.boxes)

    return sorted(range(len(comparisons)), key=key)
