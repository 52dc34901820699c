"""Predictions drawn onto images, by MMPose, in one color per person; and sheets of images."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from mmengine.structures import InstanceData
from mmpose.registry import VISUALIZERS
from mmpose.structures import PoseDataSample
from mmpose.visualization import PoseLocalVisualizer

from ..method.layouts import PartLayout
from ..models.codec import build_layout
from .records import person_scores

# Far apart in hue and light enough to stand out from a photograph; RGB.
PERSON_COLORS = (
    (255, 92, 74),
    (64, 200, 255),
    (255, 214, 64),
    (122, 255, 106),
    (226, 120, 255),
    (255, 160, 60),
    (70, 255, 214),
    (255, 128, 190),
    (150, 160, 255),
    (214, 255, 90),
)

FONT = cv2.FONT_HERSHEY_SIMPLEX
TITLE_HEIGHT = 28  # px per line


def person_color(index: int) -> tuple:
    """Return a person's color, RGB; after the last, the colors repeat."""
    return PERSON_COLORS[index % len(PERSON_COLORS)]


@VISUALIZERS.register_module()
class CrowdVisualizer(PoseLocalVisualizer):
    """MMPose's visualizer for crowds: one color per person, and no people of low score.

    PINet returns every pose that it finds, as evaluation needs them; most score close to 0.

    Args:
        name: MMEngine finds visualizers by it.
        pose_thr: people with a lower score are not drawn, see `person_scores`.
        radius: of a keypoint, px.
        line_width: of a limb, px.
        layout: of the model, see `models.codec.build_layout`; what it says is drawn, whatever
            metainfo is set.
    """

    def __init__(
        self,
        name: str = 'visualizer',
        pose_thr: float = 0.1,
        radius: int = 3,
        line_width: int = 2,
        layout: PartLayout | Mapping | None = None,
        **kwargs,
    ):
        super().__init__(name, radius=radius, line_width=line_width, **kwargs)
        self.pose_thr = pose_thr
        self.layout = None if layout is None else build_layout(layout)

    def set_dataset_meta(self, dataset_meta: dict, skeleton_style: str = 'mmpose') -> None:
        """Take metainfo, as far as the layout says nothing else; see MMPose's class."""
        meta = dataset_meta if self.layout is None else self.layout.to_metainfo(dataset_meta)
        super().set_dataset_meta(meta, skeleton_style)

    def _shown(self, instances: InstanceData) -> InstanceData:
        if 'bbox_scores' not in instances and 'keypoint_scores' not in instances:
            return instances  # annotated people have no score
        return instances[person_scores(instances) >= self.pose_thr]

    def _draw_instances_kpts(self, image: np.ndarray, instances: InstanceData, *args, **kwargs):
        people = self._shown(instances)
        # The best person, usually the first, is drawn last and so on top.
        for i in reversed(range(len(people))):
            color = [people.colors[i] if 'colors' in people else person_color(i)]
            self.kpt_color = color * people.keypoints.shape[1]
            self.link_color = color * len(self.skeleton)
            image = super()._draw_instances_kpts(image, people[i : i + 1], *args, **kwargs)
        self.set_image(image)
        return image

    def _draw_instances_bbox(self, image: np.ndarray, instances: InstanceData):
        people = self._shown(instances)
        return super()._draw_instances_bbox(image, people) if len(people) else image


def draw_poses(
    image: np.ndarray,
    instances: InstanceData,
    dataset_meta: Mapping,
    pose_thr: float = 0.1,
    keypoint_thr: float = 0.05,
    min_side: int = 480,
) -> np.ndarray:
    """Draw the skeletons of all people of an image, each in its own color.

    Args:
        image: (H, W, 3) uint8 BGR; small images are enlarged so that limbs can be told apart.
        instances: `pred_instances` or, for annotations, anything with `keypoints` (N, K, 2) in
            image pixels and `keypoints_visible` (N, K); `bbox_scores` (N,) and `colors`
            (N, 3), RGB, are optional.
        dataset_meta: MMPose metainfo, for the skeleton.
        pose_thr: people with a lower score are not drawn.
        keypoint_thr: keypoints with a lower score are not drawn.
        min_side: images whose long side is shorter are enlarged to it.

    Returns:
        (H', W', 3) uint8 BGR.
    """
    zoom = max(1.0, min_side / max(image.shape[:2]))
    canvas = cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
    people = InstanceData(**dict(instances.items(), keypoints=instances.keypoints * zoom))
    visualizer = CrowdVisualizer(pose_thr=pose_thr)
    visualizer.set_dataset_meta(dict(dataset_meta))
    drawn = visualizer.add_datasample(
        'image',
        np.ascontiguousarray(canvas[..., ::-1]),
        PoseDataSample(pred_instances=people),
        draw_gt=False,
        kpt_thr=keypoint_thr,
    )
    return np.ascontiguousarray(drawn[..., ::-1])


def before_and_after(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Put two drawings (H, W, 3) of an image, before and after fusion, beside each other."""
    return side_by_side((before, after), ('proposed poses', 'after fusion'))


def side_by_side(images: Sequence[np.ndarray], titles: Sequence[str], gap: int = 0) -> np.ndarray:
    """Put images (H, W, 3) of one height beside each other, each under its title.

    Args:
        images: uint8 BGR.
        titles: all of the same number of lines; a line too long for its image is drawn smaller.
        gap: black px between two images.
    """
    lines = [title.split('\n') for title in titles]
    zoom = max(1.0, min(image.shape[1] for image in images) / 480)
    row = round(TITLE_HEIGHT * zoom)
    sides = []
    for image, texts in zip(images, lines):
        side = np.pad(image, ((row * len(texts), 0), (gap if sides else 0, 0), (0, 0)))
        for i, text in enumerate(texts):
            length = cv2.getTextSize(text, FONT, 0.6 * zoom, round(zoom))[0][0]
            fit = min(1.0, (image.shape[1] - 16) / max(length, 1))
            corner = (side.shape[1] - image.shape[1] + 8, round((i + 0.72) * row))
            cv2.putText(
                side,
                text,
                corner,
                FONT,
                0.6 * zoom * fit,
                (255, 255, 255),
                round(zoom),
                cv2.LINE_AA,
            )
        sides.append(side)
    return np.hstack(sides)


def contact_sheet(images: Sequence[np.ndarray], columns: int, cell: int = 480) -> np.ndarray:
    """Arrange images (H, W, 3) row by row, none wider or higher than `cell`."""
    cells, columns = [], min(columns, len(images))
    for image in images:
        h, w = image.shape[:2]
        shrink = cell / max(h, w)
        cells.append(
            cv2.resize(image, (round(w * shrink), round(h * shrink)), interpolation=cv2.INTER_AREA)
        )
    height = max(each.shape[0] for each in cells)
    cells = [
        np.pad(each, ((0, height - each.shape[0]), (0, cell - each.shape[1]), (0, 0)))
        for each in cells
    ]
    cells += [np.zeros((height, cell, 3), np.uint8)] * (-len(cells) % columns)
    return np.concatenate(
        [np.concatenate(cells[i : i + columns], axis=1) for i in range(0, len(cells), columns)]
    )


def in_row(images: Sequence[np.ndarray], height: int, gap: int = 0) -> np.ndarray:
    """Return images (H, W, 3) beside each other, all resized to one height, white px between."""
    cells = [_resize(image, height / image.shape[0]) for image in images]
    return np.hstack(
        [
            np.pad(cell, ((0, 0), (gap if i else 0, 0), (0, 0)), constant_values=255)
            for i, cell in enumerate(cells)
        ]
    )


def in_column(images: Sequence[np.ndarray], width: int, gap: int = 0) -> np.ndarray:
    """Return images (H, W, 3) below each other, all resized to one width, white px between."""
    return in_row([image.swapaxes(0, 1) for image in images], width, gap).swapaxes(0, 1)


def _resize(image: np.ndarray, zoom: float) -> np.ndarray:
    size = tuple(max(round(side * zoom), 1) for side in image.shape[1::-1])
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if zoom < 1 else cv2.INTER_CUBIC)
