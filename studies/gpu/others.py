"""Checks that need something else beside the device: the driver, mmcv's operators, ONNX Runtime."""

import copy
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pinet_mm.environment.packages import mmcv_has_operators
from pinet_mm.export.graph import export_onnx
from pinet_mm.method.reading import sample_bilinear

import numpy as np
import torch

from .models import SCORE, load_shipped
from .running import Finding, LeftOut, Place
from .scenes import apart, compare_persons


def check_environment(place: Place) -> Iterator[Finding]:
    """Report the card, the driver and the versions."""
    yield Finding('torch', torch.__version__)
    if place.device.type != 'cuda':
        yield Finding('device', str(place.device))
        return
    facts = torch.cuda.get_device_properties(place.device)
    yield Finding(
        'card',
        facts.name,
        None,
        f'{facts.total_memory / 2**30:.0f} GiB, compute capability '
        f'{facts.major}.{facts.minor}, {facts.multi_processor_count} multiprocessors',
    )
    yield Finding('CUDA', str(torch.version.cuda), None, f'cuDNN {torch.backends.cudnn.version()}')
    yield Finding('driver', _driver())
    sums = torch.ones(1000, device=place.device).sum()
    yield Finding('the device computes', abs(float(sums) - 1000), 0)


def _driver() -> str:
    try:
        return subprocess.run(
            ['nvidia-smi', '--query-gpu=driver_version', '--format=csv,noheader'],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        ).stdout.split()[0]
    except (OSError, IndexError, subprocess.SubprocessError) as error:
        return f'unknown: {type(error).__name__}'


def check_point_sample(place: Place) -> Iterator[Finding]:
    """Compare `sample_bilinear` with mmcv's `point_sample`: 1e-4 of values between 0 and 1.

    Raises:
        LeftOut: mmcv was installed without its operators.
    """
    if not mmcv_has_operators():
        raise LeftOut('no compiled mmcv')
    from mmcv.ops import point_sample

    generator = torch.Generator().manual_seed(0)
    maps = torch.rand(2, 8, 20, 30, generator=generator).to(place.device)
    points = torch.rand(2, 50, 2, generator=generator).to(place.device)
    size = torch.tensor([30.0, 20.0], device=place.device)
    wanted = point_sample(maps, points, align_corners=False).transpose(1, 2)
    yield Finding('point_sample', apart(sample_bilinear(maps, points * size - 0.5), wanted), 1e-4)


def check_onnx(place: Place) -> Iterator[Finding]:
    """Run an exported model with ONNX Runtime's CUDA provider and compare with its CPU provider.

    Raises:
        LeftOut: there is no such provider.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise LeftOut('ONNX Runtime is not installed') from error
    if place.device.type != 'cuda':
        raise LeftOut(f'{place.device} is no CUDA device')
    if 'CUDAExecutionProvider' not in onnxruntime.get_available_providers():
        raise LeftOut(
            'this ONNX Runtime has no CUDA provider, only '
            f'{", ".join(onnxruntime.get_available_providers())}'
        )
    shipped = load_shipped(count=1)
    images = np.stack(shipped.drawn)[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'model.onnx'
        export_onnx(copy.deepcopy(shipped.model), path)
        found, wanted = (
            run_onnx(path, images, provider)
            for provider in ('CUDAExecutionProvider', 'CPUExecutionProvider')
        )
    yield from compare_outputs(found, wanted, images.shape[-1])


class Outputs(NamedTuple):
    """The outputs of an exported file for one image, the best of T proposals first.

    Attributes:
        keypoints: (1, T, K, 2) input pixels.
        keypoint_scores: (1, T, K).
        scores: (1, T).
        count: (1,) how many of the T are people.
    """

    keypoints: np.ndarray
    keypoint_scores: np.ndarray
    scores: np.ndarray
    count: np.ndarray


def run_onnx(path: Path, images: np.ndarray, provider: str) -> Outputs:
    """Run an exported file on a provider of ONNX Runtime, and on no other.

    Args:
        path: of the file.
        images: (1, 3, H, W) RGB, 0 to 255.
        provider: its name.

    Raises:
        RuntimeError: ONNX Runtime took another provider.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=[provider])
    taken = session.get_providers()
    if not taken or taken[0] != provider:  # silently, where a library is missing
        raise RuntimeError(f'ONNX Runtime was to run on {provider}; it took {taken}')
    return Outputs(*session.run(None, {session.get_inputs()[0].name: images}))


def compare_outputs(found: Outputs, wanted: Outputs, side: float) -> Iterator[Finding]:
    """Compare the sure people of two providers: within 0.05 px, and 1e-3 of the scores.

    Args:
        found: of the provider that is checked.
        wanted: of the other.
        side: of the input, in pixels.
    """
    sure = int((wanted.scores[0, : wanted.count[0]] >= SCORE).sum())
    poses = [each.keypoints[0, : each.count[0]] for each in (found, wanted)]
    distance = compare_persons([poses[0]], [poses[1][:sure]], side)
    yield Finding('ONNX Runtime, CUDA provider: people missing', distance.lost, 0, distance.said)
    yield Finding(
        'ONNX Runtime, CUDA provider: keypoints', distance.quantile(1), 0.05, 'px at most'
    )
    for name in ('keypoint_scores', 'scores'):
        # Sorted, for people of about one score may change places.
        ranked = [np.sort(getattr(each, name)[0, :sure].ravel()) for each in (found, wanted)]
        yield Finding(
            f'ONNX Runtime, CUDA provider: {name.replace("_", " ")}',
            float(np.abs(ranked[0] - ranked[1]).max(initial=0)),
            1e-3,
        )
