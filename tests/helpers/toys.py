"""Small models, layouts and people that several test files build on."""

import pinet_mm  # noqa: F401  (repairs MMPose, so it comes before everything that imports it)
from pinet_mm.models.decoding import RawMaps

import numpy as np
import torch
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData, PixelData
from mmpose.registry import KEYPOINT_CODECS, MODELS
from mmpose.structures import PoseDataSample

FIVE = ('head', 'left_hand', 'right_hand', 'left_foot', 'right_foot')
FIVE_FLIPS = [0, 2, 1, 4, 3]


def five_metainfo() -> dict:
    """Dataset metainfo of a person of five keypoints, as a user would write it."""
    swaps = [FIVE[i] if i != k else '' for k, i in enumerate(FIVE_FLIPS)]
    links = [
        ('head', 'left_hand'),
        ('head', 'right_hand'),
        ('head', 'left_foot'),
        ('head', 'right_foot'),
    ]
    return dict(
        dataset_name='five',
        paper_info={},
        keypoint_info={
            i: dict(name=name, id=i, color=[0, 0, 0], type='', swap=swap)
            for i, (name, swap) in enumerate(zip(FIVE, swaps))
        },
        skeleton_info={i: dict(link=link, id=i, color=[0, 0, 0]) for i, link in enumerate(links)},
        joint_weights=[1.0] * 5,
        sigmas=[0.1, 0.05, 0.05, 0.08, 0.08],
    )


COCO_PARTS = dict(head=[0, 1, 2, 3, 4], body=[5, 6, 11, 12], leg=[11, 12, 13, 14, 15, 16])
CROWDPOSE_PARTS = dict(head=[12, 13], body=[0, 1, 6, 7], leg=[6, 7, 8, 9, 10, 11])
# Every function of a name makes the `layout` of a codec. 'six' has parts that are not their own
# mirror image; 'arm' has one without any.
LAYOUTS = dict(
    coco=lambda: dict(metainfo='configs/_base_/datasets/coco.py', parts=COCO_PARTS),
    crowdpose=lambda: dict(metainfo='configs/_base_/datasets/crowdpose.py', parts=CROWDPOSE_PARTS),
    three=lambda: dict(
        metainfo=five_metainfo(),
        parts=dict(
            head=['head'], hands=['left_hand', 'right_hand'], feet=['left_foot', 'right_foot']
        ),
    ),
    one=lambda: dict(
        metainfo=five_metainfo(),
        parts=dict(person='all'),
        skeleton=[('left_hand', 'right_hand'), ('left_foot', 'right_foot')],
    ),
    six=lambda: dict(
        metainfo=five_metainfo(),
        parts=dict(
            head=['head'],
            left=['left_hand', 'left_foot'],
            feet=['left_foot', 'right_foot'],
            right=['right_hand', 'right_foot'],
            hands=['left_hand', 'right_hand'],
            person='all',
        ),
    ),
    arm=lambda: dict(metainfo=five_metainfo(), parts=dict(head=['head'], left=['left_hand'])),
)


def codec_config(layout: str = 'three', size=(128, 128), **options) -> dict:
    """Config of a codec for inputs of (w, h) pixels, stride 4."""
    return dict(
        type='PINetCodec',
        input_size=size,
        heatmap_size=(size[0] // 4, size[1] // 4),
        layout=LAYOUTS[layout](),
        **options,
    )


def build_codec(*args, **options):
    """Build the codec of `codec_config`."""
    return KEYPOINT_CODECS.build(codec_config(*args, **options))


def head_config(
    layout: str = 'three', channels: int = 12, size=(128, 128), layers: int = 1, **options
) -> dict:
    """Config of a head with a small refinement (`layers=0`: without)."""
    refinement = dict(type='PoseRefinement', num_layers=layers) if layers else None
    return dict(
        type='PINetHead',
        in_channels=channels,
        decoder=codec_config(layout, size),
        refinement=refinement,
        **options,
    )


def build_head(*args, seed: int = 0, **options):
    """Build a head whose weights and running statistics are far from their initial values."""
    return scramble(MODELS.build(head_config(*args, **options)), seed)


def scramble(module, seed: int = 0):
    """Draw every parameter and running statistic anew, at a size that shows in the outputs."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in (*module.named_parameters(), *module.named_buffers()):
            if name.endswith('running_var'):
                value.uniform_(0.5, 1.5, generator=generator)
            elif value.is_floating_point() and 'sigmas' not in name:
                value.normal_(0, 0.3, generator=generator)
    return module


def hrnet_config(width: int = 4) -> dict:
    """Config of an HRNet with one module and one block a stage."""
    widths = [width * 2**i for i in range(4)]
    stages = {
        f'stage{n}': dict(
            num_modules=1,
            num_branches=n,
            block='BASIC',
            num_blocks=(1,) * n,
            num_channels=widths[:n],
        )
        for n in (2, 3, 4)
    }
    stages['stage1'] = dict(
        num_modules=1, num_branches=1, block='BOTTLENECK', num_blocks=(1,), num_channels=(8,)
    )
    stages['stage4']['multiscale_output'] = True
    return dict(type='HRNet', in_channels=3, extra=stages)


def model_config(layout: str = 'three', test_cfg=None, width: int = 4, **head) -> dict:
    """Config of a whole, narrow PINet."""
    return dict(
        type='PINet',
        data_preprocessor=dict(
            type='PoseDataPreprocessor', mean=[128, 120, 110], std=[60, 58, 57], bgr_to_rgb=True
        ),
        backbone=hrnet_config(width),
        neck=dict(type='FeatureMapProcessor', concat=True),
        head=head_config(layout, channels=15 * width, **head),
        test_cfg=test_cfg,
    )


def build_in_mmpose(registry, config):
    """Build a config whose classes name no scope, as a runner does."""
    with DefaultScope.overwrite_default_scope('mmpose'):
        return registry.build(config)


def build_model(layout: str = 'three', test_cfg=None, seed: int = 0, **options):
    """Build a narrow PINet in evaluation mode.

    It finds nobody yet, see `awaken`.
    """
    torch.manual_seed(seed)
    model = build_in_mmpose(MODELS, model_config(layout, test_cfg, **options))
    model.eval()
    return model


def awaken(model, inputs):
    """Scale the head's branches until they show on `inputs`: bias 0.5, deviation 0.2; 2 px."""
    with torch.no_grad():
        feats = model.extract_feat(inputs)
        for branch, deviation, bias in (
            (model.head.score_branch, 0.2, 0.5),
            (model.head.part_branch, 0.2, 0.5),
            (model.head.offset_branch, 2, 0.0),
        ):
            torch.nn.init.normal_(branch.weight)
            maps = branch(feats[-1])
            branch.weight /= maps.std(dim=(0, 2, 3))[:, None, None, None] / deviation
            maps = branch(feats[-1])
            branch.bias += bias - maps.mean(dim=(0, 2, 3))
        if model.head.refinement is not None:
            torch.nn.init.normal_(model.head.refinement.predictor[-1].weight, std=0.5)
    return model


def people(count: int, num_keypoints: int, size=(128, 128), seed: int = 0, extent: float = 14):
    """Random people on a grid with room for each: keypoints (N, K, 2) in input pixels."""
    rng = np.random.default_rng(seed)
    columns = max(int(np.ceil(np.sqrt(count * size[0] / size[1]))), 1)
    rows = max(int(np.ceil(count / columns)), 1)
    cell = np.array([size[0] / columns, size[1] / rows])
    corner = np.stack((np.arange(count) % columns, np.arange(count) // columns), axis=-1)
    middle = (corner + rng.uniform(0.45, 0.55, (count, 2))) * cell
    spread = np.minimum(extent, 0.4 * cell)
    shape = rng.uniform(-1, 1, (count, num_keypoints, 2))
    return (middle[:, None] + shape * spread).astype(np.float32)


def make_sample(codec, keypoints, visible=None, area=None, mask=None) -> PoseDataSample:
    """Pack the targets and metainfo of one image that is its own network input."""
    if visible is None:
        visible = np.ones(keypoints.shape[:2], dtype=np.float32)
    if area is None:
        area = np.linspace(400, 900, len(keypoints), dtype=np.float32)
    fields = codec.encode(keypoints, visible, area)
    if mask is None:
        mask = np.ones(fields['heatmaps'].shape[1:], dtype=bool)
    sample = plain_sample(codec.input_size)
    labels = {name: fields.pop(name) for name in codec.label_mapping_table if name in fields}
    sample.gt_fields = PixelData(heatmap_mask=mask[None], **fields).to_tensor()
    sample.gt_instance_labels = InstanceData(**labels).to_tensor()
    return sample


def plain_sample(size) -> PoseDataSample:
    """Metainfo of an image of (w, h) pixels that is its own network input."""
    sample = PoseDataSample()
    size = np.array(size, dtype=np.float32)
    sample.set_metainfo(
        dict(input_size=tuple(int(side) for side in size), input_center=size / 2, input_scale=size)
    )
    return sample


def target_maps(samples):
    """The targets of samples as the network's output: heatmaps and offsets of a batch."""
    return (
        torch.stack([sample.gt_fields.heatmaps for sample in samples]),
        torch.stack([sample.gt_fields.offsets for sample in samples]),
    )


def answer_with(head, heatmaps, offsets):
    """Let a head answer every input with these maps."""
    head.forward = lambda feats: (heatmaps, offsets)
    head.test_maps = lambda feats: RawMaps(feats[-1], heatmaps, offsets)
    return head


def pair_up(found: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Order people (N, K, 2) like the wanted ones, by their largest keypoint distance."""
    distance = np.abs(found[:, None] - wanted[None]).max(axis=(2, 3))
    order = distance.argmin(axis=0)
    assert sorted(order) == list(range(len(found))), 'not one person for each wanted one'
    return order
