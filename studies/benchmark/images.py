"""Images per second, from images to people, beside MMPose's CID on the same backbone."""

import copy
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from pinet_mm import api
from pinet_mm.errors import RunError
from pinet_mm.export.graph import export_onnx
from pinet_mm.export.int8 import quantize_onnx
from pinet_mm.models.acceleration import accelerate, half_precision
from pinet_mm.models.estimator import PINet

import numpy as np
import torch
from mmpose.models.pose_estimators.bottomup import BottomupPoseEstimator

from .baselines import cid_like
from .report import Table
from .scenes import draw_images, has_weights, load_model
from .timing import call_times, clock_of

CALIBRATION = 4  # images for an 8-bit file: speed does not depend on them
# People of each image, of images and a batch size.
Predict = Callable[[Sequence[np.ndarray], int], list]


class Mode(NamedTuple):
    """A way to run a network, as `accelerate` takes it.

    Attributes:
        amp: in half precision.
        compiled: by torch.
    """

    amp: bool = False
    compiled: bool = False

    def name(self, device: str) -> str:
        """Return its name in a table."""
        half = str(half_precision(device)).split('.')[-1]
        return (half if self.amp else 'fp32') + self.compiled * ', compiled'


def modes(device: str = 'cpu', compiled: bool = False) -> list[Mode]:
    """List the modes that a device has, plain fp32 first.

    Args:
        device: where it computes; a CPU may lack half precision.
        compiled: add those that are compiled.
    """
    return [Mode(amp, way) for way in (False, True)[: 1 + compiled] for amp in precisions(device)]


def precisions(device: str) -> tuple[bool, ...]:
    """List whether to compute in half precision: no, and yes if the device has any."""
    return (False, True) if half_precision(device) else (False,)


def why_no_half(device: str) -> str:
    """Return a table's note if a device has no half precision, else nothing."""
    return (
        '' if half_precision(device) else (' Half precision is left out: this CPU has no bfloat16.')
    )


def prepare(model: BottomupPoseEstimator, mode: Mode) -> Predict:
    """Return a function of images and batch size that returns the people of each image.

    Args:
        model: stays as it is.
        mode: of a PINet; of another network backbone and neck are run by autocast, channels
            last in memory on a CPU.
    """
    if isinstance(model, PINet):
        twin = accelerate(copy.deepcopy(model), *mode)
    else:
        twin = copy.copy(model)
        twin.extract_feat = _autocast(model, mode.amp)

    def predict(images: Sequence[np.ndarray], batch_size: int) -> list:
        return [sample.pred_instances for sample in api.predict(twin, images, batch_size)]

    return predict


def _autocast(
    model: BottomupPoseEstimator, amp: bool
) -> Callable[[torch.Tensor], list[torch.Tensor]]:
    device = next(model.parameters()).device
    half = half_precision(device) if amp else None

    def extract_feat(inputs: torch.Tensor) -> list[torch.Tensor]:
        if device.type == 'cpu':  # as PINet has them
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, half, enabled=half is not None):
            return [feat.float() for feat in model.extract_feat(inputs)]

    return extract_feat


def prepare_onnx(
    model: PINet, folder: str, calibration: Sequence[np.ndarray]
) -> dict[str, Predict]:
    """Export a model and make the same function of each file, which takes image by image.

    Args:
        model: on any device; the files run on the CPU, with as many threads as torch has.
        folder: for the files.
        calibration: images for the one in 8 bits.

    Returns:
        The functions by mode.

    Raises:
        RunError: a package is missing, or the model cannot be exported.
    """
    paths = {mode: Path(folder) / f'{mode}.onnx' for mode in ('fp32', 'int8')}
    export_onnx(copy.deepcopy(model).cpu(), paths['fp32'])
    quantize_onnx(paths['fp32'], paths['int8'], calibration)

    def load(path: Path) -> Predict:
        session = api.load_onnx(path, torch.get_num_threads())
        return lambda images, _: [sample.pred_instances for sample in api.predict(session, images)]

    return {mode: load(path) for mode, path in paths.items()}


def bench_images(
    config: str,
    checkpoint: str | None = None,
    batches: Iterable[int] = (1, 8),
    repeats: int = 5,
    device: str = 'cpu',
    compiled: bool = False,
    persons: int = 4,
) -> list[Table]:
    """Measure whole predictions by batch and mode.

    Args:
        config: a file, or the name of one of the project's.
        checkpoint: of its weights; by default the shipped ones, or random ones.
        batches: sizes.
        repeats: see `chain_times`.
        device: where it computes.
        compiled: also measure compiled networks and ONNX files, one of them in 8 bits, which takes
            minutes.
        persons: that every image is drawn with, and that CID finds.
    """
    model, batches = load_model(config, checkpoint, device), sorted(set(batches))
    size = model.head.codec.input_size
    drawn = draw_images(min(batches[-1], 8), size, persons)
    images = [drawn[i % len(drawn)] for i in range(batches[-1])]
    functions = _functions(model, modes(device, compiled), batches, images, persons)
    weights = 'trained' if has_weights(config, checkpoint) else 'random'
    note = (
        f'{config}, {weights} weights, images of {size[0]}×{size[1]} with {persons} people, '
        'from uint8 arrays to people in image pixels; medians. CID has the same backbone, '
        f'its weights and the same flip test, finds {persons} people in every image, and '
        'takes one image at a time. "Backbone" is a pass of all views of an image, without '
        'anything before and after; "passes" is an image over it.'
    )
    note += why_no_half(device)
    if compiled:
        found, reason = _onnx_functions(model, images)
        functions.update(found)
        note += reason
    times = call_times(functions, repeats, clock=clock_of(device))
    found = {label: function() for label, function in functions.items()}
    return [Table('images', f'Images per second: {Path(config).stem}', note, _rows(times, found))]


def _functions(
    model: PINet,
    ways: Sequence[Mode],
    batches: Sequence[int],
    images: Sequence[np.ndarray],
    persons: int,
) -> dict[tuple, Callable[[], object]]:
    # By (network, mode, batch); every function returns the people of each image, or None.
    functions, device = {}, next(model.parameters()).device
    for mode in ways:
        predict = prepare(model, mode)
        for batch in batches:
            functions['PINet', mode.name(device), batch] = lambda predict=predict, batch=batch: (
                predict(images[:batch], batch)
            )
    baseline = cid_like(model, persons)
    for mode in ways:
        if not mode.compiled:
            predict = prepare(baseline, mode)
            functions['CID', mode.name(device), 1] = lambda predict=predict: predict(images[:1], 1)
    functions['backbone', 'fp32', 1] = _backbone(model)
    return functions


def _onnx_functions(
    model: PINet, images: Sequence[np.ndarray]
) -> tuple[dict[tuple, Callable[[], object]], str]:
    # The functions, and their part of the note.
    try:
        with tempfile.TemporaryDirectory() as folder:
            predicts = prepare_onnx(model, folder, images[:CALIBRATION])
    except RunError as error:
        return {}, f' ONNX Runtime is left out: {error}.'
    return {
        ('PINet', f'{mode}, ONNX Runtime on the CPU', 1): lambda predict=predict: predict(
            images[:1], 1
        )
        for mode, predict in predicts.items()
    }, ''


def _backbone(model: PINet) -> Callable[[], None]:
    settings = model.head.check_settings(model.test_cfg)
    inputs = torch.randn(
        1, 3, *model.head.codec.input_size[::-1], device=next(model.parameters()).device
    )

    @torch.no_grad()
    def extract() -> None:
        model.extract_views(inputs, settings.flip_test)

    return extract


def _rows(times: dict[tuple, float], found: dict[tuple, list | None]) -> list[dict]:
    # An image of the smallest batch of plain PINet.
    smallest = min(batch for network, _, batch in times if network == 'PINet')
    reference = times['PINet', 'fp32', smallest] / smallest
    backbone = times['backbone', 'fp32', 1]
    return [
        {
            'network': network,
            'mode': mode,
            'batch': batch,
            'ms per image': ms / batch,
            'images/s': 1000 * batch / ms,
            'speed-up': reference * batch / ms,
            'passes': ms / batch / backbone,
            'persons': None
            if found[network, mode, batch] is None
            else sum(len(persons) for persons in found[network, mode, batch]) / batch,
        }
        for (network, mode, batch), ms in times.items()
    ]
