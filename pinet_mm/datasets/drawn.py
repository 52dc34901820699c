"""Training images that are drawn when they are asked for."""

from collections.abc import Iterator, Mapping

import numpy as np
from mmengine.dataset import DefaultSampler
from mmpose.datasets.datasets import CocoDataset, CrowdPoseDataset
from mmpose.registry import DATA_SAMPLERS, DATASETS

from ..crowdsynth import (
    SPLITS,
    CrowdSettings,
    Person,
    annotate,
    crowd_index,
    draw_crowd,
    mask_to_polygons,
)
from ..errors import InputError

MOST_DRAWS = 100  # attempts to draw an image with a keypoint


@DATA_SAMPLERS.register_module()
class EpochSampler(DefaultSampler):
    """Sample as MMEngine's default sampler does, but count indices on from epoch to epoch.

    Item i of epoch e is index e * len(dataset) + i, because persistent workers never see
    `set_epoch` on their copy of the dataset.
    """

    def __iter__(self) -> Iterator[int]:
        """Iterate the indices of this process in this epoch."""
        first = self.epoch * len(self.dataset)
        return (first + index for index in super().__iter__())


@DATASETS.register_module()
class CrowdSynthDataset(CocoDataset):
    """A synthetic crowd for training, drawn when it is asked for: no epoch repeats an image.

    Index i draws image i of the stream that seed and split pick, also beyond the length, which
    only says how many make an epoch; `EpochSampler` goes on counting. Image and augmentation
    depend on i alone, whatever the number of workers and processes.

    Args:
        length: images per epoch.
        settings: arguments of `CrowdSettings`. Its `keypoints` also picks the metainfo.
        seed: seed of the stream, a non-negative integer.
        split: 'train', 'val' or 'test': disjoint streams of the same seed.
        **options: those of MMPose's `CocoDataset` that need no files, `pipeline` first of all.

    Raises:
        ValueError: length is not positive, split is unknown, or test_mode is set.
    """

    def __init__(
        self,
        length: int,
        settings: dict | None = None,
        seed: int = 0,
        split: str = 'train',
        **options,
    ):
        if isinstance(length, bool) or not isinstance(length, int) or length < 1:
            raise InputError(f'length must be an integer of at least 1, got {length!r}')
        if split not in SPLITS:
            raise InputError(f'split must be one of {list(SPLITS)}, got {split!r}')
        if options.get('test_mode'):
            raise InputError(
                'CrowdSynthDataset is for training: evaluation needs an annotation '
                'file, which tools/make_crowdsynth.py writes'
            )
        self.length, self.seed, self.split = length, seed, split
        self.settings = CrowdSettings(**(settings or {}))
        options.setdefault('metainfo', self.metainfo_of(settings))
        super().__init__(**{'data_mode': 'bottomup', **options})

    @staticmethod
    def metainfo_of(settings: Mapping | None) -> dict:
        """Return the metainfo of people who are drawn by such settings."""
        crowdpose = CrowdSettings(**(settings or {})).keypoints == 'crowdpose'
        return (CrowdPoseDataset if crowdpose else CocoDataset).METAINFO

    def load_data_list(self) -> list[dict]:
        """Return a record for each image of an epoch; there is nothing to load."""
        return [dict(number=number) for number in range(self.length)]

    def get_data_info(self, idx: int) -> dict:
        """Draw an image.

        Args:
            idx: number of the image in its stream.

        Returns:
            What MMPose's COCO datasets return, and the image as `img`.

        Raises:
            InputError: the settings draw nobody with keypoints.
        """
        epoch, place = divmod(idx, len(self))
        info = super().get_data_info(place)
        image, data = self._draw(epoch * self.length + info.pop('number'))
        return {**info, **data, 'img': image, 'sample_idx': idx}

    def prepare_data(self, idx: int) -> dict:
        """Draw an image and run the pipeline, whose random numbers follow from the index too."""
        state = np.random.get_state()
        np.random.seed([self.seed % 2**32, SPLITS[self.split], idx % 2**32, idx >> 32])
        try:
            return super().prepare_data(idx)
        finally:
            np.random.set_state(state)

    def _draw(self, number: int) -> tuple[np.ndarray, dict]:
        """Return an image with at least one labeled keypoint, and its record."""
        number, image, people = self._draw_people(number)
        index = crowd_index(
            [person.keypoints for person in people], [person.bbox for person in people]
        )
        record = dict(
            id=number,
            width=self.settings.size[0],
            height=self.settings.size[1],
            img_path=None,
            crowdIndex=index,
        )
        items = []
        for identity, person in enumerate(people, start=1):
            item = dict(annotate(person), id=identity, image_id=number, segmentation=[])
            if item['num_keypoints'] == 0:
                # The network learns nothing from such a person: the pipeline masks their pixels.
                item['segmentation'] = mask_to_polygons(person.mask)
            items.append(self.parse_data_info(dict(raw_ann_info=item, raw_img_info=record)))
        return image, self._get_bottomup_data_infos(items, [record])[0]

    def _draw_people(self, number: int) -> tuple[int, np.ndarray, list[Person]]:
        # An image without keypoints is replaced by one from far beyond all that are asked for.
        numbers = range(number, number + MOST_DRAWS * 2**48, 2**48)
        for number in numbers:
            image, people = draw_crowd(self.settings, self.seed, number, self.split)
            if any(person.keypoints[:, 2].any() for person in people):
                return number, image, people
        raise InputError(
            f'settings must draw people with keypoints; found none in {MOST_DRAWS} images of '
            f'{self.settings}'
        )
