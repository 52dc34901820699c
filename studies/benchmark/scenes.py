"""Inputs of the benchmark: crowds as keypoints and as a network's maps, images, models.

Shape shorthand: N people, B images, V views, K keypoints, M parts, C channels, H×W map. `_in`
are network-input pixels.
"""

import copy
from pathlib import Path

from pinet_mm import api
from pinet_mm.configs import read_config
from pinet_mm.crowdsynth import CrowdSettings, draw_crowd
from pinet_mm.method.views import ViewMirror, mirror_maps
from pinet_mm.models.codec import PINetCodec
from pinet_mm.models.decoding import RawMaps
from pinet_mm.models.estimator import PINet

import numpy as np
import torch
from mmengine.structures import InstanceData, PixelData
from mmpose.apis import init_model
from mmpose.registry import KEYPOINT_CODECS
from mmpose.structures import PoseDataSample


def random_crowd(
    persons: int, num_keypoints: int, input_size: tuple[int, int], seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw people of a fifth of the image, wholly inside it, every keypoint labeled.

    Args:
        persons: N.
        num_keypoints: K.
        input_size: (w, h).
        seed: of the random numbers.

    Returns:
        Keypoints (N, K, 2) in input pixels, labels (N, K), areas (N,) in input pixels².
    """
    rng, size = np.random.default_rng(seed), np.array(input_size)
    middle = rng.uniform(0.1, 0.9, (persons, 1, 2)) * size
    keypoints = middle + rng.uniform(-0.1, 0.1, (persons, num_keypoints, 2)) * size
    areas = rng.uniform(0.005, 0.03, persons) * size.prod()
    return keypoints, np.ones((persons, num_keypoints)), areas


def codec_of_size(codec: dict, input_size: tuple[int, int]) -> PINetCodec:
    """Build a config's codec for inputs of another (w, h), with whole maps of offsets."""
    stride = codec['input_size'][0] // codec['heatmap_size'][0]
    return KEYPOINT_CODECS.build(
        dict(
            copy.deepcopy(dict(codec)),
            input_size=input_size,
            sparse_offsets=False,
            min_area=0,
            heatmap_size=tuple(side // stride for side in input_size),
        )
    )


def crowd_maps(
    codec: PINetCodec,
    persons: int,
    images: int = 1,
    views: int = 2,
    channels: int = 1,
    device: str = 'cpu',
    seed: int = 0,
) -> RawMaps:
    """Make the maps of a network that finds a crowd of `random_crowd`, and some noise beside it.

    The noise gives every part map more peaks than inference takes, as networks do: up to 0.02 high,
    with poses of a tenth of the map. All views of a person agree.

    Args:
        codec: encodes the crowd, whole maps of offsets; its input size is that of the images.
        persons: N in each image.
        images: B, all alike.
        views: V, 1 or 2.
        channels: C of the features, which are random numbers.
        device: where they are; on a CPU the channels of all but the heatmaps come last in memory,
            as `PINet` has them.
        seed: of the random numbers.
    """
    layout, generator = codec.layout, torch.Generator().manual_seed(seed)
    targets = codec.encode(*random_crowd(persons, layout.num_keypoints, codec.input_size, seed))
    heatmaps, offsets, weights = (
        torch.from_numpy(np.asarray(targets[name], dtype=np.float32))
        for name in ('heatmaps', 'offsets', 'offset_weights')
    )
    heatmaps[layout.num_keypoints :] += 0.02 * torch.rand(
        heatmaps[layout.num_keypoints :].shape, generator=generator
    )
    stray = 0.05 * offsets.shape[-1] * torch.randn(offsets.shape, generator=generator)
    offsets = torch.where(weights > 0, offsets, stray)
    features = torch.randn(channels, *heatmaps.shape[1:], generator=generator)
    seen = [(features, heatmaps, offsets)]
    if views == 2:
        seen.append(_mirrored(ViewMirror(layout), features, heatmaps, offsets))
    both = [
        torch.cat([maps.repeat(images, 1, 1, 1) for maps in views_of]).to(device)
        for views_of in zip(*seen)
    ]
    if torch.device(device).type == 'cpu':
        both[0], both[2] = (
            maps.contiguous(memory_format=torch.channels_last) for maps in (both[0], both[2])
        )
    return RawMaps(*both)


def _mirrored(
    mirror: ViewMirror, features: torch.Tensor, heatmaps: torch.Tensor, offsets: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    # In the mirrored input, x offsets point the other way.
    parts = offsets.unflatten(0, (len(mirror.parts), -1, 2)).flip(-1)
    parts = parts[mirror.parts][:, mirror.keypoints] * torch.tensor([-1.0, 1.0])[:, None, None]
    return features.flip(-1), mirror_maps(heatmaps[None], mirror.channels)[0], parts.flatten(0, 2)


def make_samples(codec: PINetCodec, images: int, persons: int) -> list[PoseDataSample]:
    """Encode random crowds as the training pipeline packs them: one per image."""
    samples = []
    for seed in range(images):
        crowd = random_crowd(persons, codec.layout.num_keypoints, codec.input_size, seed)
        fields = codec.encode(*crowd)
        labels = {name: fields.pop(name) for name in codec.label_mapping_table if name in fields}
        mask = np.ones((1, *codec.heatmap_size[::-1]), dtype=bool)
        sample = PoseDataSample()
        sample.gt_fields = PixelData(heatmap_mask=mask, **fields).to_tensor()
        sample.gt_instance_labels = InstanceData(**labels).to_tensor()
        sample.gt_instances = InstanceData(keypoints=crowd[0], keypoints_visible=crowd[1])
        size = np.array(codec.input_size, dtype=np.float32)
        sample.set_metainfo(
            dict(
                area=crowd[2],
                input_size=tuple(codec.input_size),
                input_center=size / 2,
                input_scale=size,
                img_shape=tuple(codec.input_size[::-1]),
            )
        )
        samples.append(sample)
    return samples


def draw_images(count: int, size: tuple[int, int], persons: int) -> list[np.ndarray]:
    """Draw images (h, w, 3) of CrowdSynth, BGR.

    Args:
        count: images.
        size: (w, h).
        persons: that each is asked to hold.
    """
    settings = CrowdSettings(size=size, persons=(persons, persons))
    return [draw_crowd(settings, 0, index, 'test')[0] for index in range(count)]


def has_weights(config: str | Path, checkpoint: str | None) -> bool:
    """Return whether there are trained weights: a checkpoint, or those shipped for the config."""
    try:
        return checkpoint is not None or api.shipped_weights(config).is_file()
    except FileNotFoundError:
        return False


def load_model(config: str | Path, checkpoint: str | None = None, device: str = 'cpu') -> PINet:
    """Load a model; without weights at hand it gets random ones, which take as much time.

    Args:
        config: a file, or the name of one of the project's.
        checkpoint: of its weights, by default those that the package ships for it.
        device: where it computes.
    """
    if has_weights(config, checkpoint):
        return api.load(config, checkpoint, device)
    torch.manual_seed(0)
    return init_model(read_config(config), None, device)
