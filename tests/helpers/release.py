"""What is compared with the arrays that the authors' code computed: codecs, networks, samples."""

from copy import deepcopy
from functools import lru_cache

from pinet_mm.checkpoints.names import release_to_ours

import numpy as np
import torch
from mmengine.config import Config
from mmengine.structures import InstanceData, PixelData
from mmpose.registry import MODELS
from mmpose.structures import PoseDataSample

from tests.helpers import golden_arrays
from tests.helpers.golden_arrays import thin
from tests.helpers.toys import build_in_mmpose

ATOL = dict(targets=1e-6, features=1e-3, score_maps=2e-4, offsets=1.2e-3, pixels=1e-3, scores=1e-6)
STRIDE, NO_BODY = 4, 32**2
FOLDERS = golden_arrays.folders()


@lru_cache(maxsize=4)
def load(folder, kind, dataset):
    return golden_arrays.load(folder, kind, dataset)


def close(found, wanted, name, atol, rtol=0):
    """Compare with an array of which the compact copy may hold a part."""
    found = found.detach().numpy() if isinstance(found, torch.Tensor) else np.asarray(found)
    if found.shape != wanted.shape:
        found = thin(name, found)
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, atol=atol, rtol=rtol, err_msg=name)


def make_codec(dataset, size, sparse_offsets=False):
    """Make the codec of a dataset's config for inputs of (w, h), under the release's rules."""
    codec = Config.fromfile(f'configs/pinet_hrnet_{dataset}_release.py').codec
    assert codec.convention == 'release'
    assert codec.get('min_area', 0) == (NO_BODY if dataset == 'coco' else 0)
    codec.update(
        input_size=size,
        heatmap_size=tuple(side // STRIDE for side in size),
        sparse_offsets=sparse_offsets,
    )
    return codec


def release_model(folder, dataset, test_cfg=None):
    """Build the narrow network of the arrays from the dataset's config, with their weights."""
    model = deepcopy(_trained(folder, dataset))
    model.head.check_settings(test_cfg or {})
    model.test_cfg = test_cfg
    return model


@lru_cache(maxsize=4)
def _trained(folder, dataset):
    arrays = load(folder, 'network', dataset)
    config = Config.fromfile(f'configs/pinet_hrnet_{dataset}_release.py').model
    widths = arrays['num_channels'].tolist()
    for stage in (2, 3, 4):
        config.backbone.extra[f'stage{stage}'].num_channels = widths[:stage]
    config.backbone.init_cfg = None
    config.head.update(
        in_channels=int(arrays['output_dim']), decoder=make_codec(dataset, (128, 128))
    )
    assert config.head.refinement.num_layers == arrays['num_layers']
    config.test_cfg = None
    model = build_in_mmpose(MODELS, config)
    release = {
        name[3:]: torch.from_numpy(value)
        for name, value in arrays.items()
        if name.startswith('sd/')
    }
    missing = model.load_state_dict(release_to_ours(release), strict=True)
    assert not missing.missing_keys and not missing.unexpected_keys
    return model.eval()


class Recorder:
    """Keep what passes through a head: proposals, inputs and result of fusion, refinement."""

    def __init__(self, head):
        self.centers = self.fusion_inputs = self.fused = self.refinement = self.maps = None
        for name in ('propose', 'sample'):
            setattr(head.sampler, name, self._keep_centers(getattr(head.sampler, name)))
        head.fusion.register_forward_hook(self._keep_fusion)
        if head.refinement is not None:
            head.refinement.refine_once = self._keep_refinement(head.refinement.refine_once)

    def _keep_centers(self, method):
        def wrapped(*args):
            self.centers = method(*args)
            return self.centers

        return wrapped

    def _keep_fusion(self, module, inputs, result):
        self.fusion_inputs, self.fused = inputs, result

    def _keep_refinement(self, method):
        def wrapped(*args):
            refined = method(*args)
            self.refinement = args, refined.offsets
            return refined

        return wrapped


def image_sample(map_shape, center=None, scale=None):
    """Metainfo of one image; by default it is its own network input."""
    size = np.array(map_shape[::-1]) * STRIDE
    sample = PoseDataSample()
    sample.set_metainfo(
        dict(
            input_size=tuple(size.tolist()),
            input_center=size / 2 if center is None else center,
            input_scale=size.astype(float) if scale is None else scale,
        )
    )
    return sample


# --- training ------------------------------------------------------------------------------------


def training_samples(arrays, codec):
    """Encode the two training images."""
    samples = []
    for i in range(2):
        joints = arrays[f'train_joints{i}']
        fields = codec.encode(
            joints[..., :2] * STRIDE, joints[..., 2], arrays[f'train_area{i}'][:, 0]
        )
        mask = np.ones((1, *fields['heatmaps'].shape[1:]), dtype=bool)
        if i == 1:
            mask[:, 0:9, 20:32] = False
        samples.append(PoseDataSample())
        labels = {name: fields.pop(name) for name in codec.label_mapping_table if name in fields}
        samples[-1].gt_fields = PixelData(heatmap_mask=mask, **fields).to_tensor()
        samples[-1].gt_instance_labels = InstanceData(**labels).to_tensor()
    return samples
