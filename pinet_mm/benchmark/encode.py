"""How long encoding takes: the codec, the naive loops of the tests, MMPose's SPR codec."""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Dict, List, Sequence, Tuple

import numpy as np
from mmengine.config import Config
from mmpose.codecs import SPR

from ..api import config_path
from ..codec import PINetCodec
from ..runner import RunError
from .timing import processor_times

CONFIG = 'pinet_hrnet_crowdpose.py'


def naive_loops() -> ModuleType:
    """Import `tests/naive.py` of the checkout.

    Raises:
        RunError: the package does not run from a checkout.
    """
    path = Path(__file__).parents[2] / 'tests' / 'naive.py'
    if not path.is_file():
        raise RunError(f'the naive loops are part of a checkout, not of an installed package; '
                       f'there is no {path}')
    spec = importlib.util.spec_from_file_location('naive', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def random_crowd(persons: int, num_keypoints: int, input_size: Tuple[int, int],
                 seed: int = 0) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw persons of a fifth of the picture, wholly inside it, every keypoint labelled.

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


def bench_encode(persons: Sequence[int] = (2, 10, 30, 100),
                 repeats: int = 7) -> List[Dict[str, object]]:
    """Measure encoding of CrowdPose's keypoints on 128×128 maps, a row for each crowd.

    Times are milliseconds of processor time, medians. SPR encodes one centre and keypoint maps;
    the three after it are PINet's, and the last two columns tell how often whole and sparse
    encoding go into the naive loops.

    Args:
        persons: sizes of the crowds.
        repeats: see `processor_times`.

    Raises:
        RunError: the package does not run from a checkout.
    """
    naive, config = naive_loops(), dict(Config.fromfile(config_path(CONFIG)).codec)
    config.pop('type')
    codecs = {name: PINetCodec(**dict(config, convention=convention, sparse_offsets=sparse))
              for name, convention, sparse in (
                  ('whole', 'paper', False), ('sparse', 'paper', True),
                  ('release, whole', 'release', False))}
    codec = codecs['whole']
    spr = SPR(codec.input_size, codec.heatmap_size, sigma=(4, 2), generate_keypoint_heatmaps=True,
              minimal_diagonal_length=32**0.5, background_weight=0.1)
    rows = []
    for count in persons:
        crowd = random_crowd(count, codec.layout.num_keypoints, codec.input_size)
        functions = dict(naive=lambda crowd=crowd: naive.encode(
            *crowd, codec.layout.parts, codec.heatmap_size, codec.stride))
        functions['SPR'] = lambda crowd=crowd: spr.encode(*crowd[:2])
        functions.update({name: lambda each=each, crowd=crowd: each.encode(*crowd)
                          for name, each in codecs.items()})
        times = processor_times(functions, repeats)
        rows.append(dict(persons=count, **times, **{
            f'naive / {name}': times['naive'] / times[name] for name in ('whole', 'sparse')}))
    return rows
