"""Parts of the exported graph against the functions that they replace."""

import contextlib

from pinet_mm import api
from pinet_mm.errors import RunError
from pinet_mm.export import graph as export
from pinet_mm.export import module as exportable
from pinet_mm.method.fusion import fuse_poses
from pinet_mm.method.proposals import pool_maps

import numpy as np
import pytest
import torch
from mmpose.models.necks import fmap_proc_neck

pytest.importorskip('onnxscript', reason='the export needs pip install onnx onnxscript onnxruntime')
import onnxruntime  # noqa: E402

from tests.helpers.exports import crowd, people

# --- the parts that a graph needs otherwise ------------------------------------------------------


class _Function(torch.nn.Module):
    def __init__(self, function):
        super().__init__()
        self.forward = function


def run_as_onnx(function, example, others, dynamic_shapes):
    """Export a function with an example, and run it on others."""
    program = torch.onnx.export(
        _Function(function),
        example,
        dynamo=True,
        opset_version=18,
        verbose=False,
        dynamic_shapes=dynamic_shapes,
        custom_translation_table={torch.ops.aten.sort.stable: export._sort_stable},
    )
    session = onnxruntime.InferenceSession(program.model_proto.SerializeToString())
    for inputs in others:
        yield session.run(
            None, {value.name: array.numpy() for value, array in zip(session.get_inputs(), inputs)}
        )


def test_the_window_of_peaks_follows_the_size_of_the_maps():
    # (H + W) / 2 of 200 pools 3×3, above it 5×5; 300 does so too, above it 7×7.
    sizes = ((20, 30), (200, 200), (201, 200), (300, 300), (300, 301))
    maps = [torch.rand(1, 2, *size) for size in sizes]
    sides = {2: torch.export.Dim('h', max=512), 3: torch.export.Dim('w', max=512)}
    outputs = run_as_onnx(
        exportable.pool_any_size, (torch.rand(1, 2, 40, 50),), [(each,) for each in maps], (sides,)
    )
    for each, (found,) in zip(maps, outputs):
        np.testing.assert_array_equal(found, pool_maps(each))


def test_equal_scores_keep_their_order():
    def poses(batch):
        generator = torch.Generator().manual_seed(batch)
        keypoints = torch.rand(batch, 8, 5, 2, generator=generator) * 20
        scores = torch.rand(batch, 8, 5, generator=generator)
        ranks = torch.rand(batch, 8, generator=generator).mul(2).round()
        return keypoints, scores, ranks, torch.rand(batch, 8, generator=generator) > 0.2

    def fuse(keypoints, keypoint_scores, ranks, valid):
        fused = fuse_poses(keypoints, keypoint_scores, torch.full((5,), 0.1), ranks, valid, 0.3)
        return fused.sources, fused.kept

    batches = [poses(batch) for batch in (1, 7)]
    outputs = run_as_onnx(fuse, poses(2), batches, ({0: torch.export.Dim('batch')},) * 4)
    for inputs, (sources, kept) in zip(batches, outputs):
        expected, wanted = fuse(*inputs)
        np.testing.assert_array_equal(kept, wanted)
        np.testing.assert_array_equal(sources[kept], expected[wanted])


@pytest.mark.parametrize('rows', [2, 15, 20])
@torch.no_grad()
def test_the_best_people_fill_the_rows(model, rows):
    (image,) = crowd((128, 128))
    wanted = people(next(api.predict(model, [image])))
    n = min(rows, len(wanted[0]))
    assert 2 < len(wanted[0]) < 15
    rgb = torch.from_numpy(image[..., ::-1].transpose(2, 0, 1).astype(np.float32))
    *found, count = exportable.ExportablePINet(model, rows)(rgb[None])
    assert count.tolist() == [n] and [len(each[0]) for each in found] == [rows] * 3
    for values, expected in zip(found, wanted):
        np.testing.assert_allclose(values[0, :n], expected[:n], atol=1e-3)
        assert not values[0, n:].any()


def test_mmposes_resize_is_back_after_the_export():
    original = fmap_proc_neck.resize
    with pytest.raises(KeyError), export.sizes_of_the_graph():
        assert fmap_proc_neck.resize is not original
        raise KeyError
    assert fmap_proc_neck.resize is original


@torch.no_grad()
def test_networks_of_bgr_images_take_rgb_too(model, monkeypatch):
    monkeypatch.setattr(model.data_preprocessor, '_channel_conversion', False)
    (image,) = crowd((128, 128))
    wanted = people(next(api.predict(model, [image])))
    rgb = torch.from_numpy(image[..., ::-1].transpose(2, 0, 1).astype(np.float32))
    keypoints, _, _, count = exportable.ExportablePINet(model)(rgb[None])
    np.testing.assert_allclose(keypoints[0, : count[0]], wanted[0], atol=1e-3)


FIXED = torch.zeros(1, 3, 96, 160)


@pytest.mark.parametrize(
    'fixes, reason',
    [
        (lambda images: images + FIXED, 'Constraints violated'),  # such as a position embedding
        (lambda images: images.flatten(2).view(images.shape[0], 3, 96, 160), 'Guard failed'),
    ],
)
def test_layers_that_fix_the_size_are_noticed(fixes, reason):
    with pytest.raises(RunError, match=f'size of an image as a number; .* 160×96.*: {reason}'):
        export.export_program(_Function(fixes), (160, 96))


def test_mmposes_own_resize_fixes_the_size(model, monkeypatch):
    # After a convolution torch says nothing.
    monkeypatch.setattr(export, 'sizes_of_the_graph', contextlib.nullcontext)
    with pytest.raises(RunError, match='none of its layers uses the size of an image'):
        export.export_program(exportable.ExportablePINet(model).eval(), (160, 96))
