"""Training data by the release's rules: its own numbers, units, and whole pipelines.

Whole pipelines are compared with `naive_sample`: plain loops from a picture and its annotations
to what the network is to learn, in map pixels and double precision, without the package's code.
"""

import json
import math
import os
from pathlib import Path

from pinet_mm import (
    RandomInputFlip,
    ReleaseCrop,
    ReleaseHeatmapMask,
    ReleasePersons,
    ValidHeatmapMask,
)

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmpose.registry import DATASETS, TRANSFORMS
from PIL import Image
from pycocotools import mask as coco_mask
from scipy.stats import kstest

from tests.helpers.golden_arrays import folders
from tests.helpers.toys import COCO_PARTS, CROWDPOSE_PARTS, build_in_mmpose

ROOT = Path(__file__).parents[2]
SAMPLES = Path(os.environ.get('PINET_TEST_DATA', '')) / 'samples'
MAP, INPUT = 128, 512
SHAPE = (157, 203)  # of the made-up picture
COCO_FLIPS = [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]
CROWDPOSE_FLIPS = [1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 12, 13]
# Parts, mirror pairs, the least area of a person with part centers, whether regions are ignored.
KINDS = dict(
    coco=(list(COCO_PARTS.values()), COCO_FLIPS, 1024, True),
    crowdpose=(list(CROWDPOSE_PARTS.values()), CROWDPOSE_FLIPS, 0, False),
    ochuman=(list(COCO_PARTS.values()), COCO_FLIPS, 1024, False),
)


def block(top, left, bottom, right, shape=SHAPE):
    inside = np.zeros(shape, dtype=np.uint8, order='F')
    inside[top:bottom, left:right] = 1
    return inside


def polygon(top, left, bottom, right):
    left, top, right, bottom = (side - 0.5 for side in (left, top, right, bottom))
    return [[left, top, right, top, right, bottom, left, bottom]]


def run_lengths(inside):
    flat = inside.flatten(order='F')
    counts = np.diff([0, *np.flatnonzero(np.diff(flat)) + 1, len(flat)]).tolist()
    return dict(size=list(inside.shape), counts=[0] * int(flat[0]) + counts)


# --- the authors' own numbers --------------------------------------------------------------------


@pytest.fixture(scope='module')
def golden():
    with np.load(folders()['compact'] / 'geometry.npz') as arrays:
        return dict(arrays)


@pytest.mark.parametrize('case', range(12))
def test_the_crop_is_the_releases(golden, case, monkeypatch):
    x, y, scale, angle = golden['aug_cx_cy_scale_rot'][case]
    monkeypatch.setattr(
        ReleaseCrop, 'draw', lambda self, size: (np.array([x, y]), 200 * scale, angle)
    )
    results = ReleaseCrop((INPUT, INPUT))(
        dict(
            img=np.zeros((50, 60, 3), np.uint8),
            img_shape=(50, 60),
            keypoints=golden['aug_joints_in'][case],
            area=np.array([1.0, 30.1 * 20.3]),
        )
    )
    close = dict(rtol=1e-13, atol=3e-13)
    np.testing.assert_allclose(results['warp_mat'], golden['aug_matrix_input'][case], **close)
    np.testing.assert_allclose(results['warp_mat'] / 4, golden['aug_matrix_map'][case], **close)
    np.testing.assert_allclose(results['keypoints'] / 4, golden['aug_joints_map'][case], **close)
    np.testing.assert_array_equal(
        results['area'], np.array([1.0, 30.1 * 20.3]) * golden['aug_area_factor'][case]
    )
    assert results['keypoints'].dtype == results['area'].dtype == np.float64


@pytest.mark.parametrize('name', ['coco', 'crowdpose'])
def test_the_flip_is_the_releases(golden, name):
    joints, wanted, index = (golden[f'flip_{name}_{key}'] for key in ('in', 'out', 'index'))
    assert index.tolist() == KINDS[name][1]
    results = RandomInputFlip(prob=1.0, keypoint_stride=4)(
        dict(
            img=np.zeros((INPUT, INPUT, 3), np.uint8),
            img_shape=(INPUT, INPUT),
            input_size=(INPUT, INPUT),
            flip_indices=index.tolist(),
            keypoints=joints[..., :2] * 4,
            keypoints_visible=joints[..., 2],
        )
    )
    np.testing.assert_allclose(results['keypoints'] / 4, wanted[..., :2], rtol=0, atol=1e-12)
    np.testing.assert_array_equal(results['keypoints_visible'], wanted[..., 2])


# --- ReleasePersons ------------------------------------------------------------------------------


def loaded(*persons):
    """What MMPose loads for persons of two keypoints, here always in single precision."""
    labels = np.float32([person['keypoints'] for person in persons]).reshape(-1, 2, 3)
    return dict(
        raw_ann_info=list(persons),
        area=np.ones(len(persons), np.float32),
        keypoints=labels[..., :2],
        keypoints_visible=np.minimum(labels[..., 2], 1),
        invalid_segs=['what MMPose takes'],
    )


def person(keypoints=(20.1, 30.7, 2, 0, 0, 0), bbox=(-5, 3, 30.1, 20.3), **more):
    return dict(keypoints=list(keypoints), bbox=list(bbox), **more)


def test_persons_are_read_in_double_precision():
    results = ReleasePersons()(loaded(person(), person((1, 2, 1, 3.3, 4, 2), (0, 0, 7, 5))))
    assert results['area'].dtype == results['keypoints'].dtype == np.float64
    np.testing.assert_array_equal(results['area'], [30.1 * 20.3, 35])
    np.testing.assert_array_equal(
        results['keypoints'], [[[20.1, 30.7], [0, 0]], [[1, 2], [3.3, 4]]]
    )
    np.testing.assert_array_equal(results['keypoints_visible'], [[1, 0], [1, 1]])
    assert results['invalid_segs'] == []


@pytest.mark.parametrize(
    'crowd, count, is_someone, is_ignored',
    [(0, 1, True, False), (0, 0, True, True), (1, 1, True, True), (1, 0, False, True)],
)
def test_crowds_and_persons_without_labels(crowd, count, is_someone, is_ignored):
    odd = person(iscrowd=crowd, num_keypoints=count, segmentation=[[1, 2, 3, 4, 5, 6]])
    results = loaded(person(), odd, person())
    found = ReleasePersons()(dict(results))
    assert found['invalid_segs'] == [odd['segmentation']] * is_ignored
    np.testing.assert_array_equal(found['keypoints_visible'], [[1, 0], [is_someone, 0], [1, 0]])
    found = ReleasePersons(ignored_regions=False)(dict(results))
    assert found['invalid_segs'] == []


def test_labels_are_counted_where_their_number_is_missing():
    nobody = person([0] * 6, segmentation='region')
    assert ReleasePersons()(loaded(person(), nobody))['invalid_segs'] == ['region']


def test_nobody():
    results = ReleasePersons()(loaded())
    assert results['area'].shape == (0,) and results['keypoints'].shape == (0, 2, 2)


# --- ReleaseCrop ---------------------------------------------------------------------------------


@pytest.mark.parametrize('size', [(61, 40), (50, 75)])
def test_release_crops_move_by_whole_pixels(size):
    np.random.seed(0)
    draws = [ReleaseCrop((32, 32)).draw(size) for _ in range(1500)]
    middles, sides, angles = (np.array(values) for values in zip(*draws))
    for values, low, high in ((sides / min(size), 0.75, 1.5), (angles, -30, 30)):
        assert low <= values.min() and values.max() <= high
        assert kstest((values - low) / (high - low), 'uniform').pvalue > 1e-3
    shifts = middles - np.array(size) / 2
    np.testing.assert_array_equal(shifts, np.round(shifts))
    # As np.random.randint draws between ± 0.2 of the side: cut to whole numbers, without the end.
    reach = (0.2 * sides + 1e-9).astype(int)[:, None]
    assert (shifts >= -reach).all() and (shifts < reach).all()
    assert (shifts == -reach).any(axis=0).all() and (shifts == reach - 1).any(axis=0).all()


def test_release_crops_have_factors():
    np.random.seed(0)
    crop = ReleaseCrop((32, 32), scale_factor=(0.5, 0.5), shift_factor=0.1, rotate_factor=0.0)
    draws = [crop.draw((90, 60)) for _ in range(200)]
    assert {(side, angle) for _, side, angle in draws} == {(30, 0)}
    assert {tuple(middle) for middle, _, _ in draws} == {
        (x, y) for x in range(42, 48) for y in range(27, 33)
    }
    with pytest.raises(ValueError, match=r'must be square.*found \(64, 32\)'):
        ReleaseCrop((64, 32))


def test_release_crop_of_a_tiny_picture():
    # 0.2 of the crop's side is less than a pixel.
    middle, side, _ = ReleaseCrop((32, 32)).draw((3, 2))
    assert middle.tolist() == [1.5, 1] and side <= 3


def test_outside_of_the_picture_is_black():
    np.random.seed(3)
    results = ReleaseCrop((128, 128), scale_factor=(3.0, 3.0))(
        dict(img=np.full((60, 80, 3), 200, np.uint8), img_shape=(60, 80))
    )
    assert set(np.unique(results['img'])) >= {0, 200} and results['img'][0, 0].max() == 0


# --- ReleaseHeatmapMask --------------------------------------------------------------------------


@pytest.mark.parametrize('share, valid', [(15, False), (16, True)])
def test_half_a_pixel_is_valid_under_release(share, valid):
    # Input row 8 shows the picture `share` / 32 below row 8, of which only row 9 is valid: half of
    # 255 is rounded up, above one half.
    results = dict(
        heatmaps=np.zeros((8, 16, 16)),
        img_shape=(64, 64),
        input_size=(64, 64),
        warp_mat=np.array([[1, 0, 0], [0, 1, -share / 32]]),
        invalid_segs=[run_lengths(block(8, 0, 9, 64, (64, 64)))],
    )
    assert ReleaseHeatmapMask()(dict(results))['heatmap_mask'][0, 2, 5] == valid
    assert not ValidHeatmapMask()(dict(results))['heatmap_mask'][0, 2, 5]


def test_the_mask_is_mirrored_on_the_map():
    results = dict(
        heatmaps=np.zeros((8, 16, 16)),
        img_shape=(64, 64),
        input_size=(64, 64),
        warp_mat=np.eye(3)[:2],
        flip=True,
        flip_direction='horizontal',
        invalid_segs=[run_lengths(block(12, 20, 13, 21, (64, 64)))],
    )
    mask = ReleaseHeatmapMask()(results)['heatmap_mask']
    wanted = np.ones((1, 16, 16), dtype=bool)
    wanted[0, 3, 15 - 5] = False
    assert mask.dtype == bool and mask.flags.c_contiguous
    np.testing.assert_array_equal(mask, wanted)


# --- naive ---------------------------------------------------------------------------------------


def naive_draw(h, w):
    """Draw a crop: scale (side / 200), angle in radians, middle."""
    scale = min(h, w) / 200 * np.random.uniform(0.75, 1.5)
    angle = math.radians(np.random.uniform(-30, 30))
    return scale, angle, [side / 2 + np.random.randint(-40 * scale, 40 * scale) for side in (w, h)]


def naive_matrix(crop, size):
    """Scale and move the picture, then turn it about the middle of the output."""
    scale, angle, (x, y) = crop
    zoom = size / (200 * scale)
    fit = np.array(
        [
            [zoom, 0, size * (0.5 - x / (200 * scale))],
            [0, zoom, size * (0.5 - y / (200 * scale))],
            [0, 0, 1],
        ]
    )
    there = np.array([[1, 0, -size / 2], [0, 1, -size / 2], [0, 0, 1]])
    back = np.array([[1, 0, size / 2], [0, 1, size / 2], [0, 0, 1]])
    turn = np.array(
        [[math.cos(angle), math.sin(angle), 0], [-math.sin(angle), math.cos(angle), 0], [0, 0, 1]]
    )
    return (back @ turn @ there @ fit)[:2]


def naive_persons(annotations, crop, flips, flip):
    """Yield each person's joints [x, y, v] in map pixels and area in input pixels²."""
    matrix = naive_matrix(crop, MAP)
    for annotation in annotations:
        if annotation['iscrowd'] and not annotation['num_keypoints']:
            continue
        joints = []
        for k in range(len(flips)):
            x, y, v = annotation['keypoints'][3 * k : 3 * k + 3]
            joints.append([*matrix @ [x, y, 1], v])
        if flip:
            joints = [[MAP - 1 - joints[k][0], *joints[k][1:]] for k in flips]
        _, _, w, h = annotation['bbox']
        yield joints, w * h * (INPUT / (200 * crop[0])) ** 2


def naive_centers(joints, parts):
    """Average the labeled joints of each part: [x, y, v]."""
    for part in parts:
        used = [joints[k] for k in part if joints[k][2] > 0]
        yield (
            [sum(j[axis] for j in used) / len(used) for axis in (0, 1)] + [2] if used else [0, 0, 0]
        )


def is_drawn(point):
    return point[2] > 0 and 0 <= point[0] < MAP and 0 <= point[1] < MAP


def naive_draw_heat(heat, weight, point):
    x0, y0, _ = point
    for y in range(max(math.floor(y0 - 7), 0), min(math.ceil(y0 + 8), MAP)):
        for x in range(max(math.floor(x0 - 7), 0), min(math.ceil(x0 + 8), MAP)):
            heat[y, x] = max(heat[y, x], math.exp(-((x - x0) ** 2 + (y - y0) ** 2) / 8))
            weight[y, x] = 1


def naive_targets(persons, parts, min_area):
    """Draw heatmaps and loss weights (K + 3), offsets and weights (3, K, 2) of one picture."""
    k = len(persons[0][0])
    heat, heat_weights = np.zeros((k + 3, MAP, MAP)), np.full((k + 3, MAP, MAP), 0.1)
    offsets = np.zeros((3, k, 2, MAP, MAP), dtype=np.float32)
    weights = np.zeros(offsets.shape)
    memory = np.zeros((3, MAP, MAP), dtype=np.float32)
    for joints, area in persons:
        centers = list(naive_centers(joints, parts)) if area >= min_area else [[0, 0, 0]] * 3
        for channel, point in enumerate(joints + centers):
            if is_drawn(point):
                naive_draw_heat(heat[channel], heat_weights[channel], point)
        for part, (cx, cy, v) in enumerate(centers):
            cx, cy = int(cx), int(cy)
            if not v or not (0 <= cx < MAP and 0 <= cy < MAP):
                continue
            for y in range(max(cy - 2, 0), min(cy + 2, MAP)):
                for x in range(max(cx - 2, 0), min(cx + 2, MAP)):
                    for j, joint in enumerate(joints):
                        stored = offsets[part, j, :, y, x]
                        if not is_drawn(joint) or (
                            stored.any() and float(memory[part, y, x]) < area
                        ):
                            continue
                        stored[:] = x - joint[0], y - joint[1]
                        weights[part, j, :, y, x] = 1 / math.sqrt(area)
                        memory[part, y, x] = area
    return heat, heat_weights, *(maps.reshape(-1, MAP, MAP) for maps in (offsets, weights))


def naive_sample(picture, annotations, region_of, kind, seed, flip):
    """Make all that one training picture gives, as a dict of arrays."""
    parts, flips, min_area, ignores = KINDS[kind]
    np.random.seed(seed)
    crop = naive_draw(*picture.shape[:2])
    usable = np.ones(picture.shape[:2], dtype=bool)
    for annotation in annotations:
        if ignores and (annotation['iscrowd'] or not annotation['num_keypoints']):
            usable &= ~region_of(annotation)
    mask = cv2.warpAffine((usable * 255).astype(np.uint8), naive_matrix(crop, MAP), (MAP, MAP))
    mask = mask / 255 > 0.5
    inputs = cv2.warpAffine(picture, naive_matrix(crop, INPUT), (INPUT, INPUT))
    if flip:
        mask, inputs = mask[:, ::-1], inputs[:, ::-1]
    names = ('heatmaps', 'heatmap_weights', 'offsets', 'offset_weights')
    persons = list(naive_persons(annotations, crop, flips, flip))
    return dict(
        zip(names, naive_targets(persons, parts, min_area)),
        heatmap_mask=mask[None],
        inputs=inputs.transpose(2, 0, 1),
        persons=persons,
    )


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

    In this order: two persons of equal area on one another and a third of nearly theirs; a crowd
    whose stray labels do not count; a person without labels; a crowd that is labeled; a person
    too small for part centers; one whose box leaves the picture; one with a single label, at
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
    """A picture of smooth noise and, by kind, the folder of a dataset of its annotations."""
    root = tmp_path_factory.mktemp('world')
    rng = np.random.default_rng(1)
    picture = cv2.GaussianBlur(rng.integers(0, 256, (*SHAPE, 3)).astype(np.uint8), (0, 0), 1)
    cv2.imwrite(str(root / '1.png'), picture)
    for kind, (_, flips, _, _) in KINDS.items():
        content = dict(
            images=[dict(id=1, file_name='1.png', width=SHAPE[1], height=SHAPE[0])],
            annotations=made_up(len(flips)),
            categories=[dict(id=1, name='person')],
        )
        (root / f'{kind}.json').write_text(json.dumps(content))
    return root, picture


def sides_differ(wanted, persons, kind):
    """Tell whether areas in single precision would give other offsets."""
    parts, _, min_area, _ = KINDS[kind]
    rounded = [(joints, float(np.float32(area))) for joints, area in persons]
    return not np.allclose(naive_targets(rounded, parts, min_area)[2], wanted['offsets'])


@pytest.mark.parametrize('kind', KINDS)
def test_a_made_up_crowd(kind, world):
    root, picture = world
    annotations, precision_counts = made_up(len(KINDS[kind][1])), 0
    for seed in range(6):
        wanted = naive_sample(
            picture,
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


def test_of_equal_persons_the_rounding_of_their_area_decides(world):
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
def test_real_pictures(kind, tmp_path):
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
def test_pictures_are_not_turned_upright(kind, tmp_path):
    """The keypoints of such a picture, a quarter turn by its EXIF tag, are those of its pixels."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new('RGB', (48, 32)).save(tmp_path / 'turned.jpg', exif=exif)
    assert cv2.imread(str(tmp_path / 'turned.jpg')).shape == (48, 32, 3)
    config = Config.fromfile(str(ROOT / 'configs' / f'pinet_hrnet_{kind}_release.py'))
    for phase in ('train', 'val', 'test'):
        load = build_in_mmpose(TRANSFORMS, config[f'{phase}_dataloader'].dataset.pipeline[0])
        assert load(dict(img_path=str(tmp_path / 'turned.jpg')))['img_shape'] == (32, 48)
