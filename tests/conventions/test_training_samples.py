"""Training data by the release's rules: whole pipelines.

They are compared with `naive_sample`: plain loops from an image and its annotations to what the
network is to learn, in map pixels and double precision, without the package's code.
"""

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmpose.registry import DATASETS, TRANSFORMS
from PIL import Image
from pycocotools import mask as coco_mask

from tests.helpers.naive_samples import naive_draw, naive_matrix, naive_sample, naive_targets
from tests.helpers.regions import INPUT, KINDS, MAP, SHAPE, block, run_lengths
from tests.helpers.toys import build_in_mmpose

ROOT = Path(__file__).parents[2]
SAMPLES = Path(os.environ.get('PINET_TEST_DATA', '')) / 'samples'


def polygon(top, left, bottom, right):
    left, top, right, bottom = (side - 0.5 for side in (left, top, right, bottom))
    return [[left, top, right, top, right, bottom, left, bottom]]


# --- whole pipelines -----------------------------------------------------------------------------


def build(kind, flip, **options):
    """The training dataset of a config, always or never mirrored, with whole maps as targets."""
    config = Config.fromfile(str(ROOT / 'configs' / f'pinet_hrnet_{kind}_release.py'))
    dataset = config.train_dataloader.dataset
    dataset.update(options)
    for step in dataset.pipeline:
        if step.type == 'RandomInputFlip':
            step.prob = float(flip)
        if step.type == 'GenerateTarget':
            step.encoder.sparse_offsets = False
    return build_in_mmpose(DATASETS, dataset)


def found_sample(dataset, index, seed):
    np.random.seed(seed)
    item = dataset[index]
    fields = item['data_samples'].gt_fields
    return dict(
        {name: fields.get(name).numpy() for name in fields.keys()}, inputs=item['inputs'].numpy()
    )


def assert_equal_samples(found, wanted):
    np.testing.assert_array_equal(found['inputs'], wanted['inputs'])
    np.testing.assert_array_equal(found['heatmap_mask'], wanted['heatmap_mask'])
    for name in ('heatmaps', 'heatmap_weights', 'offsets', 'offset_weights'):
        assert found[name].dtype == np.float32
        np.testing.assert_allclose(found[name], wanted[name], rtol=1e-6, atol=1e-6, err_msg=name)


def made_up(k):
    """Nine annotations and the rectangles that their segmentations cover.

    In this order: two people of equal area on one another and a third of nearly theirs; a crowd
    whose stray labels do not count; a person without labels; a crowd that is labeled; a person
    too small for part centers; one whose box leaves the image; one with a single label, at
    (0, 0), whose region MMPose would ignore.
    """
    rng = np.random.default_rng(5)
    boxes = [[60.3, 30.2, 61.7, 90.1]] * 2 + [
        [60.3, 30.2, 61.8, 90.1],
        [10, 10, 60, 30],
        [120, 90, 50, 50],
        [20, 80, 60, 60],
        [150, 40, 6, 5],
        [-20.5, 90.5, 90.25, 80.5],
        [100, 5, 40.1, 30.7],
    ]
    counts, crowds = (k, k, k - 2, 0, 0, 7, k, k - 4, 1), (3, 5)
    middle = np.array([90.0, 75.0])
    persons = []
    for n, (box, count) in enumerate(zip(boxes, counts)):
        points = np.array(box[:2]) + rng.uniform(0.1, 0.9, (k, 2)) * box[2:]
        if n < 3:  # all parts about one point
            points = middle + rng.uniform(-6, 6, (k, 2)).round(2)
        visible = rng.permutation(np.arange(k) < count) * rng.integers(1, 3, k)
        if n == 3:
            visible[:4] = 2
        if n == 8:
            points *= 0
        left, top = max(int(box[0]), 0), max(int(box[1]), 0)
        rectangle = (top, left, min(top + int(box[3]), SHAPE[0]), left + int(box[2]))
        segmentation = run_lengths(block(*rectangle)) if n in crowds else polygon(*rectangle)
        keypoints = np.concatenate((points * (visible > 0)[:, None], visible[:, None]), axis=1)
        persons.append(
            dict(
                id=100 - n,
                image_id=1,
                category_id=1,
                iscrowd=int(n in crowds),
                area=1e3 + n,
                bbox=box,
                num_keypoints=count,
                segmentation=segmentation,
                rectangle=rectangle,
                keypoints=keypoints.flatten().tolist(),
            )
        )
    return persons


@pytest.fixture(scope='module')
def world(tmp_path_factory):
    """An image of smooth noise and, by kind, the folder of a dataset of its annotations."""
    root = tmp_path_factory.mktemp('world')
    rng = np.random.default_rng(1)
    image = cv2.GaussianBlur(rng.integers(0, 256, (*SHAPE, 3)).astype(np.uint8), (0, 0), 1)
    cv2.imwrite(str(root / '1.png'), image)
    for kind, (_, flips, _, _) in KINDS.items():
        content = dict(
            images=[dict(id=1, file_name='1.png', width=SHAPE[1], height=SHAPE[0])],
            annotations=made_up(len(flips)),
            categories=[dict(id=1, name='person')],
        )
        (root / f'{kind}.json').write_text(json.dumps(content))
    return root, image


def sides_differ(wanted, persons, kind):
    """Return whether areas in single precision would give other offsets."""
    parts, _, min_area, _ = KINDS[kind]
    rounded = [(joints, float(np.float32(area))) for joints, area in persons]
    return not np.allclose(naive_targets(rounded, parts, min_area)[2], wanted['offsets'])


@pytest.mark.parametrize('kind', KINDS)
def test_a_made_up_crowd(kind, world):
    root, image = world
    annotations, precision_counts = made_up(len(KINDS[kind][1])), 0
    for seed in range(6):
        wanted = naive_sample(
            image,
            annotations,
            lambda a: block(*a['rectangle']) > 0,
            kind,
            seed,
            flip=seed % 2 == 1,
        )
        dataset = build(
            kind,
            seed % 2 == 1,
            data_root=str(root),
            ann_file=f'{kind}.json',
            data_prefix=dict(img=''),
        )
        assert_equal_samples(found_sample(dataset, 0, seed), wanted)
        precision_counts += sides_differ(wanted, wanted['persons'], kind)
    assert precision_counts >= 1


def test_of_equal_people_the_rounding_of_their_area_decides(world):
    # The square of pixels around their common neck: all of it is the earlier person's where the
    # area, rounded to single precision, becomes smaller, else the later one's.
    root, _ = world
    persons = made_up(14)[:2]
    for person, x in zip(persons, (95.25, 130.5)):
        points = np.full((14, 3), 2.0)
        points[:, :2] = 90, 75
        points[4] = x, 60, 2
        person.update(num_keypoints=14, keypoints=points.flatten().tolist())
    content = json.loads((root / 'crowdpose.json').read_text())
    (root / 'equal.json').write_text(json.dumps(dict(content, annotations=persons)))
    dataset = build(
        'crowdpose', False, data_root=str(root), ann_file='equal.json', data_prefix=dict(img='')
    )
    owners = []
    for seed in range(8):
        found = found_sample(dataset, 0, seed)
        np.random.seed(seed)
        crop = naive_draw(*SHAPE)
        area = 61.7 * 90.1 * (INPUT / (200 * crop[0])) ** 2
        owners.append(0 if float(np.float32(area)) < area else 1)
        (x, _), (wrist, _) = (
            naive_matrix(crop, MAP) @ [*point, 1]
            for point in ((90, 75), (persons[owners[-1]]['keypoints'][12], 60))
        )
        row = found['offsets'][2 * 4][found['offset_weights'][2 * 4] > 0]
        np.testing.assert_allclose(row, np.tile(np.arange(4) - 2 + int(x) - wrist, 4), atol=1e-5)
    assert {0, 1} == set(owners)


@pytest.mark.skipif(not SAMPLES.is_dir(), reason='PINET_TEST_DATA names no folder with samples/')
@pytest.mark.parametrize('kind', KINDS)
def test_real_images(kind, tmp_path):
    file = SAMPLES / kind / f'test_{kind}.json'
    content = json.loads(file.read_text())
    names = {image['id']: str(SAMPLES / kind / image['file_name']) for image in content['images']}

    def region_of(annotation):
        shape = cv2.imread(names[annotation['image_id']]).shape[:2]
        rles = coco_mask.frPyObjects(annotation['segmentation'], *shape)
        return coco_mask.decode(coco_mask.merge(rles)) > 0

    for flip in (False, True):
        dataset = build(
            kind, flip, data_root='', ann_file=str(file), data_prefix=dict(img=str(SAMPLES / kind))
        )
        assert len(dataset) == len(names)
        for index in range(len(dataset)):
            image = dataset.get_data_info(index)['img_id']
            annotations = [a for a in content['annotations'] if a['image_id'] == image]
            wanted = naive_sample(
                cv2.imread(names[image]), annotations, region_of, kind, index, flip
            )
            assert_equal_samples(found_sample(dataset, index, index), wanted)


@pytest.mark.parametrize('kind', KINDS)
def test_images_are_not_turned_upright(kind, tmp_path):
    """The keypoints of such an image, a quarter turn by its EXIF tag, are those of its pixels."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new('RGB', (48, 32)).save(tmp_path / 'turned.jpg', exif=exif)
    assert cv2.imread(str(tmp_path / 'turned.jpg')).shape == (48, 32, 3)
    config = Config.fromfile(str(ROOT / 'configs' / f'pinet_hrnet_{kind}_release.py'))
    for phase in ('train', 'val', 'test'):
        load = build_in_mmpose(TRANSFORMS, config[f'{phase}_dataloader'].dataset.pipeline[0])
        assert load(dict(img_path=str(tmp_path / 'turned.jpg')))['img_shape'] == (32, 48)
