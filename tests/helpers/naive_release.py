"""The release's inference on one image as plain loops, from the file to the results.

Only the maps come from the model: its features, and its three branches on them. Shape shorthand:
V views (the image and its mirror image), K keypoints, M parts, C channels, H×W map. Coordinates
are (x, y); `_hm` are map pixels, `_up` pixels of the enlarged maps, `_img` of the image.
"""

import math

import cv2
import numpy as np
import torch

STRIDE, PER_PART, PART_THR, OKS_THR = 4, 30, 0.01, 0.7
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def poses_of_image(model, path, input_size, flip_index, sigmas):
    """Find the poses of one image.

    Returns:
        The poses that are kept, each K rows [x_img, y_img, score], the score of each, and how many
        were proposed.
    """
    whole = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    size, center, width = resized_size(*whole.shape[:2], input_size)
    image = normalize(cv2.warpAffine(whole, affine(center, width, size), size))
    features, joint_maps, part_maps, offsets = run_branches(model, image)
    joint_maps = (joint_maps[0] + joint_maps[1][flip_index, :, ::-1]) / 2
    part_maps = (part_maps[0] + part_maps[1][:, :, ::-1]) / 2
    enlarged = [enlarge(channel) for channel in joint_maps]
    back = affine(center, width, size, inverse=True)
    poses = []
    for score, part, x, y in candidates(part_maps):
        pose_hm = read_both_views(model, features, offsets, part, x, y, flip_index)
        pose = np.array(
            [
                [
                    x_hm * STRIDE,
                    y_hm * STRIDE,
                    np.float32(score)
                    * np.float32(read_enlarged(enlarged[k], x_hm * STRIDE, y_hm * STRIDE)),
                ]
                for k, (x_hm, y_hm) in enumerate(pose_hm)
            ]
        )
        pose[:, :2] = [back @ (x_up, y_up, 1) for x_up, y_up, _ in pose]
        poses.append(pose)
    return (*fuse(poses, sigmas), len(poses))


def resized_size(h, w, input_size):
    """Return the (w, h) of the input, and the center and width of what it shows of the image."""
    short = (input_size + 63) // 64 * 64
    long = int((short / min(h, w) * max(h, w) + 63) // 64 * 64)
    center = (int(w / 2 + 0.5), int(h / 2 + 0.5))
    if w < h:
        return (short, long), center, w / 200 * 200
    return (long, short), center, long / short * h / 200 * 200


def affine(center, width, size, inverse=False):
    """Compute the matrix of the resize from three points in single precision."""
    w, h = size
    source = np.float32([center, (center[0], center[1] - width / 2), (0, 0)])
    target = np.float32([(w / 2, h / 2), (w / 2, h / 2 - w / 2), (0, 0)])
    for first, second, third in (source, target):
        dx, dy = first - second
        third[:] = second[0] - dy, second[1] + dx
    return cv2.getAffineTransform(*((target, source) if inverse else (source, target)))


def normalize(image):
    """Turn (H, W, 3) BGR bytes into (2, 3, H, W): the image, and mirrored, 3 pixels left."""
    rgb = (image[:, :, ::-1].astype(np.float32) / 255 - np.float32(MEAN)) / np.float32(STD)
    mirrored = np.zeros_like(rgb)
    for x in range(rgb.shape[1] - 3):
        mirrored[:, x] = rgb[:, rgb.shape[1] - 1 - 3 - x]
    return np.stack((rgb, mirrored)).transpose(0, 3, 1, 2)


@torch.no_grad()
def run_branches(model, images):
    """Return features (V, C, H, W), joint, part and offset maps of a model."""
    features = model.extract_feat(torch.from_numpy(np.ascontiguousarray(images)))[-1]
    head = model.head
    return [
        maps.numpy()
        for maps in (
            features,
            head.score_branch(features),
            head.part_branch(features),
            head.offset_branch(features),
        )
    ]


def candidates(part_maps):
    """List (score, part, x, y) of the peaks, part by part, the best first."""
    found, (h, w) = [], part_maps.shape[1:]
    reach = 3 if (h + w) / 2 > 300 else 2 if (h + w) / 2 > 200 else 1
    for part, values in enumerate(part_maps):
        peaks = [
            (values[y, x], part, x, y)
            for y in range(h)
            for x in range(w)
            if values[y, x] > PART_THR
            and values[y, x]
            == values[max(y - reach, 0) : y + reach + 1, max(x - reach, 0) : x + reach + 1].max()
        ]
        found += sorted(peaks, key=lambda peak: -peak[0])[:PER_PART]
    return found


def read_both_views(model, features, offsets, part, x, y, flip_index):
    """Average the refined poses of a pixel in the image and in its mirror image: (K, 2)."""
    last = features.shape[-1] - 1
    plain = read_pose(model, features[0], offsets[0], part, x, y)
    mirrored = read_pose(model, features[1], offsets[1], part, last - x, y)
    mirrored = [(last - mirrored[k][0], mirrored[k][1]) for k in flip_index]
    return [((a[0] + b[0]) / 2, (a[1] + b[1]) / 2) for a, b in zip(plain, mirrored)]


def read_pose(model, features, offsets, part, x, y):
    """Read the pose at a pixel and refine it: (K, 2) map pixels."""
    num_keypoints = len(model.head.layout.sigmas)
    pose = [
        (
            x - offsets[part * 2 * num_keypoints + 2 * k, y, x],
            y - offsets[part * 2 * num_keypoints + 2 * k + 1, y, x],
        )
        for k in range(num_keypoints)
    ]
    nodes = np.array([read_stretched(features, *point) for point in pose])
    return np.array(pose) - refine(model.head.refinement.state_dict(), nodes, features[:, y, x])


def read_stretched(features, x, y):
    """Read (C, H, W) at x·W/(W-1) - 1/2, y alike, with zeros around."""
    c, h, w = features.shape
    x, y = x * w / (w - 1) - 0.5, y * h / (h - 1) - 0.5
    x0, y0, value = math.floor(x), math.floor(y), np.zeros(c)
    for column, row in ((x0, y0), (x0 + 1, y0), (x0, y0 + 1), (x0 + 1, y0 + 1)):
        if 0 <= column < w and 0 <= row < h:
            value += features[:, row, column] * (1 - abs(x - column)) * (1 - abs(y - row))
    return value


def refine(weights, nodes, center):
    """Predict refining offsets (K, 2) from node features (K, C) and the center's (C,)."""
    weights = {name: value.numpy().astype(np.float64) for name, value in weights.items()}

    def normed(x, name):
        deviation = np.sqrt(weights[f'{name}.running_var'] + 1e-5)
        x = (x - weights[f'{name}.running_mean']) / deviation
        return np.maximum(x * weights[f'{name}.weight'] + weights[f'{name}.bias'], 0)

    def convolve(x, name):
        x = weights['adjacency'] @ (x @ weights[f'{name}.weight']) + weights[f'{name}.bias']
        return normed(x, f'{name}.bn')

    nodes, block = convolve(nodes, 'stem'), 0
    while f'blocks.{block}.conv1.weight' in weights:
        nodes = nodes + convolve(convolve(nodes, f'blocks.{block}.conv1'), f'blocks.{block}.conv2')
        block += 1
    x = np.concatenate((nodes.mean(axis=0), nodes.max(axis=0), center))
    x = normed(weights['predictor.0.weight'] @ x + weights['predictor.0.bias'], 'predictor.1')
    x = weights['predictor.3.weight'] @ x + weights['predictor.3.bias']
    return x.reshape(-1, 2)


def enlarge(values):
    """Enlarge (H, W) bilinearly with aligned corners, and repeat the last row and column thrice."""
    h, w = values.shape
    rows = np.array(
        [
            np.interp(np.arange((w - 1) * STRIDE + 1) / STRIDE, np.arange(w), row)
            for row in values.astype(np.float64)
        ]
    )
    both = np.array(
        [
            np.interp(np.arange((h - 1) * STRIDE + 1) / STRIDE, np.arange(h), column)
            for column in rows.T
        ]
    ).T
    return np.pad(both, ((0, STRIDE - 1), (0, STRIDE - 1)), mode='edge')


def read_enlarged(values, x, y):
    """Read bilinearly from the pixel toward 0 and the next one, or 0 where one is missing."""
    h, w = values.shape
    x0, y0 = int(x), int(y)
    if x0 < 0 or x0 + 1 >= w or y0 < 0 or y0 + 1 >= h:
        return 0.0
    fx, fy = x - x0, y - y0
    return (
        values[y0, x0] * (1 - fx) * (1 - fy)
        + values[y0, x0 + 1] * fx * (1 - fy)
        + values[y0 + 1, x0] * (1 - fx) * fy
        + values[y0 + 1, x0 + 1] * fx * fy
    )


def oks(a, b, sigmas):
    """Compare two poses; their area is that of the keypoints' box, averaged."""
    area = sum((p[:, 0].max() - p[:, 0].min()) * (p[:, 1].max() - p[:, 1].min()) for p in (a, b))
    terms = [
        math.exp(-((xa - xb) ** 2 + (ya - yb) ** 2) / (2 * sigma) ** 2 / (area / 2) / 2)
        for (xa, ya, _), (xb, yb, _), sigma in zip(a, b, sigmas)
    ]
    return sum(terms) / len(terms)


def fuse(poses, sigmas):
    """Keep the best pose of every group, with the best keypoints of the group."""
    left = sorted(poses, key=lambda pose: -pose[:, 2].mean())
    kept = []
    while left:
        best, *others = left
        fused, left = best.copy(), []
        for other in others:
            if oks(best, other, sigmas) > OKS_THR:
                for k in range(len(fused)):
                    if other[k, 2] > fused[k, 2]:
                        fused[k] = other[k]
            else:
                left.append(other)
        kept.append(fused)
    return kept, [pose[:, 2].mean() for pose in kept]
