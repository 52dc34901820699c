"""PINet as one graph, from pixels to fused poses, and as an ONNX file; `export_check` compares.

Shape shorthand: N pictures, V views (2 with flip test, else 1), K keypoints, M parts, T proposals
a picture, P rows for its persons, H×W input pixels. `_in` are input pixels, (x, y) last; sizes are
(w, h).
"""

import json
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest import mock

import mmpose.models.utils.ops
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import RunError
from ..method.fusion import FusedPoses
from ..method.proposals import KERNELS, Centres, ProposalSampler, find_peaks
from ..method.views import mirror_inputs
from ..models.decoding import PoseDecoder
from ..models.estimator import PINet
from ..onnx_runner import SCHEMA
from .half import store_half

MULTIPLE = 32  # HRNet halves five times
OPSETS = range(18, 24)  # what torch 2.13 translates to
PACKAGES = ('onnx', 'onnxscript', 'onnxruntime')
OUTPUTS = ('keypoints', 'keypoint_scores', 'scores', 'count')


# --- the module that is exported -----------------------------------------------------------------


def pool_any_size(part_maps: Tensor) -> Tensor:
    """Do what `proposals.pool_maps` does in a graph that must choose the window by itself."""
    sides = torch.scalar_tensor(part_maps.shape[-2] + part_maps.shape[-1], device=part_maps.device)
    pooled = part_maps
    for above, kernel in KERNELS:
        larger = F.max_pool2d(part_maps, kernel, stride=1, padding=kernel // 2)
        pooled = torch.where(sides > 2 * above, larger, pooled)
    return pooled


class AnySizeSampler(ProposalSampler):
    """Find peaks of maps whose size is not known yet."""

    def propose(self, part_maps: Tensor, max_per_part: int, part_thr: float) -> Centres:
        """Find the peaks of predicted part maps, see `find_peaks`."""
        return find_peaks(part_maps, max_per_part, part_thr, pool_any_size)


class ExportablePINet(nn.Module):
    """A PINet from pixels to poses in tensors of fixed shapes; it shares the model's weights.

    OKS, which no common scale changes, is computed in input pixels rather than in those of the
    picture.

    Args:
        model: with one scale factor in its `test_cfg`.
        max_poses: P; by default T, so that nobody is left out.

    Raises:
        RunError: the model tests at several scales, or a number is not what a graph can have.
    """

    def __init__(self, model: PINet, max_poses: int | None = None):
        super().__init__()
        settings = model.head.check_settings(model.test_cfg)
        smallest = (MULTIPLE // model.head.decoder.stride) ** 2
        if settings.scale_factors != (1.0,):
            raise RunError(
                'the multi-scale test cannot be exported: set model.test_cfg.scale_factors=[1]'
            )
        if settings.max_per_part > smallest:
            raise RunError(
                f'max_per_part must be at most {smallest}, the pixels of the smallest '
                f'map, to be exported; found {settings.max_per_part}'
            )
        self.num_proposals = settings.max_per_part * model.head.layout.num_parts
        self.max_poses = self.num_proposals if max_poses is None else max_poses
        if self.max_poses < 1:
            raise RunError(f'max_poses must be at least 1; found {max_poses}')
        self.model, self.settings, head = model, settings, model.head
        self.decoder = PoseDecoder(
            head.decoder,
            head.mirror,
            AnySizeSampler(),
            head.offset_branch,
            head.refinement,
            head.fusion,
            settings,
        )

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Find the persons of N pictures.

        Args:
            images: (N, 3, H, W) float32, RGB, 0 to 255; H and W multiples of 32.

        Returns:
            `keypoints` (N, P, K, 2) input pixels, `keypoint_scores` (N, P, K), `scores` (N, P)
            best first, and `count` (N,) int64 persons; 0 in the rows beyond them.
        """
        views = self._normalise(images)
        if self.settings.flip_test:
            views = torch.cat((views, mirror_inputs(views, self.decoder.stride)))
        maps = self.model.head.test_maps(self.model.extract_feat(views))
        image_per_map = images.new_full((images.shape[0], 2), self.decoder.stride)
        return self._pad(self.decoder([maps], image_per_map))

    def _normalise(self, images: Tensor) -> Tensor:
        preprocessor = self.model.data_preprocessor
        if not preprocessor._channel_conversion:  # a network of BGR pictures, as they are read
            images = images.flip(1)
        if not preprocessor._enable_normalize:
            return images
        return (images - preprocessor.mean) / preprocessor.std

    def _pad(self, fused: FusedPoses) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        scores = fused.scores.masked_fill(~fused.kept, -torch.inf)
        scores, order = scores.topk(min(self.max_poses, self.num_proposals))
        found, index = scores > -torch.inf, order[..., None]
        keypoint_scores = fused.keypoint_scores
        if self.decoder.rules.clamp_scores:
            keypoint_scores = keypoint_scores.clamp(0, 1)
        k = fused.keypoints.shape[2]
        keypoints = fused.keypoints.gather(1, index[..., None].expand(-1, -1, k, 2))
        keypoint_scores = keypoint_scores.gather(1, index.expand(-1, -1, k))
        more = max(self.max_poses - self.num_proposals, 0)
        return (
            F.pad(torch.where(found[..., None, None], keypoints, 0), (0, 0, 0, 0, 0, more)),
            F.pad(torch.where(found[..., None], keypoint_scores, 0), (0, 0, 0, more)),
            F.pad(torch.where(found, scores, 0), (0, more)),
            found.sum(dim=1),
        )


# --- writing -------------------------------------------------------------------------------------


def require_packages() -> None:
    """Check that what writes and checks ONNX files is installed.

    Raises:
        RunError: a package is missing.
    """
    missing = [name for name in PACKAGES if not _installed(name)]
    if missing:
        raise RunError(
            f'the export needs {" and ".join(missing)}: pip install '
            f'{" ".join(missing)}, in the versions of requirements.txt'
        )


def _installed(name: str) -> bool:
    try:
        __import__(name)
    except ImportError:
        return False
    return True


@contextmanager
def sizes_of_the_graph():
    """Let MMPose's necks resize to sizes that are not known yet.

    MMPose's `resize` turns sizes into Python numbers, which fixes the size of the traced picture
    in the graph.
    """
    original = mmpose.models.utils.ops.resize

    def resize(
        input, size=None, scale_factor=None, mode='nearest', align_corners=None, warning=True
    ):
        return F.interpolate(input, size, scale_factor, mode, align_corners)

    users = [
        module
        for name, module in list(sys.modules.items())
        if name.startswith('mmpose.') and vars(module).get('resize') is original
    ]
    with ExitStack() as stack:
        for module in users:
            stack.enter_context(mock.patch.object(module, 'resize', resize))
        yield


def export_program(
    module: ExportablePINet, size: tuple[int, int] = (192, 128)
) -> torch.export.ExportedProgram:
    """Trace the module for any N, H and W.

    Args:
        module: in evaluation mode.
        size: of the pictures to trace with; the program does not depend on it.

    Raises:
        RunError: a side of `size` is no multiple of 32, or the model works at one size only.
    """
    if any(side < MULTIPLE or side % MULTIPLE for side in size):
        raise RunError(
            f'the sides of the input must be multiples of {MULTIPLE}; found {size[0]}×{size[1]}'
        )
    batch, h, w = (
        torch.export.Dim(name, min=1, max=most)
        for name, most in (('batch', 1024), ('h', 512), ('w', 512))
    )
    example = torch.zeros(2, 3, size[1], size[0])
    shapes = ({0: batch, 2: MULTIPLE * h, 3: MULTIPLE * w},)
    with sizes_of_the_graph(), torch.no_grad():
        program = torch.export.export(module, (example,), dynamic_shapes=shapes)
    # torch may fix a size that a layer took for a number; only the program's guards tell.
    try:
        program.module()(torch.zeros(1, 3, size[1] + MULTIPLE, size[0] + MULTIPLE))
    except (AssertionError, RuntimeError) as error:
        raise RunError(
            f'the traced model works at {size[0]}×{size[1]} only, for one of its layers '
            f'takes the size for a number: {error}'
        ) from error
    return program


def export_onnx(
    model: PINet,
    path: str | Path,
    max_poses: int | None = None,
    opset: int = 18,
    size: tuple[int, int] = (192, 128),
    half_weights: bool = False,
) -> ExportablePINet:
    """Write a model as one ONNX file, see docs/export.md for what it takes and gives.

    Args:
        model: what `api.load` returns, on the CPU.
        path: of the file.
        max_poses: see `ExportablePINet`.
        opset: of the file.
        size: see `export_program`.
        half_weights: see `storage.store_half`.

    Returns:
        The module that was exported.

    Raises:
        RunError: a package is missing, or an argument is not what can be exported.
    """
    require_packages()
    if opset not in OPSETS:
        raise RunError(f'the opset must be between {OPSETS[0]} and {OPSETS[-1]}; found {opset}')
    module = ExportablePINet(model, max_poses).eval()
    program = torch.onnx.export(
        export_program(module, size),
        dynamo=True,
        opset_version=opset,
        input_names=['images'],
        output_names=OUTPUTS,
        verbose=False,
        optimize=False,
        custom_translation_table={torch.ops.aten.sort.stable: _sort_stable},
    )
    if half_weights:
        store_half(program.model.graph)
    program.optimize()
    for name, axes in (
        ('images', {0: 'batch', 2: 'height', 3: 'width'}),
        *((name, {0: 'batch'}) for name in OUTPUTS),
    ):
        _name_axes(program.model.graph, name, axes)
    _forget_sources(program.model.graph)
    program.model.metadata_props.update(describe(model))
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    program.save(str(path), external_data=False)
    return module


def _forget_sources(graph) -> None:
    # Nodes keep stack traces, with the paths of the machine that exported them.
    for node in graph.all_nodes():
        for each in (node, *node.outputs):
            each.metadata_props.clear()


def _name_axes(graph, name: str, axes: dict[int, str]) -> None:
    (value,) = (each for each in (*graph.inputs, *graph.outputs) if each.name == name)
    value.shape = type(value.shape)(axes.get(axis, side) for axis, side in enumerate(value.shape))


def _sort_stable(self, stable: bool = False, dim: int = -1, descending: bool = False):
    # TopK gives equal elements in the order of their indices: it is stable.
    from onnxscript import opset18 as op

    length = op.Gather(op.Shape(self), op.Constant(value_ints=[dim]))
    return op.TopK(self, length, axis=dim, largest=int(descending), sorted=1)


def describe(model: PINet) -> dict[str, str]:
    """Compose what the file says of itself: strings, of which two hold JSON."""
    return dict(
        schema=SCHEMA,
        config=Path(model.cfg.filename or '').name,
        resize=json.dumps(_resize(model)),
        dataset_meta=json.dumps(model.dataset_meta, default=_plain),
    )


def _resize(model: PINet) -> dict:
    # The arguments of `onnx_runner.fit`; empty if pictures are resized in another way.
    defaults = dict(
        BottomupResize=dict(size_factor=32, resize_mode='fit'),
        WholeCentreResize=dict(size_factor=64, resize_mode='expand'),
    )
    for step in model.cfg.test_dataloader.dataset.pipeline:
        if step['type'] in defaults:
            step = dict(defaults[step['type']], **step)
            if step['resize_mode'] == 'expand' and not step.get('use_udp'):
                return dict(
                    kind=step['type'], size=list(step['input_size']), multiple=step['size_factor']
                )
    return {}


def _plain(value):
    return sorted(value) if isinstance(value, set) else np.asarray(value).tolist()
