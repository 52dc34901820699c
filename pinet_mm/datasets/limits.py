"""What limits an evaluation's numbers: how many poses count, what is easy, medium and hard."""

from collections import Counter
from collections.abc import Sequence

from ..errors import InputError
from .matching import MAX_POSES

# The crowd indices between easy, medium and hard images in `COCOeval`; the paper of CrowdPose has
# 0.1 instead of 0.2.
BOUNDS = (0.2, 0.8)
BOUNDS_NOTE = (
    f'AP(E), AP(M), AP(H): crowdIndex below {BOUNDS[0]}, to {BOUNDS[1]}, from {BOUNDS[1]} on, as '
    "CrowdPose's evaluation code counts easy, medium and hard images; its paper has 0.1 instead of "
    f'{BOUNDS[0]}'
)


def require_limit(max_poses: int, iou_type: str) -> None:
    """Check how many poses of an image count.

    Args:
        max_poses: see `average_precision`.
        iou_type: see `average_precision`.

    Raises:
        InputError: it is below 1, or not 20 with 'keypoints_crowd'.
    """
    if max_poses < 1 or (max_poses != MAX_POSES and iou_type != 'keypoints'):
        raise InputError(
            f"max_poses must be at least 1, and {MAX_POSES} with 'keypoints_crowd'; "
            f'found {max_poses}'
        )


def crowded_images(annotations: Sequence[dict], max_poses: int = MAX_POSES) -> list[int]:
    """Return the ids of images with more people than poses count.

    Args:
        annotations: as in a COCO file, checked.
        max_poses: see `average_precision`.
    """
    counts = Counter(
        each['image_id']
        for each in annotations
        if each['num_keypoints'] and not each.get('iscrowd')
    )
    return [image_id for image_id, count in counts.items() if count > max_poses]


def note_on_crowded(annotations: Sequence[dict], max_poses: int = MAX_POSES) -> str | None:
    """Return a line on images with more people than poses count; None without any.

    Args:
        annotations: as in a COCO file, checked.
        max_poses: see `average_precision`.
    """
    crowded = crowded_images(annotations, max_poses)
    if not crowded:
        return None
    return (
        f'{len(crowded)} images have more than {max_poses} people, such as image {crowded[0]}; '
        f"COCO's protocol counts {MAX_POSES} poses per image, so that even perfect poses have an "
        'AP below 1 there; tools/fuse.py --max-poses N evaluates a file of poses by another limit'
    )


def note_on_proposals(annotations: Sequence[dict], max_per_part: int) -> str | None:
    """Return a line on images with more people than a part proposes poses; None without any.

    Args:
        annotations: as in a COCO file, checked.
        max_per_part: see `TestSettings`.
    """
    crowded = crowded_images(annotations, max_per_part)
    if not crowded:
        return None
    return (
        f'{len(crowded)} images have more people than each part proposes poses (model.test_cfg.'
        f'max_per_part={max_per_part}), such as image {crowded[0]}: not all of them can be found'
    )
