"""Datasets with filters and labels that MMPose lacks."""

import logging
import os.path as osp
from collections.abc import Mapping
from copy import deepcopy

import numpy as np
from mmengine.logging import print_log
from mmpose.datasets.datasets import CocoDataset
from mmpose.datasets.transforms.converting import KeypointConverter
from mmpose.registry import DATASETS

from ..environment.printing import one_line
from ..errors import InputError
from .check.reading import read_json
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


@DATASETS.register_module()
class MinKeypointsCocoDataset(CocoDataset):
    """COCO images whose people have enough labeled keypoints together.

    Args:
        min_keypoints: images with fewer are left out of training.
        exclude: JSON file with a list of image paths inside the image folder, which are left out
            of training, as `tools/check_dataset.py --overlap A B --exclude FILE` writes it.
    """

    def __init__(self, *args, min_keypoints: int = 1, exclude: str | None = None, **kwargs):
        self.min_keypoints, self.exclude = min_keypoints, exclude
        super().__init__(*args, **kwargs)

    def filter_data(self) -> list[dict]:
        """Drop images with few keypoints; evaluation keeps every image.

        Raises:
            ValueError: no image is left.
        """
        images = super().filter_data()
        if self.test_mode:
            return images
        images = self._without_excluded(images, self.exclude) if self.exclude else images
        kept = [image for image in images if sum(image['num_keypoints']) >= self.min_keypoints]
        if not kept:
            raise InputError(
                f'min_keypoints={self.min_keypoints} leaves none of the '
                f'{len(images)} images of {self.ann_file}'
            )
        return kept

    def _without_excluded(self, images: list[dict], exclude: str) -> list[dict]:
        names = read_json(exclude)
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise InputError(f'{exclude} must hold a list of image paths')
        folder = self.data_prefix.get('img', '')
        excluded = {osp.normpath(osp.join(folder, name)) for name in names}
        kept = [each for each in images if osp.normpath(each['img_path']) not in excluded]
        gone = len(images) - len(kept)
        print_log(
            one_line(
                f'{exclude} excludes {gone} of the {len(images)} images of {self.ann_file} from '
                'the training'
            ),
            'current',
            logging.INFO if gone or not names else logging.WARNING,
        )
        return kept


@DATASETS.register_module()
class LabeledCocoDataset(MinKeypointsCocoDataset):
    """COCO images that say which keypoints their source labels: for merged datasets.

    Every sample carries `labeled_keypoints`, boolean (K,) in the order of its keypoints: those
    that the category of its people names and that `labeled_keypoints` lists for its source. A
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
        people = [person for person in instance_list if person['img_id'] in images]
        infos = super()._get_bottomup_data_infos(people, list(images.values()))
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
        # (K,) boolean: what the source of an image and all categories of its people label.
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
