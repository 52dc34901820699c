"""Why an evaluation has AP 0, or none: a sentence or two beside the number."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

import numpy as np

from ..onnx_runner import MEAN, POSE_THRS
from .keypoint_order import areas_of, boxes_of, keypoints_of, why_order
from .matching import person_oks

LEAST_OKS = 0.5  # COCO's lowest threshold: AP is 0 if no pose reaches it with any person
FEW = 500  # iterations after which poses of a training from scratch say nothing of the data yet
LIKE = (0.5, 2.0)  # size of the pose over that of the person; others give a reason
NO_WEIGHTS = 'are these its trained weights, and are the images those that were annotated?'
WEAK = 'a model that knows such images scores higher: is it the right checkpoint?'
BEHIND = 'the poses that are like people rank below the 20 best of their images'


def why_no_number(annotations: Sequence[dict]) -> str:
    """Return why COCO's evaluation has its -1 in place of AP: nobody is annotated who counts.

    Args:
        annotations: people as in a COCO file.
    """
    crowds = sum(bool(each.get('iscrowd')) for each in annotations)
    return (
        "COCO's mark for no annotated person who counts: of "
        f'{len(annotations)} annotations {crowds} are crowds, and the others have no labeled '
        'keypoint'
    )


def why_zero(
    annotations: Sequence[dict],
    entries: Sequence[dict],
    sigmas: Sequence[float],
    use_area: bool = True,
    iterations: int | None = None,
    score_kind: str = MEAN,
) -> str | None:
    """Return why no pose matches any person, in a sentence or two; None if one does.

    Args:
        annotations: people as in a COCO file, checked.
        entries: poses in COCO's result format, with keypoints in pixels of the image.
        sigmas: K OKS sigmas.
        use_area: OKS with the annotated areas, where there are any; else with 0.53 of the boxes.
        iterations: of the training whose validation this is, or that made the checkpoint; those of
            a training before it do not count. None if not known.
        score_kind: what the poses' scores are, a key of `POSE_THRS`.
    """
    persons = _by_image(
        each for each in annotations if each['num_keypoints'] and not each.get('iscrowd')
    )
    poses = _by_image(entries)
    if not persons:
        return 'the annotations hold no person with labeled keypoints'
    if not poses:
        return f'the model proposed no pose in any image: {_why_weak(iterations, NO_WEIGHTS)}'
    shared = persons.keys() & poses.keys()
    if not shared:
        return 'the poses are of other images than the annotated people'
    found, wanted = _categories(entries), _categories(annotations)
    if found and wanted and not found & wanted:
        return f'the poses have the category_id {_listed(found)}, the people {_listed(wanted)}'
    best, ratios = _compare(persons, poses, shared, np.asarray(sigmas), use_area)
    if best >= LEAST_OKS:
        return None
    reason = _why_unlike(best, ratios, entries, iterations, POSE_THRS[score_kind])
    order = why_order([(persons[image], poses[image]) for image in shared], sigmas, use_area)
    return reason + order


def _why_weak(iterations: int | None, doubt: str) -> str:
    if iterations is None:
        return doubt
    count = f'{iterations} iteration{"s" * (iterations != 1)}'
    return (
        f'its last training has gone on for {count}; if it stays so, look at what it learns from '
        'with pinet-mm data browse'
    )


def _why_unlike(
    best: float,
    ratios: Sequence[float],
    entries: Sequence[dict],
    iterations: int | None,
    shown: float,
) -> str:
    """Return what the best OKS, the scores and the sizes of poses say, none of which matches."""
    # First, but not alone: a training may have begun with all that another one has learned.
    has_begun = iterations is not None and iterations < FEW
    reasons = [_why_weak(iterations, WEAK)] if has_begun else []
    reasons.append(f'the best of all poses has an OKS of {best:.2f}, below {LEAST_OKS}')
    scores = np.array([each['score'] for each in entries])
    good = int((scores > shown).sum())
    reasons.append(f'{good} of {len(scores)} poses score above {shown:g}')
    if not good and not has_begun:
        reasons.append(_why_weak(iterations, WEAK))
    ratio = float(np.median(ratios))
    if good and not LIKE[0] <= ratio <= LIKE[1]:  # the size of a weak pose says nothing
        reasons.append(
            f'poses are {ratio:.2g} times as large as the people: were these annotated on images '
            'of another size?'
        )
    return '; '.join(reasons)


def _categories(records: Sequence[dict]) -> set:
    return {each['category_id'] for each in records if 'category_id' in each}


def _listed(ids: Iterable) -> str:
    return ', '.join(sorted(map(str, ids)))


def _by_image(records: Iterable[dict]) -> dict[int, list]:
    grouped = defaultdict(list)
    for each in records:
        grouped[each['image_id']].append(each)
    return grouped


def _compare(
    persons: dict, poses: dict, images: Collection, sigmas: np.ndarray, use_area: bool
) -> tuple[float, list]:
    """Return the best OKS of any pose, and sizes of the images' best poses over the people's."""
    best, ratios = 0.0, []
    for image in images:
        truth, areas = keypoints_of(persons[image]), areas_of(persons[image], use_area)
        boxes = boxes_of(persons[image])
        found = keypoints_of(poses[image])[..., :2]
        oks = person_oks(found, truth[..., :2], truth[..., 2] > 0, areas, tuple(sigmas))
        best = max(best, float(oks.max()))
        top = found[int(np.argmax([each['score'] for each in poses[image]]))]
        ratios.append(float(np.sqrt(np.ptp(top, axis=0).prod() / boxes.mean())))
    return best, ratios
