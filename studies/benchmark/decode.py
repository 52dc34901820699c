"""The time from a network's maps to poses: stage by stage, and beside CID and DEKR."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from pinet_mm.configs import config_path
from pinet_mm.errors import RunError
from pinet_mm.models.decoding import decode
from pinet_mm.models.head import PINetHead

import torch
from mmengine.config import Config
from mmengine.structures import InstanceData

from . import baselines
from .loops import DecodingLoops
from .report import Table
from .scenes import codec_of_size, crowd_maps
from .stages import DecodingStages
from .timing import call_times, chain_times, clock_of, run_chain

CONFIG = 'pinet_hrnet_coco.py'
# What each baseline is compared with, which depends on where it starts: DEKR's maps are final.
OWN = dict(maps='PINet without refinement, from maps', features='PINet, from features')


def build_head(config: str, channels: int, layers: int, input_size: int, device: str) -> PINetHead:
    """Build a config's head with random weights.

    Args:
        config: a file, or the name of one of the project's.
        channels: C.
        layers: residual blocks of the refinement.
        input_size: side of its square input.
        device: where it computes.

    Raises:
        RunError: the head has no refinement, or another convention than the loops'.
    """
    name, config = config, Config.fromfile(config_path(config)).model.head
    if not config.get('refinement') or config.decoder.get('convention', 'paper') != 'paper':
        raise RunError(
            f'decoding is measured of a PINet with refinement, by the convention of the '
            f'paper; found {name}'
        )
    config.decoder.update(input_size=(input_size,) * 2, heatmap_size=(input_size // 4,) * 2)
    config.update(in_channels=channels, refinement=dict(config.refinement, num_layers=layers))
    torch.manual_seed(0)
    return baselines.build_head(config, device)


class Scene:
    """One image's maps and features, and the heads that find its people.

    Args:
        persons: in the image.
        config: see `build_head`.
        channels: C of the features.
        layers: residual blocks of the refinement.
        input_size: side of the square input.
        device: where all is.
    """

    def __init__(
        self,
        persons: int = 30,
        config: str = CONFIG,
        channels: int = 480,
        layers: int = 3,
        input_size: int = 512,
        device: str = 'cpu',
    ):
        self.head = build_head(config, channels, layers, input_size, device)
        self.settings = self.head.check_settings(dict(flip_test=True))
        self.persons, self.device, self.size = persons, device, (input_size,) * 2
        self.codec = codec_of_size(Config.fromfile(config_path(config)).codec, self.size)
        self.maps = crowd_maps(self.codec, persons, channels=channels, device=device)
        self.sample = baselines.sample_of(self.size, self.head.layout.flip_indices)

    def stages(self) -> DecodingStages:
        """Cut PINet's decoding into its stages."""
        return DecodingStages(
            self.head, self.settings, self.maps, self.maps.heatmaps.new_full((1, 2), 4.0)
        )

    def loops(self) -> DecodingLoops:
        """Cut the plain loops of the tests into the same stages."""
        return DecodingLoops(self.head, self.settings, self.maps, [4.0, 4.0])

    def heads(self) -> dict[str, Callable[[], list]]:
        """Return {head and what it starts from: function that finds the people}."""
        head, settings, samples = self.head, self.settings, [self.sample]
        image_per_map = self.maps.heatmaps.new_full((1, 2), 4)

        def from_maps(use_refinement: bool) -> list[InstanceData]:
            own = replace(settings, use_refinement=use_refinement)
            return head.pack(decode(head, [self.maps], image_per_map, own)[0])[0]

        plain, mirrored = self.maps.features.chunk(2)
        channels, k = plain.shape[1], head.layout.num_keypoints
        cid = baselines.build_head(baselines.cid_head(channels, k, self.size), self.device)
        dekr, dekr_maps = baselines.DEKRDecoding(self.size), self._dekr_maps()
        dekr_settings = baselines.dekr_settings(True)
        scores = torch.rand(self.persons, 1, device=self.device)
        person_maps = torch.rand(self.persons, k, *plain.shape[2:], device=self.device)
        found = {
            OWN['maps']: lambda: from_maps(False),
            'DEKR, from maps': lambda: dekr.predict(dekr_maps, samples, dekr_settings),
            "CID, from every person's maps": lambda: cid.decode((person_maps, scores)),
            'PINet with refinement, from maps': lambda: from_maps(True),
            OWN['features']: lambda: head.predict(
                [self.maps.features], samples, dict(flip_test=True)
            ),
            'CID, from features': lambda: cid.predict(
                [[plain], [mirrored]], samples, baselines.cid_settings(True, self.persons)
            ),
        }
        if baselines.why_no_dekr() is None:
            whole = baselines.build_head(baselines.dekr_head(channels, k, self.size), self.device)
            found['DEKR, from features'] = lambda: whole.predict(
                [[plain], [mirrored]], samples, dekr_settings
            )
        return found

    def _dekr_maps(self) -> list:
        # Score maps, one center map among them, and displacements: of the image, and mirrored.
        k, (_, heatmaps, offsets) = self.head.layout.num_keypoints, self.maps
        return [
            [heatmaps[i : i + 1, : k + 1].contiguous(), -offsets[i : i + 1, : 2 * k].contiguous()]
            for i in range(2)
        ]


@torch.no_grad()
def bench_decode(persons: int = 30, repeats: int = 7, device: str = 'cpu', **scene) -> list[Table]:
    """Measure decoding of one image with flip test.

    Args:
        persons: in the image.
        repeats: see `chain_times`.
        device: where it computes; the loops take the CPU.
        **scene: other arguments of `Scene`.

    Raises:
        RunError: the package does not run from a checkout.
    """
    scene = Scene(persons, device=device, **scene)
    stages, loops = scene.stages(), scene.loops()
    run_chain(stages.chain())
    run_chain(loops.chain())
    clock = clock_of(device)
    times = chain_times(dict(ours=stages.chain()), repeats, clock)['ours']
    slow = chain_times(dict(loops=loops.chain()), max(repeats // 3, 1), clock)['loops']
    c, h, w = scene.maps.features.shape[1:]
    k = scene.head.layout.num_keypoints
    note = (
        f'{persons} people, {int(stages.centers.valid.sum())} proposals, 2 views, {k} '
        f'keypoints, {w}×{h} maps, C = {c}; ms, medians.'
    )
    heads = scene.heads()
    functions = call_times(heads, repeats, clock=clock)
    return [
        Table('decode', 'Decoding against plain loops', note, _stage_rows(times, slow)),
        Table(
            'decode',
            'Heads of MMPose on as many people',
            _head_note(),
            _head_rows(functions, {name: baselines.count(head()) for name, head in heads.items()}),
        ),
    ]


def _stage_rows(times: Mapping[str, float], loops: Mapping[str, float]) -> list[dict]:
    times, loops = (
        {
            **each,
            'all': sum(each.values()),
            'all but refinement': sum(ms for name, ms in each.items() if name != 'refinement'),
        }
        for each in (times, loops)
    )
    return [
        {'stage': name, 'ms': ms, 'plain loops, ms': loops[name], 'loops / ms': loops[name] / ms}
        for name, ms in times.items()
    ]


def _head_note() -> str:
    lines = [
        'Both views, up to the people as numpy arrays; ms, medians. "From features" includes '
        "the heads' convolutions, at CID those of every person, at PINet the refinement. The "
        'ratio is to PINet from features or, of the others, to PINet without refinement.'
    ]
    reason = baselines.why_no_dekr()
    return ' '.join([*lines, *([f'{reason}.'] if reason else [])])


def _head_rows(times: Mapping[str, float], persons: Mapping[str, int]) -> list[dict]:
    return [
        {
            'head': name,
            'ms': ms,
            'persons': persons[name],
            'ratio': ms / times[OWN['features' if name.endswith('features') else 'maps']],
        }
        for name, ms in times.items()
    ]
