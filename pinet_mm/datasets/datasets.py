"""Dataset rules that MMPose lacks, and training pictures that are drawn when asked for."""

from collections.abc import Iterator, Mapping
from copy import deepcopy

import numpy as np
from mmengine.dataset import DefaultSampler
from mmpose.datasets.datasets import CocoDataset, CrowdPoseDataset
from mmpose.datasets.transforms.converting import KeypointConverter
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
from .labeling import (
    check_fields,
    keypoint_names,
    places_of,
    read_labels,
    read_where,
    select,
    warn_unused,
)
from .transforms import LabelConverter

MOST_DRAWS = 100  # until an image holds a keypoint


@DATASETS.register_module()
class MinKeypointsCocoDataset(CocoDataset):
    """COCO pictures whose persons hold enough labelled keypoints together.

    Args:
        min_keypoints: pictures with fewer are left out of training.
    """

    def __init__(self, *args, min_keypoints: int = 1, **kwargs):
        self.min_keypoints = min_keypoints
        super().__init__(*args, **kwargs)

    def filter_data(self) -> list[dict]:
        """Drop pictures with few keypoints; testing keeps every picture.

        Raises:
            ValueError: no picture is left.
        """
        pictures = super().filter_data()
        if self.test_mode:
            return pictures
        kept = [
            picture for picture in pictures if sum(picture['num_keypoints']) >= self.min_keypoints
        ]
        if not kept:
            raise InputError(
                f'min_keypoints={self.min_keypoints} leaves none of the '
                f'{len(pictures)} pictures of {self.ann_file}'
            )
        return kept


@DATASETS.register_module()
class LabeledCocoDataset(MinKeypointsCocoDataset):
    """COCO images that say which keypoints their source labels: for merged datasets.

    Every sample carries `labeled_keypoints`, boolean (K,) in the order of its keypoints: those
    that the category of its persons names and that `labeled_keypoints` lists for its source. A
    category that names the metainfo's keypoints in another order, or some of them, has its
    annotations brought to the metainfo's order. Several categories of an image must all name a
    keypoint. A `KeypointConverter` in the pipeline converts `labeled_keypoints` too.

    Args:
        labeled_keypoints: `field` names a field of the file's image records; every other key is a
            value of that field, with the names of the keypoints that such images label. Images
            of other values label all.
        where: field of the image records -> value or list of values; other images are left out,
            so that `CombinedDataset` can weigh the sources of one file. For training.
        **options: those of `MinKeypointsCocoDataset`, in bottom-up mode. With `min_keypoints=0`
            training also sees images without annotations: background everywhere.

    Raises:
        ValueError: an argument is wrong, the metainfo lacks a keypoint that it or the file names,
            annotations have not as many keypoints as their category, no image has a field that
            an argument names, or `where` leaves no image.
    """

    def __init__(self, labeled_keypoints: dict | None = None, where: dict | None = None, **options):
        options.setdefault('data_mode', 'bottomup')
        if options['data_mode'] != 'bottomup':
            raise InputError(
                f"LabeledCocoDataset needs data_mode='bottomup'; found {options['data_mode']!r}"
            )
        if where and options.get('test_mode'):
            raise InputError(
                f'where={where} is for training: the evaluator reads every image of '
                'its annotation file'
            )
        self.names = keypoint_names(self._load_metainfo(deepcopy(options.get('metainfo'))))
        self.source_field, self.source_labels = read_labels(labeled_keypoints, self.names)
        self.where = read_where(where)
        self._places: dict[int, list[int]] = {}
        super().__init__(**options)
        steps = self.pipeline.transforms
        for number in reversed(range(len(steps))):
            if isinstance(steps[number], KeypointConverter):
                steps.insert(number + 1, LabelConverter(steps[number]))

    def parse_data_info(self, raw_data_info: dict) -> dict | None:
        """Parse a person as MMPose does, with the keypoints in the metainfo's order.

        Args:
            raw_data_info: `raw_ann_info`, the annotation, and `raw_img_info`, the image record.

        Raises:
            ValueError: the keypoints are not those that the category names.
        """
        person = raw_data_info['raw_ann_info']
        if 'keypoints' not in person:
            return None
        places, values = self._places_of(person['category_id']), person['keypoints']
        if len(values) != 3 * len(places):
            raise InputError(
                f'{self.ann_file}: annotation {person["id"]} must hold 3 numbers for each of the '
                f'{len(places)} keypoints {[self.names[place] for place in places]}; found '
                f'{len(values)} numbers'
            )
        if places != list(range(len(self.names))):
            keypoints = np.zeros((len(self.names), 3))
            keypoints[places] = np.reshape(values, (-1, 3))
            person = dict(person, keypoints=keypoints.flatten().tolist())
        return super().parse_data_info(dict(raw_data_info, raw_ann_info=person))

    def _places_of(self, category_id: int) -> list[int]:
        # The metainfo's place of every keypoint that a category of the file names.
        if category_id not in self._places:
            named = {
                category['id']: category.get('keypoints')
                for category in self._metainfo.get('CLASSES', ())
            }
            self._places[category_id] = places_of(
                self.names,
                named.get(category_id) or self.names,
                f'{self.ann_file}: category {category_id}',
            )
        return self._places[category_id]

    def _get_bottomup_data_infos(self, instance_list: list, image_list: list) -> list:
        self._check_fields(image_list)
        images = {image['img_id']: image for image in select(image_list, self.where, self.ann_file)}
        persons = [person for person in instance_list if person['img_id'] in images]
        infos = super()._get_bottomup_data_infos(persons, list(images.values()))
        if not self.test_mode and self.min_keypoints == 0:
            # An annotation that MMPose passes over still says that somebody is there.
            infos += [
                _record_of_nobody(image, len(self.names))
                for image in images.values()
                if not self.coco.getAnnIds(imgIds=image['img_id'])
            ]
        for info in infos:
            categories = np.unique(info.get('category_id', ())).tolist()
            info['labeled_keypoints'] = self._labeled(images[info['img_id']], categories)
        return infos

    def _check_fields(self, image_list: list) -> None:
        check_fields(image_list, self.where, self.ann_file)
        if self.source_field is not None:
            check_fields(image_list, [self.source_field], self.ann_file)
            warn_unused(image_list, self.source_field, self.source_labels, self.ann_file)

    def _labeled(self, image: Mapping, categories: list) -> np.ndarray:
        # (K,) boolean: what the source of an image and all categories of its persons label.
        everything, source = range(len(self.names)), image.get(self.source_field)
        labeled = self.source_labels.get(source, set(everything))
        labeled = labeled.intersection(*map(self._places_of, categories))
        return np.array([place in labeled for place in everything])


def _record_of_nobody(image: Mapping, num_keypoints: int) -> dict:
    # What MMPose makes of an image's annotations, for none.
    return dict(
        img_id=image['img_id'],
        img_path=image['img_path'],
        id=[],
        iscrowd=[],
        num_keypoints=[],
        segmentation=[],
        raw_ann_info=[],
        invalid_segs=[],
        category_id=[],
        bbox=np.zeros((0, 4), np.float32),
        bbox_score=np.zeros(0, np.float32),
        area=np.zeros(0, np.float32),
        keypoints=np.zeros((0, num_keypoints, 2), np.float32),
        keypoints_visible=np.zeros((0, num_keypoints), np.float32),
    )


@DATA_SAMPLERS.register_module()
class EpochSampler(DefaultSampler):
    """MMEngine's default sampler, but indices go on counting from epoch to epoch.

    Item i of epoch e is index e * len(dataset) + i, because persistent workers never see
    `set_epoch` on their copy of the dataset.
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
        if self.settings.keypoints == 'crowdpose':
            options.setdefault('metainfo', CrowdPoseDataset.METAINFO)
        super().__init__(**{'data_mode': 'bottomup', **options})

    def load_data_list(self) -> list[dict]:
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
        np.random.seed([self.seed % 2**32, SPLITS[self.split], idx % 2**32, idx >> 32])
        try:
            return super().prepare_data(idx)
        finally:
            np.random.set_state(state)

    def _draw(self, number: int) -> tuple[np.ndarray, dict]:
        """Return an image with at least one labeled keypoint, and its record."""
        number, picture, persons = self._draw_people(number)
        index = crowd_index(
            [person.keypoints for person in persons], [person.bbox for person in persons]
        )
        image = dict(
            id=number,
            width=self.settings.size[0],
            height=self.settings.size[1],
            img_path=None,
            crowdIndex=index,
        )
        items = []
        for identity, person in enumerate(persons, start=1):
            item = dict(annotate(person), id=identity, image_id=number, segmentation=[])
            if item['num_keypoints'] == 0:
                # such a person trains nothing: the pipeline masks their pixels
                item['segmentation'] = mask_to_polygons(person.mask)
            items.append(self.parse_data_info(dict(raw_ann_info=item, raw_img_info=image)))
        return picture, self._get_bottomup_data_infos(items, [image])[0]

    def _draw_people(self, number: int) -> tuple[int, np.ndarray, list[Person]]:
        # An image without keypoints is replaced by one from far beyond all that are asked for.
        numbers = range(number, number + MOST_DRAWS * 2**48, 2**48)
        for number in numbers:
            picture, persons = draw_crowd(self.settings, self.seed, number, self.split)
            if any(person.keypoints[:, 2].any() for person in persons):
                return number, picture, persons
        raise InputError(
            f'settings must draw people with keypoints; found none in {MOST_DRAWS} images of '
            f'{self.settings}'
        )
