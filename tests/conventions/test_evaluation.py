"""Release configs from an image's file to the results of `tools/test.py`, against plain loops.

The network is narrow and its branches are set so that parts agree about people: groups of several
poses, scores that differ, keypoints beyond the border.
"""

import itertools
import json
import os
import struct
import sys
from pathlib import Path

from pinet_mm.conventions.transforms import WholeCentreResize

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmpose.registry import MODELS

from tests.helpers import golden_arrays, naive_release
from tests.helpers.tools import load_tool
from tests.helpers.toys import build_in_mmpose, hrnet_config

ROOT = Path(__file__).parents[2]
SAMPLES = Path(os.environ.get('PINET_TEST_DATA', '')) / 'samples'
DATASETS = ('coco', 'crowdpose', 'ochuman')
WIDTH = 4
# (h, w); 83×125 exceeds three multiples of 64 by less than a pixel, 700×50 wants larger peaks.
SIZES = [(83, 125), (151, 97), (129, 129), (64, 101), (700, 50)]
COCO_SIGMAS = np.array([26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89]) / 1e3
CROWDPOSE_SIGMAS = np.array([79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89, 79, 79]) / 1e3
SIGMAS = dict(coco=COCO_SIGMAS, crowdpose=CROWDPOSE_SIGMAS, ochuman=COCO_SIGMAS)
FLIPS = dict(
    coco=[0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15],
    crowdpose=[1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 12, 13],
)
FLIPS['ochuman'] = FLIPS['coco']
numbers = itertools.count()


def draw_image(h, w, seed):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (h // 12 + 2, w // 12 + 2, 3), dtype=np.uint8)
    return cv2.resize(coarse, (w, h), interpolation=cv2.INTER_CUBIC)


def write_rotated(path, image, orientation=6):
    """Write a JPEG whose EXIF asks viewers to turn it; 6 is a quarter turn to the right."""
    _, data = cv2.imencode('.jpg', image)
    data = data.tobytes()
    # Big-endian TIFF: one directory of one entry, tag 0x112, one short.
    tiff = b'MM\0*' + struct.pack('>IHHHIHHI', 8, 1, 0x112, 3, 1, orientation, 0, 0)
    block = b'Exif\0\0' + tiff
    path.write_bytes(data[:2] + b'\xff\xe1' + struct.pack('>H', len(block) + 2) + block + data[2:])


def write_data(folder, dataset, sizes):
    """Images of (h, w), a turned one, and annotations of which only the form matters."""
    k, images, annotations = len(SIGMAS[dataset]), [], []
    for i, (h, w) in enumerate((*sizes, (96, 131))):
        name = f'{i}.{"png" if i % 2 else "jpg"}'
        if i == len(sizes):
            name = 'turned.jpg'
            write_rotated(folder / name, draw_image(h, w, i))
        else:
            cv2.imwrite(str(folder / name), draw_image(h, w, i))
        images.append(dict(id=1000 + 7 * i, file_name=name, width=w, height=h, crowdIndex=0.2 * i))
        annotations.append(
            dict(
                id=i + 1,
                image_id=1000 + 7 * i,
                category_id=1,
                iscrowd=0,
                area=900.0,
                num_keypoints=k,
                bbox=[9, 9, 30, 30],
                keypoints=[20, 20, 2] * k,
            )
        )
    # The last image has no annotation.
    content = dict(
        images=images, annotations=annotations[:-1], categories=[dict(id=1, name='person')]
    )
    (folder / 'test.json').write_text(json.dumps(content))
    return folder / 'test.json'


def write_config(folder, dataset, annotations, input_size):
    """A leaf that puts a narrow network and other data under the dataset's release config."""
    path = folder / f'narrow_{next(numbers)}.py'
    path.write_text(f"""
_base_ = [{str(ROOT / f'configs/pinet_hrnet_{dataset}_release.py')!r}]
model = dict(backbone=dict(_delete_=True, **{hrnet_config(WIDTH)}),
             head=dict(in_channels={15 * WIDTH}))
test_dataloader = dict(batch_size=3, num_workers=0, persistent_workers=False, dataset=dict(
    data_root={str(annotations.parent)!r}, ann_file={annotations.name!r}, data_prefix=dict(img='')))
test_evaluator = dict(ann_file={str(annotations)!r})
visualizer = dict(vis_backends=[dict(type='LocalVisBackend')])
""")
    options = [f'test_dataloader.dataset.pipeline.1.input_size={input_size},{input_size}']
    cfg = Config.fromfile(str(path))
    assert cfg.test_dataloader.dataset.pipeline[1].input_size == (512, 512)
    return path, cfg, options


@torch.no_grad()
def set_branches(model, image):
    """Draw weights under which the parts propose nearly the same people, 40 map pixels large."""
    torch.manual_seed(3)
    (features,) = model.extract_feat(image)
    head, k = model.head, model.head.layout.num_keypoints

    def spread(branch, weight, deviation, mean):
        branch.weight.copy_(weight.view_as(branch.weight))
        branch.bias.zero_()
        maps = branch(features)
        scale = deviation / maps.std(dim=(0, 2, 3))
        branch.weight *= scale[:, None, None, None]
        branch.bias.copy_(mean - scale * maps.mean(dim=(0, 2, 3)))

    c = features.shape[1]
    spread(head.score_branch, torch.randn(k, c), 0.3, 0.5)
    spread(head.part_branch, torch.randn(1, c) + 0.25 * torch.randn(3, c), 0.4, 0.4)
    body = (torch.rand(2 * k) - 0.5) * 40
    spread(
        head.offset_branch,
        torch.randn(1, 2 * k, c) + 0.1 * torch.randn(3, 2 * k, c),
        1.5,
        body.repeat(3),
    )
    for module in head.refinement.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    torch.nn.init.normal_(head.refinement.predictor[-1].weight, std=0.1)


def make_checkpoint(folder, cfg, image):
    """Save a narrow network with such branches, and return it."""
    torch.manual_seed(0)
    model = build_in_mmpose(MODELS, cfg.model).eval()
    set_branches(model, image)
    torch.save(dict(state_dict=model.state_dict(), meta=dict()), folder / 'narrow.pth')
    return model


def run_tool(monkeypatch, *words):
    monkeypatch.setattr(sys, 'argv', ['test.py', *map(str, words)])
    monkeypatch.setenv('LOCAL_RANK', '0')
    # MMEngine formats the config three times, at a second each.
    monkeypatch.setattr(Config, 'pretty_text', property(lambda cfg: cfg.text))
    load_tool('test').main()


def compare(found, kept, scores):
    """Match the poses of score > 0.05 of one image: the same ones, to 1e-2 pixels."""
    found = [entry for entry in found if entry['score'] > 0.05]
    wanted = [pose for pose, score in zip(kept, scores) if score > 0.05]
    assert len(found) == len(wanted) > 5
    left = [np.reshape(entry['keypoints'], (-1, 3)) for entry in found]
    for pose in wanted:
        nearest = min(range(len(left)), key=lambda i: np.abs(left[i] - pose).max())
        match = left.pop(nearest)
        np.testing.assert_allclose(match[:, :2], pose[:, :2], atol=1e-2)
        # The maps are steep, up to 0.1 a pixel of the image, and coordinates single precision.
        np.testing.assert_allclose(match[:, 2], pose[:, 2], atol=1e-4)
    np.testing.assert_allclose(
        sorted(entry['score'] for entry in found),
        sorted(score for score in scores if score > 0.05),
        atol=1e-4,
    )


def check_against_loops(monkeypatch, folder, dataset, annotations, input_size):
    path, cfg, options = write_config(folder, dataset, annotations, input_size)
    content = json.loads(annotations.read_text())
    files = {image['id']: annotations.parent / image['file_name'] for image in content['images']}
    first = cv2.imread(str(next(iter(files.values()))))
    size, center, width = naive_release.resized_size(*first.shape[:2], input_size)
    image = naive_release.normalize(
        cv2.warpAffine(first, naive_release.affine(center, width, size), size)
    )
    model = make_checkpoint(folder, cfg, torch.from_numpy(image))
    target = folder / 'new' / 'poses.json'
    run_tool(
        monkeypatch,
        path,
        folder / 'narrow.pth',
        '--json',
        target,
        '--work-dir',
        folder,
        '--cfg-options',
        *options,
    )
    entries = json.loads(target.read_text())
    assert {entry['image_id'] for entry in entries} == set(files)
    merged = 0
    for image_id, file in files.items():
        kept, scores, proposed = naive_release.poses_of_image(
            model, file, input_size, FLIPS[dataset], SIGMAS[dataset]
        )
        compare([entry for entry in entries if entry['image_id'] == image_id], kept, scores)
        merged += proposed - len(kept)
    assert merged > 5 * len(files), 'hardly any groups: fusion was not tested'
    return entries


@pytest.mark.parametrize('dataset', DATASETS)
def test_results_are_those_of_the_loops(tmp_path, monkeypatch, dataset):
    annotations = write_data(tmp_path, dataset, SIZES)
    turned = str(tmp_path / 'turned.jpg')
    assert cv2.imread(turned).shape == (131, 96, 3), 'OpenCV must see the orientation'
    entries = check_against_loops(monkeypatch, tmp_path, dataset, annotations, 128)
    for entry in entries:
        assert set(entry) == {'image_id', 'category_id', 'keypoints', 'score'}
        assert type(entry['image_id']) is int and entry['category_id'] == 1
        assert len(entry['keypoints']) == 3 * len(SIGMAS[dataset])
        assert entry['score'] == pytest.approx(np.mean(entry['keypoints'][2::3]), abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize('dataset', DATASETS)
def test_results_on_real_images(tmp_path, monkeypatch, dataset):
    annotations = SAMPLES / dataset / f'test_{dataset}.json'
    if not annotations.is_file():
        pytest.skip('PINET_TEST_DATA does not name the sample images')
    check_against_loops(monkeypatch, tmp_path, dataset, annotations, 512)


@pytest.mark.parametrize('dataset', DATASETS)
def test_settings_of_the_configs(dataset):
    cfg = Config.fromfile(str(ROOT / f'configs/pinet_hrnet_{dataset}_release.py'))
    assert dict(cfg.model.test_cfg) == dict(
        flip_test=True, part_thr=0.01, max_per_part=30, oks_thr=0.7, use_fusion=True
    )
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        assert loader.dataset.pipeline[0] == dict(
            type='LoadImage', color_type='color_ignore_orientation'
        )
    paper = Config.fromfile(str(ROOT / f'configs/pinet_hrnet_{dataset}.py'))
    assert paper.test_dataloader.dataset.pipeline[0] == dict(type='LoadImage')


@pytest.mark.parametrize(
    'h, w, size, found',
    [
        (333, 500, 512, (768, 512)),  # 768.8 of 512 / 333 · 500
        (500, 333, 512, (512, 768)),
        (329, 500, 512, (832, 512)),  # 778.1
        (315, 105, 512, (512, 1536)),  # exactly 1536, which 512 / 105 · 315 misses by a rounding
        (480, 640, 500, (704, 512)),
        (50, 50, 64, (64, 64)),
    ],
)
def test_input_sizes(h, w, size, found):
    results = WholeCentreResize((size, size)).transform(
        dict(img=np.zeros((h, w, 3), np.uint8), img_shape=(h, w))
    )
    assert results['input_size'] == found
    assert results['img'].shape == (*found[::-1], 3) == (*results['img_shape'], 3)
    # One ratio for both axes: of the short side to the input's.
    ratio = np.array(results['input_scale']) / found
    np.testing.assert_allclose(ratio, min(h, w) / min(found), rtol=1e-12)


def test_the_matrix_is_that_of_the_release(monkeypatch):
    used = []
    monkeypatch.setattr(cv2, 'warpAffine', lambda img, matrix, *args, **kwargs: used.append(matrix))
    with np.load(golden_arrays.COMPACT / 'geometry.npz') as arrays:
        for (h, w, size), matrix in zip(arrays['resize_hw_size'], arrays['resize_matrix']):
            WholeCentreResize((size, size)).transform(
                dict(img=np.zeros((h, w, 3), np.uint8), img_shape=(h, w))
            )
            np.testing.assert_array_equal(used.pop(), matrix)


def test_an_input_that_is_not_square_is_refused():
    with pytest.raises(ValueError, match=r'input_size must be square.*found \(512, 384\)'):
        WholeCentreResize((512, 384))
