"""Does an exported file find what PyTorch finds? `_in` are input pixels; sizes are (w, h)."""

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
TOO_FEW = 'These are too few to tell: was the checkpoint trained?'
CLEAR = 0.1  # score of a person that an 8-bit file should find again


class Agreement(NamedTuple):
    """How the file and PyTorch agree on some pictures of one size.

    Attributes:
        pictures: how many.
        size: of the input.
        persons: that PyTorch finds.
        pixels: the largest distance in x or y of a keypoint; inf if other persons were found.
        scores: the largest distance of a keypoint's or a person's score.
    """

    pictures: int
    size: tuple[int, int]
    persons: int
    pixels: float
    scores: float


def draw_batches(size: tuple[int, int]) -> list[np.ndarray]:
    """Draw two batches of a crowd: one picture 64 pixels higher, three 128 pixels wider.

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


def check(path: str | Path, model: PINet) -> str:
    """Check a file with onnx and against PyTorch, and say in a few lines how it went.

    Raises:
        RunError: the two disagree, see `check_agreement`.
    """
    check_file(path)
    found = check_agreement(path, model, draw_batches(model.head.codec.input_size))
    lines = [f'{path}: {Path(path).stat().st_size / 1e6:.1f} MB, passes onnx.checker']
    for each in found:
        lines.append(
            f'{each.pictures} × {each.size[0]}×{each.size[1]}: the {each.persons} persons '
            f'that PyTorch finds, keypoints within {each.pixels:.1g} px, scores within '
            f'{each.scores:.1g}'
        )
    if sum(each.persons for each in found) < 5:
        lines.append(TOO_FEW)
    return '\n'.join(lines)


def check_file(path: str | Path) -> None:
    """Let onnx check the file, shapes included; what is wrong raises its own errors."""
    import onnx

    onnx.checker.check_model(onnx.load(path), full_check=True)


def check_agreement(
    path: str | Path, model: PINet, batches: Iterable[np.ndarray]
) -> list[Agreement]:
    """Compare ONNX Runtime with the model itself, which goes its usual way.

    Args:
        path: of the file.
        model: that was exported; of its persons the best count, as many as the file has rows.
        batches: pictures (N, H, W, 3), uint8, BGR, sides multiples of 32.

    Raises:
        RunError: they disagree by more than `TOLERANCE`.
    """
    session, found = OnnxPoses(path).session, []
    for pictures in batches:
        rgb = np.ascontiguousarray(pictures[..., ::-1].transpose(0, 3, 1, 2), dtype=np.float32)
        outputs = session.run(OUTPUTS, {'images': rgb})
        wanted = [_best(persons, outputs[2].shape[1]) for persons in _predict(model, pictures)]
        worst = [
            _distance([output[i, : outputs[3][i]] for output in outputs[:3]], persons)
            for i, persons in enumerate(wanted)
        ]
        found.append(
            Agreement(
                len(pictures),
                pictures.shape[2:0:-1],
                sum(map(len, wanted)),
                *np.max(worst, axis=0).tolist(),
            )
        )
        if not found[-1].pixels <= TOLERANCE:
            raise RunError(f'{path} does not find what PyTorch finds: {found[-1]}')
    return found


def check_quantised(path: str | Path, reference: str | Path, pictures: Iterable[np.ndarray]) -> str:
    """Check an 8-bit file with onnx, and say in a few lines how it fares beside the whole one.

    Args:
        path: what `quantize_onnx` wrote.
        reference: of what.
        pictures: (h, w, 3) uint8, BGR.
    """
    check_file(path)
    quantised, whole = OnnxPoses(path), OnnxPoses(reference)
    pairs = [
        pair_clear(quantised(picture), whole(picture), whole.dataset_meta['sigmas'])
        for picture in pictures
    ]
    distances = np.concatenate([np.empty(0), *(distance.ravel() for _, distance in pairs)])
    clear, again = (
        sum(counts) for counts in zip(*((count, len(distance)) for count, distance in pairs))
    )
    lines = [
        f'{path}: 8 bits, {Path(path).stat().st_size / 1e6:.1f} MB, passes onnx.checker',
        f'on these {len(pairs)} pictures, {again} of {clear} persons with a score above '
        f'{CLEAR} are found again (OKS above 0.5)',
    ]
    if again:
        lines[-1] += f', the median keypoint {np.median(distances):.2f} px away'
    return '\n'.join([*lines, *([TOO_FEW] if clear < 5 else [])])


def pair_clear(
    found: dict[str, np.ndarray], wanted: dict[str, np.ndarray], sigmas: Sequence[float]
) -> tuple[int, np.ndarray]:
    """Find the persons of one answer of `OnnxPoses` that has a clear score in another.

    Args:
        found: the first answer, for N persons.
        wanted: the second.
        sigmas: K OKS sigmas.

    Returns:
        How many persons have a score above `CLEAR` in the second, and the distances (P, K), in
        pixels of the picture, of those P whom the first has with an OKS above 0.5; each person
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
def _predict(model: PINet, pictures: np.ndarray) -> list[InstanceData]:
    samples = []
    for _ in pictures:
        size = np.array(pictures.shape[2:0:-1])
        samples.append(
            PoseDataSample(
                metainfo=dict(
                    input_size=tuple(size.tolist()), input_center=size / 2, input_scale=size
                )
            )
        )
    inputs = [torch.from_numpy(picture.transpose(2, 0, 1).copy()) for picture in pictures]
    found = model.test_step(dict(inputs=inputs, data_samples=samples))
    return [sample.pred_instances for sample in found]


def _best(persons: InstanceData, count: int) -> InstanceData:
    return persons[np.argsort(-persons.bbox_scores, kind='stable')[:count]]


def _distance(outputs: Sequence[np.ndarray], persons: InstanceData) -> tuple[float, float]:
    # Persons are paired with the nearest: equal scores may come in another order.
    keypoints, keypoint_scores, scores = outputs
    if len(persons) != len(keypoints):
        return np.inf, np.inf
    if not len(persons):
        return 0.0, 0.0
    apart = np.abs(keypoints[:, None] - persons.keypoints[None]).max(axis=(2, 3))
    order = apart.argmin(axis=0)
    if len(set(order)) < len(order):
        return np.inf, np.inf
    return apart.min(axis=0).max(), max(
        np.abs(keypoint_scores[order] - persons.keypoint_scores).max(),
        np.abs(scores[order] - persons.bbox_scores).max(),
    )
