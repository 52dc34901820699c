"""Dataset rules that MMPose lacks, and training pictures that are drawn when asked for."""

from collections.abc import Iterator
from typing import List

import numpy as np
from mmengine.dataset import DefaultSampler
from mmpose.datasets.datasets import CocoDataset, CrowdPoseDataset
from mmpose.registry import DATA_SAMPLERS, DATASETS

from .crowdsynth import (SPLITS, CrowdSettings, annotate, crowd_index, draw_crowd,
                         mask_to_polygons)


@DATASETS.register_module()
class MinKeypointsCocoDataset(CocoDataset):
    """COCO pictures whose persons hold enough labelled keypoints together.

    Args:
        min_keypoints: pictures with fewer are left out of training.
    """

    def __init__(self, *args, min_keypoints: int = 1, **kwargs):
        self.min_keypoints = min_keypoints
        super().__init__(*args, **kwargs)

    def filter_data(self) -> List[dict]:
        """Drop pictures with few keypoints; testing keeps every picture.

        Raises:
            ValueError: no picture is left.
        """
        pictures = super().filter_data()
        if self.test_mode:
            return pictures
        kept = [picture for picture in pictures
                if sum(picture['num_keypoints']) >= self.min_keypoints]
        if not kept:
            raise ValueError(f'min_keypoints={self.min_keypoints} leaves none of the '
                             f'{len(pictures)} pictures of {self.ann_file}')
        return kept


@DATA_SAMPLERS.register_module()
class EpochSampler(DefaultSampler):
    """MMEngine's default sampler, but indices go on counting from epoch to epoch.

    Item i of epoch e is index e * len(dataset) + i: the epoch reaches a dataset also where worker
    processes keep a copy of it that nobody can tell.
    """

    def __iter__(self) -> Iterator[int]:
        """Iterate the indices of this process in this epoch."""
        first = self.epoch * len(self.dataset)
        return (first + index for index in super().__iter__())


@DATASETS.register_module()
class CrowdSynthDataset(CocoDataset):
    """A synthetic crowd for training, drawn when it is asked for: no epoch repeats a picture.

    Index i draws picture i of the stream that seed and split pick, also beyond the length, which
    only says how many make an epoch; `EpochSampler` goes on counting. Picture and augmentation
    depend on i alone, whatever the number of workers and processes.

    Args:
        length: pictures in an epoch.
        settings: arguments of `CrowdSettings`. Its `keypoints` also picks the metainfo.
        seed: seed of the stream, a non-negative integer.
        split: 'train', 'val' or 'test': disjoint streams of the same seed.
        **options: those of MMPose's `CocoDataset` that need no files, `pipeline` first of all.

    Raises:
        ValueError: length is not positive, split is unknown, or test_mode is set.
    """

    def __init__(self, length: int, settings: dict | None = None, seed: int = 0,
                 split: str = 'train', **options):
        if isinstance(length, bool) or not isinstance(length, int) or length < 1:
            raise ValueError(f'length must be an integer of at least 1, got {length!r}')
        if split not in SPLITS:
            raise ValueError(f'split must be one of {list(SPLITS)}, got {split!r}')
        if options.get('test_mode'):
            raise ValueError('CrowdSynthDataset is for training: evaluation needs an annotation '
                             'file, which tools/make_crowdsynth.py writes')
        self.length, self.seed, self.split = length, seed, split
        self.settings = CrowdSettings(**(settings or {}))
        if self.settings.keypoints == 'crowdpose':
            options.setdefault('metainfo', CrowdPoseDataset.METAINFO)
        super().__init__(**{'data_mode': 'bottomup', **options})

    def load_data_list(self) -> List[dict]:
        """Return a record for each picture of an epoch; there is nothing to load."""
        return [dict(number=number) for number in range(self.length)]

    def get_data_info(self, idx: int) -> dict:
        """Draw a picture.

        Args:
            idx: number of the picture in its stream.

        Returns:
            What MMPose's COCO datasets return, and the picture as `img`.
        """
        epoch, place = divmod(idx, len(self))
        info = super().get_data_info(place)
        picture, data = self._draw(epoch * self.length + info.pop('number'))
        return {**info, **data, 'img': picture, 'sample_idx': idx}

    def prepare_data(self, idx: int) -> dict:
        """Draw a picture and run the pipeline, whose random numbers follow from the index too."""
        state = np.random.get_state()
        np.random.seed([self.seed % 2 ** 32, SPLITS[self.split], idx % 2 ** 32, idx >> 32])
        try:
            return super().prepare_data(idx)
        finally:
            np.random.set_state(state)

    def _draw(self, number: int) -> tuple[np.ndarray, dict]:
        """Return a picture with at least one labelled keypoint, and its record."""
        while True:
            picture, persons = draw_crowd(self.settings, self.seed, number, self.split)
            if any(person.keypoints[:, 2].any() for person in persons):
                break
            # far outside of what is ever asked for, and nobody else's
            number += 2 ** 48
        index = crowd_index([person.keypoints for person in persons],
                            [person.bbox for person in persons])
        image = dict(id=number, width=self.settings.size[0], height=self.settings.size[1],
                     img_path=None, crowdIndex=index)
        items = []
        for identity, person in enumerate(persons, start=1):
            item = dict(annotate(person), id=identity, image_id=number, segmentation=[])
            if item['num_keypoints'] == 0:
                # such a person trains nothing: the pipeline masks their pixels
                item['segmentation'] = mask_to_polygons(person.mask)
            items.append(self.parse_data_info(dict(raw_ann_info=item, raw_img_info=image)))
        return picture, self._get_bottomup_data_infos(items, [image])[0]
