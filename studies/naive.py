"""PINet's formulas as plain loops over people, keypoints and pixels, slow and easy to check.

Tests compare the package with these functions; the benchmark measures how much faster it is.
Coordinates are (x, y), sizes (w, h), arrays (H, W). Nothing here imports the package.
"""

import math
from typing import NamedTuple

import numpy as np

# --- training targets ----------------------------------------------------------------------------


class Rules(NamedTuple):
    """Rules of encoding; `sigma` of Gaussians and `radius` around part centers are map pixels.

    `background` is the weight outside of the Gaussians; smaller people than `min_area`, in input
    pixels², have no parts.
    """

    sigma: float = 2.0
    radius: float = 2.0
    background: float = 0.1
    min_area: float = 0.0


PAPER = Rules()


def encode(keypoints_in, visible, areas_in, parts, map_size, stride, rules=PAPER):
    """Encode people (N, K, 2) of one image; `parts` are M lists of keypoint indices."""
    (w, h), num_keypoints, num_parts = map_size, keypoints_in.shape[1], len(parts)
    maps = dict(
        heatmaps=np.zeros((num_keypoints + num_parts, h, w)),
        heatmap_weights=np.full((num_keypoints + num_parts, h, w), rules.background),
        offsets=np.zeros((num_parts, num_keypoints, 2, h, w)),
        offset_weights=np.zeros((num_parts, num_keypoints, 2, h, w)),
        areas=np.zeros((num_parts, h, w)),
    )
    for points_in, labels, area in zip(keypoints_in, visible, areas_in):
        area = max(float(area), 1.0)
        points = [(float(x) / stride, float(y) / stride) for x, y in points_in]
        has_target = [
            labels[k] > 0 and is_inside(points[k], map_size) for k in range(num_keypoints)
        ]
        for k in range(num_keypoints):
            if has_target[k]:
                draw(maps, k, points[k], rules.sigma)
        for m, part in enumerate(parts):
            center = part_center(points, labels, part)
            if center is None or not is_inside(center, map_size) or area < rules.min_area:
                continue
            draw(maps, num_keypoints + m, center, rules.sigma)
            claim(maps, m, center, points, has_target, area, rules.radius)
    for name in ('offsets', 'offset_weights'):
        maps[name] = maps[name].reshape(-1, h, w)
    return maps


def is_inside(point, map_size):
    """Return whether a point lies in [0, W) × [0, H)."""
    return 0 <= point[0] < map_size[0] and 0 <= point[1] < map_size[1]


def part_center(points, labels, part):
    """Average the labeled keypoints of a part; None if there are none."""
    used = [points[k] for k in part if labels[k] > 0]
    if not used:
        return None
    return sum(x for x, _ in used) / len(used), sum(y for _, y in used) / len(used)


def draw(maps, channel, point, sigma):
    """Draw one Gaussian in its window and set the loss weight there to 1."""
    heatmap, weight = maps['heatmaps'][channel], maps['heatmap_weights'][channel]
    h, w = heatmap.shape
    x, y = point
    for j in range(math.floor(y - 3 * sigma - 1), math.ceil(y + 3 * sigma + 2)):
        for i in range(math.floor(x - 3 * sigma - 1), math.ceil(x + 3 * sigma + 2)):
            if 0 <= i < w and 0 <= j < h:
                value = math.exp(-((i - x) ** 2 + (j - y) ** 2) / sigma**2)
                heatmap[j, i] = max(heatmap[j, i], value)
                weight[j, i] = 1


def claim(maps, m, center, points, has_target, area, radius):
    """Let a person take the free pixels around its center, and those of larger people."""
    h, w = maps['areas'].shape[1:]
    x, y = center
    reach = math.ceil(math.sqrt(radius))
    for j in range(max(math.floor(y) - reach, 0), min(math.ceil(y) + reach + 1, h)):
        for i in range(max(math.floor(x) - reach, 0), min(math.ceil(x) + reach + 1, w)):
            owner_area = maps['areas'][m, j, i]
            if (i - x) ** 2 + (j - y) ** 2 > radius or 0 < owner_area <= area:
                continue
            maps['areas'][m, j, i] = area
            for k, (px, py) in enumerate(points):
                target = (i - px, j - py) if has_target[k] else (0, 0)
                maps['offsets'][m, k, :, j, i] = target
                maps['offset_weights'][m, k, :, j, i] = has_target[k] / math.sqrt(area)


# --- proposals -----------------------------------------------------------------------------------


def sample_peaks(part_map, kernel, max_peaks, threshold):
    """List the best local maxima (x, y, score) of one map (H, W), the best first."""
    h, w = part_map.shape
    reach = kernel // 2
    peaks = []
    for y in range(h):
        for x in range(w):
            score = part_map[y, x]
            if score <= threshold:
                continue
            rows = range(max(y - reach, 0), min(y + reach + 1, h))
            columns = range(max(x - reach, 0), min(x + reach + 1, w))
            if all(part_map[j, i] <= score for j in rows for i in columns):
                peaks.append((x, y, float(score)))
    return sorted(peaks, key=lambda peak: -peak[2])[:max_peaks]


def sample_targets(part_heatmap, area_map, max_pixels):
    """List the pixels (x, y, P*) with a non-zero area and the largest P*, the best first."""
    pixels = [
        (x, y, float(part_heatmap[y, x]))
        for y in range(part_heatmap.shape[0])
        for x in range(part_heatmap.shape[1])
        if area_map[y, x] != 0
    ]
    return sorted(pixels, key=lambda pixel: -pixel[2])[:max_pixels]


def bilinear(image, x, y):
    """Read an array (H, W) between its pixels; what lies outside counts as 0."""
    h, w = image.shape
    left, top = math.floor(x), math.floor(y)
    value = 0.0
    for j in (top, top + 1):
        for i in (left, left + 1):
            if 0 <= i < w and 0 <= j < h:
                value += float(image[j, i]) * (1 - abs(x - i)) * (1 - abs(y - j))
    return value


def score(score_maps, pose, pose_score):
    """Score the keypoints of a pose: r · H_k[P_k], 0 outside [0, W-1] × [0, H-1]."""
    h, w = score_maps.shape[1:]
    scores = []
    for score_map, (x, y) in zip(score_maps, pose):
        inside = 0 <= x <= w - 1 and 0 <= y <= h - 1
        scores.append(pose_score * bilinear(score_map, x, y) if inside else 0.0)
    return scores


# --- fusion --------------------------------------------------------------------------------------


def box_area(pose):
    """Compute the area of the bounding box of all keypoints of a pose."""
    xs, ys = [x for x, _ in pose], [y for _, y in pose]
    return (max(xs) - min(xs)) * (max(ys) - min(ys))


def oks(pose, other, sigmas):
    """Compute COCO's object keypoint similarity, with the mean of two box areas."""
    area = (box_area(pose) + box_area(other)) / 2
    total = 0.0
    for (x, y), (other_x, other_y), sigma in zip(pose, other, sigmas):
        squared = (x - other_x) ** 2 + (y - other_y) ** 2
        if squared == 0:
            total += 1
        elif area > 0:
            total += math.exp(-squared / (2 * area * (2 * sigma) ** 2))
    return total / len(pose)


def fuse(poses, keypoint_scores, sigmas, pose_scores, valid=None, threshold=0.7, merge=True):
    """Run Algorithm 1 line by line; `merge=False` keeps the best pose of a group: OKS-NMS.

    If `merge` holds a weight of each keypoint, a group's keypoints are averaged with these.

    Returns:
        For each person: keypoints, keypoint scores, their mean, source pose of each keypoint.
    """
    valid = [True] * len(poses) if valid is None else valid
    order = sorted((j for j in range(len(poses)) if valid[j]), key=lambda j: -pose_scores[j])
    used, persons = set(), []
    for j in order:
        if j in used:
            continue
        group = [j] + [
            i
            for i in order
            if i != j and i not in used and oks(poses[j], poses[i], sigmas) > threshold
        ]
        used.update(group)
        sources = [
            j if merge is False else max(group, key=lambda i: keypoint_scores[i][k])
            for k in range(len(poses[j]))
        ]
        scores = [keypoint_scores[i][k] for k, i in enumerate(sources)]
        keypoints = [poses[i][k] for k, i in enumerate(sources)]
        if not isinstance(merge, bool):
            for k in range(len(keypoints)):
                total = sum(merge[i][k] for i in group)
                if total > 0:
                    keypoints[k] = [
                        sum(merge[i][k] * poses[i][k][axis] for i in group) / total
                        for axis in range(2)
                    ]
        persons.append((keypoints, scores, sum(scores) / len(scores), sources))
    return persons
