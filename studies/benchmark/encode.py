"""The time of encoding: the codec, the naive loops of the tests, MMPose's SPR codec."""

from collections.abc import Sequence

from pinet_mm.configs import config_path
from pinet_mm.models.codec import PINetCodec

from mmengine.config import Config
from mmpose.codecs import SPR

from .. import naive
from .report import Table
from .scenes import random_crowd
from .timing import call_times

CONFIG = 'pinet_hrnet_crowdpose.py'


NOTE = (
    "CrowdPose's 14 keypoints on 128×128 maps; ms of processor time, medians. SPR encodes one "
    'center.'
)


def bench_encode(persons: Sequence[int] = (2, 10, 30, 100), repeats: int = 7) -> list[Table]:
    """Measure encoding of CrowdPose's keypoints on 128×128 maps, a row for each crowd.

    Times are milliseconds of processor time, medians. SPR encodes one center and keypoint maps;
    the three columns after it are PINet's. The last two are the speedups of whole and sparse
    encoding over the naive loops.

    Args:
        persons: sizes of the crowds.
        repeats: see `chain_times`.
    """
    config = dict(Config.fromfile(config_path(CONFIG)).codec)
    config.pop('type')
    codecs = {
        name: PINetCodec(**dict(config, convention=convention, sparse_offsets=sparse))
        for name, convention, sparse in (
            ('whole', 'paper', False),
            ('sparse', 'paper', True),
            ('release, whole', 'release', False),
        )
    }
    codec = codecs['whole']
    spr = SPR(
        codec.input_size,
        codec.heatmap_size,
        sigma=(4, 2),
        generate_keypoint_heatmaps=True,
        minimal_diagonal_length=32**0.5,
        background_weight=0.1,
    )
    rows = []
    for count in persons:
        crowd = random_crowd(count, codec.layout.num_keypoints, codec.input_size)
        functions = dict(
            naive=lambda crowd=crowd: naive.encode(
                *crowd, codec.layout.parts, codec.heatmap_size, codec.stride
            )
        )
        functions['SPR'] = lambda crowd=crowd: spr.encode(*crowd[:2])
        functions.update(
            {
                name: lambda each=each, crowd=crowd: each.encode(*crowd)
                for name, each in codecs.items()
            }
        )
        times = call_times(functions, repeats)
        rows.append(
            dict(
                persons=count,
                **times,
                **{f'naive / {name}': times['naive'] / times[name] for name in ('whole', 'sparse')},
            )
        )
    return [Table('encode', 'Encoding the targets of an image', NOTE, rows)]
