"""Drawn mice of five keypoints, in the files that CVAT exports as `COCO Keypoints 1.0`."""

import json
import re
import shutil
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).parents[2]
NAMES = ('nose', 'left_ear', 'right_ear', 'neck', 'tail')
SIZE = 160


def write_export(folder, split, count, seed=0):
    """Write `images/SPLIT/*.jpg` and `annotations/person_keypoints_SPLIT.json`."""
    rng = np.random.default_rng([seed, len(split)])
    images, annotations = [], []
    (folder / 'images' / split).mkdir(parents=True, exist_ok=True)
    (folder / 'annotations').mkdir(exist_ok=True)
    for number in range(1, count + 1):
        image = np.full((SIZE, SIZE, 3), rng.integers(90, 200, 3), np.uint8)
        name = f'{split}_{number:03d}.jpg'
        for place in rng.permutation([[45, 45], [115, 45], [45, 115], [115, 115]])[
            : rng.integers(1, 4)
        ]:
            keypoints = draw_mouse(image, rng, place)
            annotations.append(_annotation(len(annotations) + 1, number, keypoints))
        cv2.imwrite(str(folder / 'images' / split / name), image)
        images.append(_image(number, name))
    path = folder / 'annotations' / f'person_keypoints_{split}.json'
    path.write_text(json.dumps(_document(images, annotations)))


def draw_mouse(image, rng, place):
    """Draw a mouse that looks anywhere; return its (5, 2) keypoints."""
    angle = rng.uniform(0, 2 * np.pi)
    forward = np.array([np.cos(angle), np.sin(angle)])
    left = np.array([forward[1], -forward[0]])
    length = rng.uniform(22, 30)
    fur = rng.integers(20, 80, 3).tolist()
    neck, tail = place + 0.4 * length * forward, place - length * forward
    nose, ears = place + length * forward, place + 0.6 * length * forward
    points = [nose, ears + 0.35 * length * left, ears - 0.35 * length * left, neck, tail]
    cells = [tuple(map(int, point.round())) for point in points]
    cv2.line(image, tuple(map(int, place)), cells[4], (150, 150, 220), 3)
    axes = (int(0.7 * length), int(0.4 * length))
    cv2.ellipse(image, tuple(map(int, place)), axes, np.degrees(angle), 0, 360, fur, -1)
    cv2.line(image, cells[3], cells[0], fur, int(0.4 * length))
    cv2.circle(image, cells[1], int(0.2 * length), (60, 60, 200), -1)
    cv2.circle(image, cells[2], int(0.2 * length), (200, 60, 60), -1)
    cv2.circle(image, cells[0], 3, (180, 150, 250), -1)
    return np.array(points)


def _image(number, name):
    return dict(
        id=number,
        width=SIZE,
        height=SIZE,
        file_name=name,
        license=0,
        flickr_url='',
        coco_url='',
        date_captured=0,
    )


def _annotation(number, image, keypoints):
    low, high = keypoints.min(0) - 4, keypoints.max(0) + 4
    flags = np.full((5, 1), 2.0)
    return dict(
        id=number,
        image_id=image,
        category_id=1,
        segmentation=[],
        area=float((high - low).prod()),
        bbox=[*low.tolist(), *(high - low).tolist()],
        iscrowd=0,
        attributes=dict(occluded=False, rotation=0.0, track_id=number, keyframe=True),
        keypoints=np.hstack([keypoints.round(2), flags]).ravel().tolist(),
        num_keypoints=5,
    )


def _document(images, annotations):
    category = dict(
        id=1,
        name='mouse',
        supercategory='',
        keypoints=list(NAMES),
        skeleton=[[1, 2], [1, 3], [1, 4], [4, 5]],
    )
    info = dict(contributor='', date_created='', description='', url='', version='', year='')
    return dict(
        licenses=[dict(name='', id=0, url='')],
        info=info,
        categories=[category],
        images=images,
        annotations=annotations,
    )


def follow_page(folder, train, val):
    """Do what docs/custom_dataset.md says before its commands: export, metainfo, config."""
    shutil.copytree(ROOT / 'configs', folder / 'configs')
    data = folder / 'data' / 'mouse'
    data.mkdir(parents=True)
    write_export(data, 'train', train)
    write_export(data, 'val', val)
    page = (ROOT / 'docs' / 'custom_dataset.md').read_text()
    for name, code in re.findall(r'```python\n# (\S+\.py)\n(.*?)```', page, flags=re.S):
        (folder / name).write_text(code)
    return page
