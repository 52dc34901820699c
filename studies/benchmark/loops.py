"""Decoding as the plain loops of the tests, stage by stage, to race against.

Shape shorthand: V views, K keypoints, M parts, C channels, H×W map; one image. `_hm` are map
pixels, (x, y) last.
"""

import math
from collections.abc import Mapping

from pinet_mm.method.proposals import pool_kernel
from pinet_mm.models.decoding import RawMaps
from pinet_mm.models.head import PINetHead
from pinet_mm.models.test_cfg import TestSettings

import numpy as np

from .. import naive
from .stages import DECODING
from .timing import Chain, chain_of


class DecodingLoops:
    """The stages of `DecodingStages` for one image, with a refinement, in the paper's convention.

    Loops over views, proposals, keypoints and pixels; numpy works along channels.

    Args:
        head: gives the layout and the weights of the refinement.
        settings: of the test.
        maps: of one image, V views.
        image_per_map: (2,) original pixels per map pixel.
    """

    def __init__(
        self, head: PINetHead, settings: TestSettings, maps: RawMaps, image_per_map: np.ndarray
    ):
        self.naive, self.layout, self.settings = naive, head.layout, settings
        self.features, self.maps, self.offsets = (each.cpu().contiguous().numpy() for each in maps)
        self.image_per_map, self.stride = np.asarray(image_per_map), head.codec.stride
        self.weights = {
            name: value.detach().cpu().numpy()
            for name, value in head.refinement.state_dict().items()
        }
        self.part_flips = (
            self.layout.part_flip_indices if settings.flip_test else range(self.layout.num_parts)
        )

    def chain(self) -> Chain:
        """Name the stages in their order; the last one returns the people, see `packing`."""
        return chain_of(self, *DECODING)

    def average(self) -> None:
        """Average the score maps of both views."""
        self.heatmaps = self.maps[0]
        if self.settings.flip_test:
            k = self.layout.num_keypoints
            swaps = [*self.layout.flip_indices, *(k + part for part in self.part_flips)]
            self.heatmaps = np.array(
                [
                    (plain + self.maps[1][swap][:, ::-1]) / 2
                    for plain, swap in zip(self.maps[0], swaps)
                ]
            )

    def peaks(self) -> None:
        """List the peaks (part, x, y, score) of the part maps."""
        kernel = pool_kernel(*self.heatmaps.shape[1:])
        self.centers = [
            (part, *peak)
            for part in range(self.layout.num_parts)
            for peak in self.naive.sample_peaks(
                self.heatmaps[self.layout.num_keypoints + part],
                kernel,
                self.settings.max_per_part,
                self.settings.part_thr,
            )
        ]

    def gather(self) -> None:
        """Read the poses that every view proposes, each (view, x, y, pose)."""
        last, self.proposed = self.maps.shape[-1] - 1, []
        for part, x, y, _ in self.centers:
            self.proposed.append((0, x, y, self._read_pose(0, part, x, y)))
            if self.settings.flip_test:
                pose = self._read_pose(1, self.part_flips[part], last - x, y)
                self.proposed.append((1, last - x, y, pose))

    def _read_pose(self, view: int, part: int, x: int, y: int) -> list[tuple]:
        first = part * 2 * self.layout.num_keypoints
        return [
            (
                x - self.offsets[view, first + 2 * k, y, x],
                y - self.offsets[view, first + 2 * k + 1, y, x],
            )
            for k in range(self.layout.num_keypoints)
        ]

    def sampling(self) -> None:
        """Read the features at keypoints and part centers."""
        self.nodes = [
            np.array([read_features(self.features[view], *point) for point in pose])
            for view, _, _, pose in self.proposed
        ]
        self.center = [self.features[view, :, y, x] for view, x, y, _ in self.proposed]

    def refinement(self) -> None:
        """Run the graph network, pose by pose."""
        self.refined = [
            np.array(pose) - refine_pose(self.weights, nodes, center)
            for (*_, pose), nodes, center in zip(self.proposed, self.nodes, self.center)
        ]

    def scoring(self) -> None:
        """Average the poses of the views and score their keypoints."""
        if self.settings.flip_test:
            last, flips = self.maps.shape[-1] - 1, self.layout.flip_indices
            self.refined = [
                np.array(
                    [
                        ((x + last - mirrored[flips[k]][0]) / 2, (y + mirrored[flips[k]][1]) / 2)
                        for k, (x, y) in enumerate(plain)
                    ]
                )
                for plain, mirrored in zip(self.refined[::2], self.refined[1::2])
            ]
        self.keypoint_scores = [
            self.naive.score(self.heatmaps[: self.layout.num_keypoints], pose, score)
            for pose, (*_, score) in zip(self.refined, self.centers)
        ]

    def fusion(self) -> None:
        """Run Algorithm 1 line by line."""
        self.fused = self.naive.fuse(
            [pose * self.image_per_map for pose in self.refined],
            self.keypoint_scores,
            self.layout.sigmas,
            [score for *_, score in self.centers],
            threshold=self.settings.oks_thr,
            merge=self.settings.use_fusion,
        )

    def packing(self) -> list[dict[str, np.ndarray]]:
        """Give each person its `keypoints` in input pixels, `keypoint_scores` and `score`."""
        return [
            dict(
                keypoints=np.array(keypoints) / self.image_per_map * self.stride,
                keypoint_scores=np.clip(scores, 0, 1),
                score=score,
            )
            for keypoints, scores, score, _ in self.fused
        ]


def read_features(features: np.ndarray, x: float, y: float) -> np.ndarray:
    """Read (C, H, W) between its pixels, what lies outside counts as 0: (C,)."""
    c, h, w = features.shape
    left, top, value = math.floor(x), math.floor(y), np.zeros(c, dtype=features.dtype)
    for column, row in ((left, top), (left + 1, top), (left, top + 1), (left + 1, top + 1)):
        if 0 <= column < w and 0 <= row < h:
            value += features[:, row, column] * (1 - abs(x - column)) * (1 - abs(y - row))
    return value


def refine_pose(
    weights: Mapping[str, np.ndarray], nodes: np.ndarray, center: np.ndarray
) -> np.ndarray:
    """Predict the refining offsets (K, 2) of one pose.

    Args:
        weights: of a `PoseRefinement`, by name.
        nodes: (K, C) features at its keypoints.
        center: (C,) features at its part center.
    """

    def normalize(x: np.ndarray, name: str) -> np.ndarray:
        x = (x - weights[f'{name}.running_mean']) / np.sqrt(weights[f'{name}.running_var'] + 1e-5)
        return np.maximum(x * weights[f'{name}.weight'] + weights[f'{name}.bias'], 0)

    def convolve(x: np.ndarray, name: str) -> np.ndarray:
        x = weights['adjacency'] @ (x @ weights[f'{name}.weight']) + weights[f'{name}.bias']
        return normalize(x, f'{name}.bn')

    nodes, block = convolve(nodes, 'stem'), 0
    while f'blocks.{block}.conv1.weight' in weights:
        nodes = nodes + convolve(convolve(nodes, f'blocks.{block}.conv1'), f'blocks.{block}.conv2')
        block += 1
    pooled = np.concatenate((nodes.mean(axis=0), nodes.max(axis=0), center))
    hidden = normalize(
        weights['predictor.0.weight'] @ pooled + weights['predictor.0.bias'], 'predictor.1'
    )
    return (weights['predictor.3.weight'] @ hidden + weights['predictor.3.bias']).reshape(-1, 2)
