"""An exported PINet in 8 bits: backbone and neck compute in integers, the head in float32."""

import logging
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ..errors import RunError
from ..inference.sources.images import find_images, read_image
from ..models.estimator import PINet
from ..onnx_runner import OnnxPoses
from .check import check, check_quantized
from .graph import FEATURES, export_onnx

MOST_IMAGES = 64  # chosen, not measured: each costs a pass of the float32 file


def export_int8(model: PINet, path: str | Path, inputs: Iterable[str | Path], **options) -> str:
    """Write a model as an 8-bit ONNX file, check it, and report in a few lines.

    Args:
        model: what `api.load` returns, on the CPU.
        path: of the file.
        inputs: images and folders, see `quantize_onnx`; of more than 64 images, 64 are taken,
            evenly spread.
        **options: of `export_onnx`.

    Raises:
        FileNotFoundError: there is no such image.
        RunError: see `export_onnx` and `check`; or weights are to be stored in float16 as well.
        ValueError: a file is no image, or the config resizes images in an unknown way.
    """
    if options.get('half_weights'):
        raise RunError('weights are stored in 8 bits or in float16, not in both')
    files = find_images(inputs)
    count = min(len(files), MOST_IMAGES)
    images = [read_image(files[i * len(files) // count]) for i in range(count)]
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / 'float32'
        export_onnx(model, whole, **options)
        report = check(whole, model, 'before quantization')
        quantize_onnx(whole, path, images)
        return f'{report}\n{check_quantized(path, whole, images)}'


def quantize_onnx(source: str | Path, path: str | Path, images: Sequence[np.ndarray]) -> None:
    """Write an 8-bit copy of what `export_onnx` wrote; it is run in the same way.

    Weights are quantized by output channel, activations by tensor, over the range that they have on
    the images (static quantization of ONNX Runtime). Weights use 7 of the 8 bits: a CPU without
    VNNI adds two products in 16 bits, which 8-bit weights would overflow.

    Args:
        source: the file.
        path: of the copy.
        images: (h, w, 3) uint8, BGR, such as the model will see; a few dozen.

    Raises:
        RunError: there are no images, or the graph has no head of PINet.
        ValueError: the file was not written by `export_onnx`, or does not say how to resize.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_static

    if not len(images):
        raise RunError('quantization needs images; found none')
    activations = _Activations(OnnxPoses(source), images)
    nodes = before_head(onnx.load(source).graph)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with _without_advice():
        quantize_static(
            source,
            path,
            activations,
            per_channel=True,
            reduce_range=True,
            nodes_to_quantize=nodes,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )


def before_head(graph) -> list[str]:
    """Return the names of the nodes that compute the head's features: backbone and neck.

    The head needs more precision than 8 bits have. A norm that could not be fused with its
    convolution is left out: it stays in float32.

    Args:
        graph: of an exported PINet.

    Raises:
        RunError: it has no such head.
    """
    makers = {name: node for node in graph.node for name in node.output}
    left = [name for name in makers if re.fullmatch(rf'{FEATURES}(_\d+)?', name)]
    if not left:
        raise RunError(
            f'the graph has no value called {FEATURES!r}, which the head takes: was it written by '
            'tools/export_onnx.py of this version?'
        )
    found = {}
    while left:
        node = makers.get(left.pop())
        # What scales the image is no network: its coordinates would be off by pixels in 8 bits.
        if node is not None and node.op_type != 'GridSample' and node.output[0] not in found:
            found[node.output[0]] = node
            left += node.input
    return [node.name for node in found.values() if node.op_type != 'BatchNormalization']


class _Activations:
    # ONNX Runtime calls `get_next` for inputs until there is none.

    def __init__(self, runner: OnnxPoses, images: Sequence[np.ndarray]):
        self.inputs: Iterator[dict] = ({'images': runner.to_input(image)[1]} for image in images)

    def get_next(self) -> dict | None:
        return next(self.inputs, None)


@contextmanager
def _without_advice():
    # ONNX Runtime advises preparing the file with its own tool, which fuses no further norm and
    # costs a dependency.
    def is_none(record: logging.LogRecord) -> bool:
        return 'pre-processing before quantization' not in record.getMessage()

    root = logging.getLogger()
    root.addFilter(is_none)
    try:
        yield
    finally:
        root.removeFilter(is_none)
