"""Images and people of a dataset in the memory of one device, and random crops of them.

Data workers read, crop and encode a few hundred images per second; a GPU trains a light network on
more than a thousand. Here every image is read once, and the device crops whole batches itself.

`_img` are pixels of the stored images, `_in` network-input pixels, (x, y) last; sizes are (w, h).
Shape shorthand: I images in all, B images of a batch, N people, K keypoints, w×h input.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmpose.registry import TRANSFORMS
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ..method.batch_targets import People
from .colors import jitter_colors
from .crop_rules import CropRules


class Record(NamedTuple):
    """One image as it is stored.

    Attributes:
        pixels: (h·w,) int32: blue, green, red and whether the heatmap loss may use it, a byte each.
        size: (w, h).
        keypoints_img: (N, K, 2).
        labeled: (N, K) boolean, where finite keypoints are labeled.
        areas_img: (N,) pixels².
        declared: (K,) boolean, the keypoints that the image's source labels at all.
    """

    pixels: np.ndarray
    size: tuple[int, int]
    keypoints_img: np.ndarray
    labeled: np.ndarray
    areas_img: np.ndarray
    declared: np.ndarray


class _Records(Dataset):
    # Reads what `Record` holds; a data worker runs it.

    def __init__(self, dataset: Any, load: BaseTransform):
        self.dataset, self.load = dataset, load
        self.mask = TRANSFORMS.build(dict(type='ValidHeatmapMask'))

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Record:
        info = self.dataset.get_data_info(index)
        results = self.load.transform(info)
        h, w = results['img'].shape[:2]
        whole = dict(
            results,
            input_size=(w, h),
            warp_mat=np.eye(2, 3, dtype=np.float32),
            heatmaps=np.empty((1, h, w), dtype=bool),
        )
        valid = self.mask.transform(whole)['heatmap_mask'][0]
        stored = np.dstack((results['img'], valid)).astype(np.uint8)
        keypoints = np.asarray(info['keypoints'], dtype=np.float32)
        k = keypoints.shape[1]
        labeled = (info['keypoints_visible'] > 0) & np.isfinite(keypoints).all(axis=-1)
        return Record(
            stored.view(np.int32).reshape(-1),
            (w, h),
            np.where(labeled[..., None], keypoints, 0),
            labeled,
            np.asarray(info['area'], dtype=np.float32),
            np.asarray(info.get('labeled_keypoints', np.ones(k)), dtype=bool),
        )


class Crops(NamedTuple):
    """Crops of B images.

    Attributes:
        inputs: (B, 3, h, w) float, blue, green, red in [0, 255]; 0 outside the image.
        valid: (B, h, w) boolean, the pixels that the heatmap loss may use.
        people: of the images, in input pixels.
        declared: (B, K) boolean, see `Record`.
    """

    inputs: Tensor
    valid: Tensor
    people: People
    declared: Tensor


class DeviceImages:
    """The images and people of some datasets on a device.

    Args:
        datasets: in MMPose's form; the first step of their pipelines loads an image.
        rules: how crops of each are drawn.
        input_size: (w, h) of the crops.
        flip_indices: (K,) the mirror image of every keypoint.
        device: where all is stored.
        num_workers: processes that read the images.
    """

    def __init__(
        self,
        datasets: Sequence[Any],
        rules: Sequence[CropRules],
        input_size: tuple[int, int],
        flip_indices: Sequence[int],
        device: torch.device,
        num_workers: int = 0,
    ):
        self.counts = [len(dataset) for dataset in datasets]
        records = [
            record
            for dataset in datasets
            for record in DataLoader(
                _Records(dataset, dataset.pipeline.transforms[0]),
                batch_size=None,
                num_workers=num_workers,
                collate_fn=_as_it_is,
            )
        ]
        self.input_size, self.device = input_size, device
        counts = torch.tensor(self.counts, device=device)
        self.rules = CropRules(
            *(
                torch.tensor(values, device=device).repeat_interleave(counts, dim=0)
                for values in zip(*rules)
            )
        )
        self._store(records)
        self.flip_indices = torch.tensor(flip_indices, device=device)

    def _store(self, records: Sequence[Record]) -> None:
        lengths = np.array([len(record.pixels) for record in records])
        put = self._put
        self.pixels = put(np.concatenate([record.pixels for record in records]))
        self.starts = put(np.cumsum(lengths) - lengths)
        self.sizes = put(np.array([record.size for record in records]))
        self.declared = put(np.stack([record.declared for record in records]))
        most = max(len(record.areas_img) for record in records)
        self.keypoints_img, self.labeled, self.areas_img = (
            put(np.stack([_pad(getattr(record, name), most, fill) for record in records]))
            for name, fill in (('keypoints_img', 0), ('labeled', False), ('areas_img', 1))
        )

    def _put(self, values: np.ndarray) -> Tensor:
        return torch.from_numpy(values).to(self.device)

    def crop(self, rows: Tensor, flip: float = 0.5) -> Crops:
        """Take one random crop of each of B images.

        Args:
            rows: (B,) which images.
            flip: probability that a crop is mirrored.
        """
        rules = CropRules(*(values[rows] for values in self.rules))
        place = _draw_placement(rules, self.sizes[rows], self.input_size, flip)
        inputs, valid = self._sample(rows, place)
        people, declared = self._people(rows, place)
        return Crops(jitter_colors(inputs, rules.color_deltas), valid, people, declared)

    def _sample(self, rows: Tensor, place: '_Placement') -> tuple[Tensor, Tensor]:
        # Bilinear, as OpenCV samples a warped image; outside of the image all is 0.
        w, h = self.input_size
        x, y = torch.meshgrid(*(_steps(side, rows) for side in (w, h)), indexing='xy')
        points = place.to_image(torch.stack((x, y), dim=-1).flatten(0, 1).expand(len(rows), -1, 2))
        corner = points.floor()
        weight_x, weight_y = (points - corner).unbind(-1)
        inputs = torch.zeros(len(rows), 3, h * w, device=rows.device)
        for right, below in ((0, 0), (1, 0), (0, 1), (1, 1)):
            taken = self._read(rows, corner.long() + corner.new_tensor((right, below)).long())
            weight = (weight_x if right else 1 - weight_x) * (weight_y if below else 1 - weight_y)
            for channel in range(3):
                inputs[:, channel] += weight * ((taken >> 8 * channel) & 255)
        valid = self._read(rows, points.round().long()) >> 24 > 0
        return inputs.unflatten(2, (h, w)), valid.unflatten(1, (h, w))

    def _read(self, rows: Tensor, pixels: Tensor) -> Tensor:
        # Stored values (B, P) at pixels (B, P, 2) of images; 0 outside.
        inside = ((pixels >= 0) & (pixels < self.sizes[rows, None])).all(dim=-1)
        x, y = pixels.unbind(-1)
        index = self.starts[rows, None] + y * self.sizes[rows, :1] + x
        return torch.where(inside, self.pixels[torch.where(inside, index, 0)], 0)

    def _people(self, rows: Tensor, place: '_Placement') -> tuple[People, Tensor]:
        labeled, declared = self.labeled[rows], self.declared[rows]
        keypoints_in = place.to_input(self.keypoints_img[rows].flatten(1, 2))
        keypoints_in = keypoints_in.unflatten(1, labeled.shape[1:])
        swapped = self.flip_indices
        mirrored = place.mirrored[:, None]
        labeled = torch.where(mirrored[..., None], labeled[..., swapped], labeled)
        declared = torch.where(mirrored, declared[:, swapped], declared)
        keypoints_in = torch.where(
            mirrored[..., None, None], keypoints_in[:, :, swapped], keypoints_in
        )
        areas_in = self.areas_img[rows] / place.zoom[:, None] ** 2
        return People(keypoints_in, labeled, areas_in), declared


class _Placement(NamedTuple):
    # Where crops lie: center_img (B, 2); zoom (B,) image pixels per input pixel; turn (B, 2, 2)
    # from input to image axes; whether mirrored (B,); middle_in (2,), where the center comes to.

    center_img: Tensor
    zoom: Tensor
    turn: Tensor
    mirrored: Tensor
    middle_in: Tensor

    def to_image(self, points_in: Tensor) -> Tensor:
        # (B, P, 2) pixels of the crops -> of the images.
        offsets = self._mirror(points_in) - self.middle_in
        return offsets @ self.turn.mT * self.zoom[:, None, None] + self.center_img[:, None]

    def to_input(self, points_img: Tensor) -> Tensor:
        # (B, P, 2) pixels of the images -> of the crops.
        offsets = (points_img - self.center_img[:, None]) / self.zoom[:, None, None]
        return self._mirror(offsets @ self.turn + self.middle_in)

    def _mirror(self, points_in: Tensor) -> Tensor:
        last = 2 * self.middle_in[0] - 1
        x = torch.where(self.mirrored[:, None], last - points_in[..., 0], points_in[..., 0])
        return torch.stack((x, points_in[..., 1]), dim=-1)


def _draw_placement(
    rules: CropRules, sizes: Tensor, input_size: tuple[int, int], flip: float
) -> _Placement:
    count, device = len(sizes), sizes.device

    def between(low: Tensor, high: Tensor, *more: int) -> Tensor:
        return low + (high - low) * torch.rand(*low.shape[:1], *more, device=device)

    size_in = torch.tensor(input_size, dtype=torch.float32, device=device)
    sides = sizes / size_in  # image pixels per input pixel, if that axis filled the crop
    whole = torch.where(rules.by_long_side, sides.amax(dim=1), sides.amin(dim=1))
    zoom = between(*rules.scale.unbind(1)) * whole
    shift = between(-rules.shift[:, None], rules.shift[:, None], 2) * size_in * zoom[:, None]
    angle = between(-rules.angle, rules.angle)
    cos, sin = angle.cos(), angle.sin()
    turn = torch.stack((cos, -sin, sin, cos), dim=1).view(count, 2, 2)
    mirrored = torch.rand(count, device=device) < flip
    return _Placement(sizes / 2 + shift, zoom, turn, mirrored, size_in / 2)


def _steps(side: int, like: Tensor) -> Tensor:
    return torch.arange(side, device=like.device, dtype=torch.float32)


def _pad(values: np.ndarray, most: int, fill: float) -> np.ndarray:
    padding = [(0, most - len(values)), *[(0, 0)] * (values.ndim - 1)]
    return np.pad(values, padding, constant_values=fill)


def _as_it_is(record: Any) -> Any:
    return record
