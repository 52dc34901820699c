"""Comparison of an exported file with PyTorch, and of an 8-bit file with the float32 file.

Sizes are (w, h). Shape shorthand: N images of a batch, K keypoints, P people.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from mmengine.structures import InstanceData
from mmpose.structures import PoseDataSample
from scipy.optimize import linear_sum_assignment

from ..crowdsynth import CrowdSettings, draw_crowd
from ..errors import RunError
from ..method.fusion import pairwise_oks
from ..models.estimator import PINet
from ..onnx_runner import OnnxPoses
from .graph import OUTPUTS

TOLERANCE = 1e-2  # input pixels
SCORE_TOLERANCE = 1e-3  # of the scores of keypoints and people
TOO_FEW = 'These are too few to tell: was the checkpoint trained?'
CLEAR = 0.1  # score of a person that an 8-bit file should find again


class Agreement(NamedTuple):
    """Agreement of the file and PyTorch on some images of one size.

    Attributes:
        images: how many.
        size: of the input.
        people: that PyTorch finds.
        pixels: the largest distance in x or y of a keypoint; inf if other people were found.
        scores: the largest difference of a keypoint's or a person's score; inf as above.
    """

    images: int
    size: tuple[int, int]
    people: int
    pixels: float
    scores: float

    def holds(self) -> bool:
        """Return whether keypoints and scores are within the tolerances."""
        return self.pixels <= TOLERANCE and self.scores <= SCORE_TOLERANCE


def draw_batches(size: tuple[int, int]) -> list[np.ndarray]:
    """Draw two batches of a crowd: one image 64 pixels higher, three 128 pixels wider.

    Args:
        size: (w, h), multiples of 64.
    """

    def draw(count, *sides):
        settings = CrowdSettings(size=sides, persons=(3, 4), height=(0.7, 1.0))
        return np.stack(
            [draw_crowd(settings, seed=0, index=i, split='test')[0] for i in range(count)]
        )

    w, h = size
    return [draw(1, w, h + 64), draw(3, w + 128, h)]


def check(path: str | Path, model: PINet, name: str | None = None) -> str:
    """Check a file with onnx and against PyTorch, and report in a few lines how it went.

    Args:
        path: of the file.
        model: that was exported.
        name: what the report calls the file; by default its path.

    Raises:
        RunError: the two disagree, see `check_agreement`.
    """
    check_file(path)
    found = check_agreement(path, model, draw_batches(model.head.codec.input_size))
    lines = [f'{name or path}: {Path(path).stat().st_size / 1e6:.1f} MB, passes onnx.checker']
    for each in found:
        lines.append(
            f'{each.images} × {each.size[0]}×{each.size[1]}: the {each.people} people '
            f'that PyTorch finds, keypoints within {each.pixels:.1g} px, scores within '
            f'{each.scores:.1g}'
        )
    if sum(each.people for each in found) < 5:
        lines.append(TOO_FEW)
    return '\n'.join(lines)


def check_file(path: str | Path) -> None:
    """Check a file with onnx, shapes included; what is wrong raises its own errors."""
    import onnx

    onnx.checker.check_model(onnx.load(path), full_check=True)


def check_agreement(
    path: str | Path, model: PINet, batches: Iterable[np.ndarray]
) -> list[Agreement]:
    """Compare ONNX Runtime with the model itself, run by PyTorch as usual.

    Args:
        path: of the file.
        model: that was exported; of its people only the best count, as many as the file has rows.
        batches: images (N, H, W, 3), uint8, BGR, sides multiples of 32.

    Raises:
        RunError: keypoints disagree by more than `TOLERANCE` or scores by `SCORE_TOLERANCE`.
    """
    session, found = OnnxPoses(path).session, []
    for images in batches:
        found.append(_compare(session, model, images))
        if not found[-1].holds():
            raise RunError(
                f'{path} must find what PyTorch finds, keypoints within {TOLERANCE} px and '
                f'scores within {SCORE_TOLERANCE}; found {found[-1]}'
            )
    return found


def _compare(session, model: PINet, images: np.ndarray) -> Agreement:
    rgb = np.ascontiguousarray(images[..., ::-1].transpose(0, 3, 1, 2), dtype=np.float32)
    outputs = session.run(OUTPUTS, {'images': rgb})
    wanted = [_best(people, outputs[2].shape[1]) for people in _predict(model, images)]
    worst = [
        _distance([output[i, : outputs[3][i]] for output in outputs[:3]], people)
        for i, people in enumerate(wanted)
    ]
    pixels, scores = np.max(worst, axis=0).tolist()
    return Agreement(len(images), images.shape[2:0:-1], sum(map(len, wanted)), pixels, scores)


def check_quantized(path: str | Path, reference: str | Path, images: Iterable[np.ndarray]) -> str:
    """Check an 8-bit file with onnx and against the float32 file, and report in a few lines.

    Args:
        path: what `quantize_onnx` wrote.
        reference: the float32 file that it was made from.
        images: (h, w, 3) uint8, BGR.
    """
    check_file(path)
    quantized, whole = OnnxPoses(path), OnnxPoses(reference)
    pairs = [
        pair_clear(quantized(image), whole(image), whole.dataset_meta['sigmas']) for image in images
    ]
    clear = sum(count for count, _ in pairs)
    distances = np.concatenate([np.empty((0, 0)), *(found for _, found in pairs)], axis=None)
    again = sum(len(found) for _, found in pairs)
    lines = [
        f'{path}: 8 bits, {Path(path).stat().st_size / 1e6:.1f} MB, passes onnx.checker',
        f'on these {len(pairs)} images, {again} of {clear} people with a score above '
        f'{CLEAR} are found again (OKS above 0.5)',
    ]
    if again:
        lines[-1] += f', the median keypoint {np.median(distances):.2f} px away'
    return '\n'.join([*lines, *([TOO_FEW] if clear < 5 else [])])


def pair_clear(
    found: dict[str, np.ndarray], wanted: dict[str, np.ndarray], sigmas: Sequence[float]
) -> tuple[int, np.ndarray]:
    """Find the people of one answer of `OnnxPoses` that have a clear score in another.

    Args:
        found: the first answer.
        wanted: the second.
        sigmas: K OKS sigmas.

    Returns:
        How many people have a score above `CLEAR` in the second, and the distances (P, K), in
        pixels of the image, of those P whom the first has with an OKS above 0.5; each person
        counts once.
    """
    clear, poses = (
        torch.from_numpy(np.asarray(each))
        for each in (wanted['keypoints'][wanted['scores'] > CLEAR], found['keypoints'])
    )
    oks = pairwise_oks(clear, torch.tensor(sigmas, dtype=clear.dtype), poses.to(clear.dtype))
    rows, columns = linear_sum_assignment(oks.numpy(), maximize=True)
    close = oks.numpy()[rows, columns] > 0.5
    distances = (clear.numpy()[rows] - poses.numpy()[columns])[close]
    return len(clear), np.linalg.norm(distances, axis=-1)


@torch.no_grad()
def _predict(model: PINet, images: np.ndarray) -> list[InstanceData]:
    samples = []
    for _ in images:
        size = np.array(images.shape[2:0:-1])
        samples.append(
            PoseDataSample(
                metainfo=dict(
                    input_size=tuple(size.tolist()), input_center=size / 2, input_scale=size
                )
            )
        )
    inputs = [torch.from_numpy(image.transpose(2, 0, 1).copy()) for image in images]
    found = model.test_step(dict(inputs=inputs, data_samples=samples))
    return [sample.pred_instances for sample in found]


def _best(people: InstanceData, count: int) -> InstanceData:
    return people[np.argsort(-people.bbox_scores, kind='stable')[:count]]


def _distance(outputs: Sequence[np.ndarray], people: InstanceData) -> tuple[float, float]:
    # People are paired with the nearest: equal scores may come in another order.
    keypoints, keypoint_scores, scores = outputs
    if len(people) != len(keypoints):
        return np.inf, np.inf
    if not len(people):
        return 0.0, 0.0
    apart = np.abs(keypoints[:, None] - people.keypoints[None]).max(axis=(2, 3))
    order = apart.argmin(axis=0)
    if len(set(order)) < len(order):
        return np.inf, np.inf
    # numpy's maximum passes NaN on, where Python's depends on the order.
    differences = (
        (keypoint_scores[order] - people.keypoint_scores).ravel(),
        (scores[order] - people.bbox_scores),
    )
    return apart.min(axis=0).max(), np.abs(np.concatenate(differences)).max()
