"""Checks that need something else beside the device: the driver, mmcv's operators, ONNX Runtime."""

import copy
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pinet_mm.environment.compat import mmcv_has_operators
from pinet_mm.export.graph import export_onnx
from pinet_mm.method.proposals import sample_bilinear

import numpy as np
import torch

from .models import load_shipped
from .running import Finding, LeftOut, Place
from .scenes import apart


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
    """Run an exported model with ONNX Runtime's CUDA provider: 0.05 px from its CPU provider.

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
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'model.onnx'
        export_onnx(copy.deepcopy(shipped.model), path)
        outputs = []
        for provider in ('CUDAExecutionProvider', 'CPUExecutionProvider'):
            session = onnxruntime.InferenceSession(str(path), providers=[provider])
            feed = {session.get_inputs()[0].name: shipped.images.numpy().astype(np.float32)}
            outputs.append(session.run(None, feed)[0])
    yield Finding(
        'ONNX Runtime, CUDA provider: first output',
        float(np.abs(outputs[0] - outputs[1]).max()),
        0.05,
    )
