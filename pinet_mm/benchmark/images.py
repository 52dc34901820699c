"""Images per second, from pictures to persons, beside MMPose's CID on the same backbone."""

import copy
from pathlib import Path
from typing import Callable, Dict, Iterable, List, NamedTuple, Optional, Sequence

import numpy as np
import torch
from mmpose.models.pose_estimators.bottomup import BottomupPoseEstimator

from .. import api
from ..estimator import PINet
from .peers import cid_like
from .report import Table
from .scenes import draw_pictures, has_weights, load_model
from .timing import call_times, clock_of


class Mode(NamedTuple):
    """A way to run a network.

    Attributes:
        dtype: of autocast, or None.
        channels_last: order of the weights in memory.
        compiled: backbone and neck are compiled.
    """

    dtype: Optional[torch.dtype] = None
    channels_last: bool = False
    compiled: bool = False

    @property
    def name(self) -> str:
        """Say it in a table."""
        precision = 'fp32' if self.dtype is None else str(self.dtype).split('.')[-1]
        order, how = self.channels_last * ', channels last', self.compiled * ', compiled'
        return precision + order + how


def modes(device: str, compiled: bool = False) -> List[Mode]:
    """List the modes of a device, plain fp32 first.

    Args:
        device: a CPU has no fp16 here.
        compiled: add those that are compiled.
    """
    halves = [torch.bfloat16] if torch.device(device).type == 'cpu' else [torch.bfloat16,
                                                                         torch.float16]
    found = [Mode(dtype, last) for dtype in (None, *halves) for last in (False, True)]
    return found + [Mode(dtype, True, True) for dtype in (None, *halves) if compiled]


def prepare(model: BottomupPoseEstimator,
            mode: Mode) -> Callable[[Sequence[np.ndarray], int], list]:
    """Make a function of pictures and batch size that returns the persons of each picture.

    Args:
        model: stays as it is.
        mode: of backbone and neck; heads compute in fp32 (PINet's does so by itself).
    """
    twin = (copy.deepcopy(model).to(memory_format=torch.channels_last) if mode.channels_last
            else copy.copy(model))
    extract = torch.compile(twin.extract_feat) if mode.compiled else twin.extract_feat
    device = next(model.parameters()).device.type

    def extract_feat(inputs: torch.Tensor) -> List[torch.Tensor]:
        with torch.autocast(device, mode.dtype, enabled=mode.dtype is not None):
            return [feat.float() for feat in extract(inputs)]
    twin.extract_feat = extract_feat

    def predict(pictures: Sequence[np.ndarray], batch_size: int) -> list:
        return [sample.pred_instances for sample in api.predict(twin, pictures, batch_size)]
    return predict


def bench_images(config: str, checkpoint: Optional[str] = None, batches: Iterable[int] = (1, 8),
                 repeats: int = 5, device: str = 'cpu', compiled: bool = False,
                 persons: int = 4) -> List[Table]:
    """Measure whole predictions by batch and mode.

    Args:
        config: a file, or the name of one of the project's.
        checkpoint: of its weights; by default the shipped ones, or random ones.
        batches: sizes.
        repeats: see `chain_times`.
        device: where it computes.
        compiled: also measure compiled networks, which takes minutes.
        persons: that every picture is drawn with, and that CID finds.
    """
    model, batches = load_model(config, checkpoint, device), sorted(set(batches))
    size = model.head.decoder.input_size
    drawn = draw_pictures(min(batches[-1], 8), size, persons)
    pictures = [drawn[i % len(drawn)] for i in range(batches[-1])]
    functions = _functions(model, modes(device, compiled), batches, pictures, persons)
    times = call_times(functions, repeats, clock=clock_of(device))
    found = {label: function() for label, function in functions.items()}
    weights = 'trained' if has_weights(config, checkpoint) else 'random'
    note = (f'{config}, {weights} weights, pictures of {size[0]}×{size[1]} with {persons} persons, '
            'from uint8 arrays to persons in picture pixels; medians. CID has the same backbone, '
            f'its weights and the same flip test, finds {persons} persons in every picture, and '
            'takes one picture at a time. "Backbone" is a pass of all views of a picture, without '
            'anything before and after.')
    return [Table('images', f'Images per second: {Path(config).stem}', note, _rows(times, found))]


def _functions(model: PINet, ways: Sequence[Mode], batches: Sequence[int],
               pictures: Sequence[np.ndarray],
               persons: int) -> Dict[tuple, Callable[[], object]]:
    # By (network, mode, batch); every function returns the persons of each picture, or None.
    functions = {}
    for mode in ways:
        predict = prepare(model, mode)
        for batch in batches:
            functions['PINet', mode.name, batch] = (
                lambda predict=predict, batch=batch: predict(pictures[:batch], batch))
    peer = cid_like(model, persons)
    for mode in ways:
        if not mode.compiled:
            predict = prepare(peer, mode)
            functions['CID', mode.name, 1] = lambda predict=predict: predict(pictures[:1], 1)
    functions['backbone', 'fp32', 1] = _backbone(model)
    return functions


def _backbone(model: PINet) -> Callable[[], None]:
    settings = model.head.check_settings(model.test_cfg)
    inputs = torch.randn(1, 3, *model.head.decoder.input_size[::-1],
                         device=next(model.parameters()).device)

    @torch.no_grad()
    def extract() -> None:
        model._extract_views(inputs, settings.flip_test)
    return extract


def _rows(times: Dict[tuple, float], found: Dict[tuple, Optional[list]]) -> List[dict]:
    # An image of the smallest batch of plain PINet.
    smallest = min(batch for network, _, batch in times if network == 'PINet')
    reference = times['PINet', 'fp32', smallest] / smallest
    return [{'network': network, 'mode': mode, 'batch': batch, 'ms an image': ms / batch,
             'images/s': 1000 * batch / ms, 'speed-up': reference * batch / ms,
             'persons': None if found[network, mode, batch] is None else
             sum(len(persons) for persons in found[network, mode, batch]) / batch}
            for (network, mode, batch), ms in times.items()]
