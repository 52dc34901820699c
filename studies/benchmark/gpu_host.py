"""The host's work around the tensors of a prediction, per image."""

import copy
import time
from collections.abc import Callable, Iterator

from pinet_mm.method.fusion import FusedPoses
from pinet_mm.models.decoding import decode
from pinet_mm.models.estimator import PINet

import numpy as np
import torch
from mmengine.structures import InstanceData
from mmpose.structures import PoseDataSample

from .gpu_cases import Case
from .gpu_timing import device_time
from .scenes import codec_of_size, crowd_maps, make_samples

PERSONS = (4, 30)


def crowd_poses(model: PINet, batch: int, persons: int) -> FusedPoses:
    """Decode the maps of a crowd on the CPU: what a trained network would hand to the host.

    Args:
        model: gives codec and settings.
        batch: images.
        persons: in each; those of the noise, with scores up to 0.05, are dropped.
    """
    codec = model.head.codec
    codec = codec_of_size(
        dict(
            type=type(codec).__name__,
            input_size=codec.input_size,
            heatmap_size=codec.heatmap_size,
            layout=codec.layout,
            convention=codec.convention,
        ),
        codec.input_size,
    )
    maps = crowd_maps(codec, persons, batch, 1)
    settings = model.head.check_settings(
        dict(model.test_cfg, flip_test=False, use_refinement=False)
    )
    with torch.no_grad():
        head = copy.deepcopy(model.head).cpu()
        fused, _ = decode(head, [maps], torch.full((batch, 2), 4.0), settings)
    return fused._replace(kept=fused.kept & (fused.scores > 0.05))


def pack_and_add(
    model: PINet, fused: FusedPoses, samples: list[PoseDataSample]
) -> list[InstanceData]:
    """Do what `PINet.predict` does on the host after the tensor part."""
    instances, _ = model.head.pack(fused)
    model.add_pred_to_datasample(instances, None, samples)
    return instances


def host_rows(model: PINet, case: Case, device: str) -> Iterator[dict[str, object]]:
    """Measure the host's part alone, and whole predictions.

    Args:
        model: prepared for the case.
        case: gives the batch.
        device: where the model is.
    """
    batch, size = case.batch, model.head.codec.input_size
    samples = _without_targets(make_samples(model.head.codec, batch, 1))
    for persons in PERSONS:
        fused = crowd_poses(model, batch, persons)
        kept = int(fused.kept.sum()) / batch
        ms = _wall(lambda fused=fused: pack_and_add(model, fused, samples))
        yield _row(case, f'packing {kept:.0f} people', ms)
    images = [torch.from_numpy(np.zeros((3, *size[::-1]), dtype=np.uint8)) for _ in range(batch)]
    data = dict(inputs=images, data_samples=samples)
    with torch.no_grad():
        yield _row(
            case,
            'preprocessing: copy and normalize',
            device_time(lambda: model.data_preprocessor(data), device, 0.3),
        )
        test = dict(inputs=images, data_samples=samples)
        yield _row(case, 'whole test_step, uint8 to people', _wall(lambda: model.test_step(test)))


def _without_targets(samples: list[PoseDataSample]) -> list[PoseDataSample]:
    # A prediction has none, and they would be copied to the device.
    for sample in samples:
        del sample.gt_fields, sample.gt_instance_labels, sample.gt_instances
    return samples


def _wall(function: Callable[[], object], seconds: float = 0.5) -> float:
    function()
    times, end = [], time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return 1000 * sorted(times)[len(times) // 2]


def _row(case: Case, what: str, ms: float) -> dict[str, object]:
    return {
        'network': case.network.name,
        'precision': case.precision,
        'batch': case.batch,
        'what': what,
        'ms per image': ms / case.batch,
        'images/s': 1000 * case.batch / ms,
    }
