"""Training samples of the release in plain loops: from an image and its annotations to map targets.

Map pixels and double precision, without the package's code.
"""

import math

import cv2
import numpy as np

from tests.helpers.regions import INPUT, KINDS, MAP

# --- naive ---------------------------------------------------------------------------------------


def naive_draw(h, w):
    """Draw a crop: scale (side / 200), angle in radians, middle."""
    scale = min(h, w) / 200 * np.random.uniform(0.75, 1.5)
    angle = math.radians(np.random.uniform(-30, 30))
    return scale, angle, [side / 2 + np.random.randint(-40 * scale, 40 * scale) for side in (w, h)]


def naive_matrix(crop, size):
    """Scale and move the image, then turn it about the middle of the output."""
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
    """Draw heatmaps and loss weights (K + 3), offsets and weights (3, K, 2) of one image."""
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


def naive_sample(image, annotations, region_of, kind, seed, flip):
    """Make all that one training image gives, as a dict of arrays."""
    parts, flips, min_area, ignores = KINDS[kind]
    np.random.seed(seed)
    crop = naive_draw(*image.shape[:2])
    usable = np.ones(image.shape[:2], dtype=bool)
    for annotation in annotations:
        if ignores and (annotation['iscrowd'] or not annotation['num_keypoints']):
            usable &= ~region_of(annotation)
    mask = cv2.warpAffine((usable * 255).astype(np.uint8), naive_matrix(crop, MAP), (MAP, MAP))
    mask = mask / 255 > 0.5
    inputs = cv2.warpAffine(image, naive_matrix(crop, INPUT), (INPUT, INPUT))
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
