"""Merged datasets in files: people of the toys' five keypoints, and which of them images label.

Keypoints are the toys' five, head, left_hand, right_hand, left_foot, right_foot (0 … 4); the parts
of layout 'three' are head (0), hands (1, 2) and feet (3, 4), so that channels of heatmaps are
0 … 4 for keypoints and 5, 6, 7 for parts.
"""

import json
from pathlib import Path

from pinet_mm import LabeledCocoDataset

import numpy as np

from tests.helpers.toys import FIVE, five_metainfo

WHOLE = [(10 * i + 5, 10 * i + 6, 2) for i in range(5)]


def labels(*places):
    """Mark the keypoints in these places of five as labeled."""
    return np.isin(np.arange(5), places)


def channels_on(encoded):
    """Channels with any heatmap weight above 0; the weights of the others are 0 throughout."""
    weights = np.asarray(encoded['heatmap_weights'])
    return np.flatnonzero(weights.any(axis=(1, 2))).tolist()


def person(number, image, *keypoints, **more):
    """An annotated person of (x, y, v) keypoints."""
    return dict(
        dict(
            id=number,
            image_id=image,
            category_id=1,
            iscrowd=0,
            area=900.0,
            bbox=[4, 4, 90, 110],
            num_keypoints=len(keypoints),
            keypoints=[value for keypoint in keypoints for value in keypoint],
        ),
        **more,
    )


def write(tmp_path, persons, names=None, sources=('a',), categories=None):
    """Write an annotation file with an image 128×128 for each source, numbered from 1."""
    images = [
        dict(id=number, file_name=f'{number}.jpg', width=128, height=128, source=source)
        for number, source in enumerate(sources, start=1)
    ]
    if categories is None:
        categories = [dict(dict(id=1, name='person'), **(dict(keypoints=names) if names else {}))]
    path = tmp_path / 'merged.json'
    path.write_text(json.dumps(dict(images=images, annotations=persons, categories=categories)))
    return str(path)


def load(path, **options):
    return LabeledCocoDataset(
        ann_file=path,
        metainfo=five_metainfo(),
        data_prefix=dict(img=str(Path(path).parent)),
        **options,
    )


def labeled_by_image(dataset):
    """Image id -> names of labeled keypoints."""
    found = [dataset.get_data_info(i) for i in range(len(dataset))]
    assert all(info['labeled_keypoints'].dtype == bool for info in found)
    return {
        info['img_id']: [FIVE[i] for i in np.flatnonzero(info['labeled_keypoints'])]
        for info in found
    }
