"""PINet as an ONNX file: the exported module traced for any size, translated, described.

Sizes are (w, h).
"""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import mmpose.models.utils.ops
import numpy as np
import torch
import torch.nn.functional as F

from ..datasets.wrapped import bare_name, predicting_steps, steps_named
from ..environment.installing import install_extra
from ..errors import RunError
from ..models.estimator import PINet
from ..onnx_runner import SCHEMA
from .half import store_half
from .module import MULTIPLE, ExportablePINet, StepsToo, num_proposals

OPSETS = range(18, 24)  # what torch 2.13 translates to
PACKAGES = ('onnx', 'onnxscript', 'onnxruntime')
OUTPUTS = ('keypoints', 'keypoint_scores', 'scores', 'count')
FEATURES = 'features'  # the head's inputs in the graph are called features_0 and so on, by scale
# Names in the graph of the poses before fusion, see `StepsToo`.
PROPOSALS = ('proposals', 'proposal_keypoint_scores', 'proposal_valid')


def require_packages() -> None:
    """Check that what writes and checks ONNX files is installed.

    Raises:
        RunError: a package is missing.
    """
    missing = [name for name in PACKAGES if not _installed(name)]
    if missing:
        raise RunError(f'the export needs {" and ".join(missing)}: {install_extra("export")}')


def _installed(name: str) -> bool:
    try:
        __import__(name)
    except ImportError:
        return False
    return True


@contextmanager
def sizes_of_the_graph() -> Iterator[None]:
    """Make MMPose's necks resize to sizes that are not known yet, within the block.

    MMPose's `resize` turns sizes into Python numbers, which fixes the size of the traced image
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
    try:
        for module in users:
            vars(module).update(resize=resize)
        yield
    finally:
        for module in users:
            vars(module).update(resize=original)


def export_program(
    module: ExportablePINet, size: tuple[int, int] = (192, 128)
) -> torch.export.ExportedProgram:
    """Trace the module for any N, H and W.

    Args:
        module: in evaluation mode.
        size: of the images to trace with; the program does not depend on it.

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
    try:
        with sizes_of_the_graph(), torch.no_grad():
            program = torch.export.export(module, (example,), dynamic_shapes=shapes)
        # torch may fix a size without a word; running another size shows it.
        program.module()(torch.zeros(1, 3, size[1] + MULTIPLE, size[0] + MULTIPLE))
    except (AssertionError, RuntimeError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise RunError(
            'a model can be exported only if none of its layers uses the size of an image as a '
            f'number; traced at {size[0]}×{size[1]}, this one fails: {reason}'
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
    """Write a model as one ONNX file, see docs/export.md for its inputs and outputs.

    Args:
        model: what `api.load` returns, on the CPU.
        path: of the file.
        max_poses: see `ExportablePINet`.
        opset: of the file.
        size: see `export_program`.
        half_weights: see `half.store_half`.

    Returns:
        The module that was exported.

    Raises:
        RunError: a package is missing, or an argument is not what can be exported.
    """
    require_packages()
    if opset not in OPSETS:
        raise RunError(f'the opset must be between {OPSETS[0]} and {OPSETS[-1]}; found {opset}')
    module = ExportablePINet(model, max_poses).eval()
    steps = StepsToo(model, max_poses).eval()
    names = (*OUTPUTS, *PROPOSALS, *features_of(len(steps.settings.scale_factors)))
    program = _translate(export_program(steps, size), opset, names)
    if half_weights:
        store_half(program.model.graph)
    program.optimize()
    _finish(program.model.graph)
    program.model.metadata_props.update(describe(model))
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    program.save(str(path), external_data=False)
    return module


def features_of(num_scales: int) -> list[str]:
    """Return the names of the head's inputs in a graph."""
    return [f'{FEATURES}_{scale}' for scale in range(num_scales)]


def _translate(
    program: torch.export.ExportedProgram, opset: int, names: Sequence[str]
) -> torch.onnx.ONNXProgram:
    return torch.onnx.export(
        program,
        dynamo=True,
        opset_version=opset,
        input_names=['images'],
        output_names=names,
        verbose=False,
        optimize=False,
        custom_translation_table={torch.ops.aten.sort.stable: _sort_stable},
    )


def _finish(graph) -> None:
    # These were outputs only to keep their names through optimization.
    del graph.outputs[len(OUTPUTS) :]
    _name_axes(graph, 'images', {0: 'batch', 2: 'height', 3: 'width'})
    for name in OUTPUTS:
        _name_axes(graph, name, {0: 'batch'})
    _forget_sources(graph)


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
    """Return the metadata of the file: strings, three of which hold JSON."""
    layout, warning = model.head.layout, getattr(model, 'warning', '')
    return dict(
        schema=SCHEMA,
        config=Path(model.cfg.filename or '').name,
        resize=json.dumps(_resize(model)),
        dataset_meta=json.dumps(model.dataset_meta, default=_plain),
        parts=json.dumps(dict(zip(layout.part_names, layout.parts))),
        score=model.score_kind,
        **(dict(warning=warning) if warning else {}),
    )


def _resize(model: PINet) -> dict:
    # The arguments of `onnx_runner.fit`; empty if images are resized in another way.
    defaults = dict(
        BottomupResize=dict(size_factor=32, resize_mode='fit'),
        WholeCentreResize=dict(size_factor=64, resize_mode='expand'),
    )
    for step in steps_named(predicting_steps(model.cfg), *defaults):
        kind = bare_name(step)
        step = dict(defaults[kind], **step)
        if step['resize_mode'] == 'expand' and not step.get('use_udp'):
            return dict(kind=kind, size=list(step['input_size']), multiple=step['size_factor'])
    return {}


def _plain(value):
    return sorted(value) if isinstance(value, set) else np.asarray(value).tolist()


def note_on_rows(model: PINet, max_poses: int | None) -> str | None:
    """Return a line if the file has fewer rows for people than the model proposes poses.

    Args:
        model: that was exported.
        max_poses: rows for the people of an image; None: one for every proposal.
    """
    settings = model.head.check_settings(model.test_cfg)
    proposals = num_proposals(settings, model.head.layout)
    if max_poses is None or max_poses >= proposals:
        return None
    return (
        f'--max-poses {max_poses}: of an image with more people the file gives the {max_poses} '
        f'best, and where it gives {max_poses} there may be more; without the option it has '
        f'{proposals} rows, one for every proposal'
    )
