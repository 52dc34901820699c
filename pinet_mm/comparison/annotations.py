"""COCO's keypoint annotations, found by the name of the image."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..datasets.check import Expected, check_file
from ..datasets.check.listing import size_of
from ..datasets.matching import Persons
from ..errors import InputError


class Annotations:
    """COCO's keypoint annotations, by the names of the image files.

    Args:
        path: a COCO-format JSON file.
        num_keypoints: those of the models.
        names: K names of the models' keypoints, into whose order those of the file are brought.
        category: name or id of the person category, where several have keypoints.

    Attributes:
        notes: a line for everything in the file that was handled rather than refused.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no JSON file of this format, or its people have other keypoints.
    """

    def __init__(
        self,
        path: str | Path,
        num_keypoints: int,
        names: Sequence[str] | None = None,
        category: str | int | None = None,
    ):
        self.path, self.num_keypoints = Path(path), num_keypoints
        expected = Expected(names, category, need_size=False, allow_outside=True)
        checked = check_file(path, expected).require()
        self.notes = checked.notes()
        checked.require_count(num_keypoints, 'the models have')
        self.images = {image['id']: image for image in checked.data['images']}
        self.by_name: dict[str, list[int]] = {}
        for key, image in self.images.items():
            self.by_name.setdefault(Path(image['file_name']).name, []).append(key)
        self.entries: dict[int, list[dict]] = {key: [] for key in self.images}
        for entry in checked.data['annotations']:
            # Not by `num_keypoints`, which in CrowdPose's files counts visible keypoints only.
            if any(entry['keypoints'][2::3]) and not entry.get('iscrowd'):
                _, _, width, height = entry['bbox']
                self.entries[entry['image_id']].append({'area': 0.53 * width * height, **entry})

    def find(self, file: Path) -> int | None:
        """Return the id of an image by its file name, None if it is not annotated.

        Raises:
            ValueError: several annotated images have this name.
        """
        found = self.by_name.get(file.name, [])
        if len(found) > 1:  # in several folders, then
            found = [
                key
                for key in found
                if f'/{file.resolve().as_posix()}'.endswith(f'/{self.images[key]["file_name"]}')
            ]
            if len(found) != 1:
                raise InputError(
                    f'{self.path} holds several images named {file.name}, and '
                    f'{file} is not clearly one of them'
                )
        return found[0] if found else None

    def require_size(self, file: Path, size: tuple[int, int]) -> None:
        """Check that an image has the (h, w) that its annotations are for, if they say one.

        Raises:
            ValueError: its size is another.
        """
        wanted = size_of(self.images[self.find(file)])
        if wanted not in (None, tuple(size[::-1])):
            raise InputError(
                f'{file} has {size[1]}x{size[0]} pixels; {self.path} is for {wanted[0]}x{wanted[1]}'
            )

    def require_crowd_indices(self) -> None:
        """Check that images can be sorted by their crowd index.

        Raises:
            InputError: some have none.
        """
        lacking = [key for key, image in self.images.items() if image.get('crowdIndex') is None]
        if lacking:
            raise InputError(
                f'the hardest images are those of the highest crowdIndex, which {len(lacking)} of '
                f'{len(self.images)} images of {self.path} lack, such as image {lacking[0]}'
            )

    def persons(self, image_id: int) -> Persons:
        """Return the annotated people of an image."""
        entries = self.entries[image_id]
        keypoints = np.array([entry['keypoints'] for entry in entries], dtype=np.float64)
        keypoints = keypoints.reshape(-1, self.num_keypoints, 3)
        boxes = np.array([entry['bbox'] for entry in entries], dtype=np.float64).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        areas = np.array([entry['area'] for entry in entries], dtype=np.float64)
        return Persons(
            keypoints[..., :2],
            keypoints[..., 2] > 0,
            areas,
            boxes,
            self.images[image_id].get('crowdIndex'),
        )
