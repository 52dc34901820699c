"""A sheet that shows how the people of an image were found, step by step.

Shape shorthand as in `explaining`; images are (H, W, 3) uint8 BGR.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from ..explaining import Explanation
from ..nobody import explain_nobody
from ..people import person_boxes, person_scores
from .maps import color_of, dimmed, draw_maps, write_legend
from .sheets import FONT, person_color, side_by_side
from .skeletons import DARK, Style, draw_people
from .tags import Tag, draw_tags

SIDES = 480, 720  # px, shortest and longest long side of a panel
COLUMNS = 3
WEAK = 3  # people of any score whose way is shown where nobody is drawn


class Sheet:
    """Draw the steps of one image, as panels of one size.

    Args:
        image: the image.
        steps: what a PINet found in it.
        skeleton: limbs, as pairs of indices of keypoints.
        part_names: of the M parts.
        style: people who score less than its threshold are left out, with their proposals; where
            nobody scores it, the best `WEAK` are shown, and the last panel says what to try.
    """

    def __init__(
        self,
        image: np.ndarray,
        steps: Explanation,
        skeleton: Sequence[Sequence[int]],
        part_names: Sequence[str],
        style: Style,
    ):
        style, long = style.for_scores(), max(image.shape[:2])
        self.zoom = np.clip(long, *SIDES) / long
        how = cv2.INTER_AREA if self.zoom < 1 else cv2.INTER_CUBIC
        self.image = cv2.resize(image, None, fx=self.zoom, fy=self.zoom, interpolation=how)
        self.gray = dimmed(self.image, 0.6)
        self.steps, self.skeleton, self.names = steps, skeleton, part_names
        self.part_colors = [color_of(part) for part in range(len(part_names))]
        ranked = np.argsort(-steps.scores, kind='stable')
        shown = ranked[steps.scores[ranked] >= style.pose_thr]
        self.is_weak, self.result_style = not len(shown), style
        if self.is_weak:
            shown = ranked[:WEAK]
            lowest = float(steps.scores[shown].min(initial=np.inf))
            style = replace(style, pose_thr=lowest, keypoint_thr=-np.inf)
        self.style = style
        self.rank = {int(person): rank for rank, person in enumerate(shown)}
        self.proposals = np.flatnonzero(np.isin(steps.owners, shown))

    def draw(self, result: Any) -> np.ndarray:
        """Return the sheet.

        Args:
            result: the people that were found, an `Answer` with `keypoint_parts`.
        """
        strongest = float(self.steps.part_maps.max())
        count, people = len(self.proposals), len(self.rank)
        weak = f', of the best {people}' if self.is_weak and people else ''
        nobody = f': nobody scores {self.result_style.pose_thr:g}' if self.is_weak else ''
        panels = {
            f'1  part centers (strongest {strongest:.2f})': self._centers(),
            f'2  coarse poses by part: {count}{weak}': self._by_part(self.steps.coarse),
            '3  refined poses by part': self._by_part(self.steps.refined),
            f'4  groups that are fused: {people}{", none drawn" if weak else ""}': self._groups(),
            '5  result, by part of origin': self._origins(result.pred_instances),
            f'6  result{nobody}': self._result(result),
        }
        rows = []
        for start in range(0, len(panels), COLUMNS):
            titles = list(panels)[start : start + COLUMNS]
            rows.append(side_by_side([panels[title] for title in titles], titles, gap=4))
        return np.vstack(rows)

    def _centers(self) -> np.ndarray:
        steps, (h, w) = self.steps, self.image.shape[:2]
        matrix = steps.map_to_image * self.zoom
        maps = [cv2.warpAffine(each, matrix, (w, h)) for each in steps.part_maps]
        # Relative to the strongest, so that weak centers are seen as well.
        canvas = draw_maps(self.image, np.stack(maps) / max(float(steps.part_maps.max()), 1e-6))
        write_legend(canvas, self.names, self.part_colors)
        return canvas

    def _by_part(self, poses: np.ndarray) -> np.ndarray:
        canvas = self.gray.copy()
        self._draw(canvas, poses, [color_of(part) for part in self._own(self.steps.parts)])
        write_legend(canvas, self.names, self.part_colors)
        return canvas

    def _groups(self) -> np.ndarray:
        canvas, owners = self.gray.copy(), self._own(self.steps.owners)
        colors = {person: person_color(rank)[::-1] for person, rank in self.rank.items()}
        self._draw(canvas, self.steps.refined, [np.array(colors[owner]) for owner in owners])
        tags = []
        for person, color in colors.items():
            poses = self._own(self.steps.refined)[owners == person].reshape(-1, 2)
            x, y = poses[poses[:, 1].argmin()] * self.zoom
            number = (owners == person).sum()
            score = f', score {self.steps.scores[person]:.3f}' if self.is_weak else ''
            tags.append(Tag(f'{number} pose{"s" if number > 1 else ""}{score}', (x, y), color))
        draw_tags(canvas, tags, self._width)
        return canvas

    def _draw(self, canvas: np.ndarray, poses: np.ndarray, colors: Sequence[np.ndarray]) -> None:
        people = dict(
            keypoints=self._own(poses) * self.zoom,
            keypoint_scores=self._own(self.steps.keypoint_scores),
            bbox_scores=self._own(self.steps.keypoint_scores).mean(axis=-1),
            colors=np.array(colors).reshape(-1, 3)[:, ::-1],
        )
        style = Style(-np.inf, self.style.keypoint_thr, hollow=-np.inf, line_width=1)
        draw_people(canvas, people, self.skeleton, style)

    def _origins(self, people: Any) -> np.ndarray:
        canvas, width = self.gray.copy(), self._width
        if 'keypoint_parts' not in people:  # resumed from a journal of schema 1
            return canvas
        for i in np.flatnonzero(person_scores(people) >= self.style.pose_thr):
            points = np.rint(people['keypoints'][i] * self.zoom).astype(int).tolist()
            drawn = people['keypoint_scores'][i] >= self.style.keypoint_thr
            for j, k in self.skeleton:
                if drawn[j] and drawn[k]:
                    cv2.line(canvas, points[j], points[k], (230, 230, 230), 1, cv2.LINE_AA)
            for k in np.flatnonzero(drawn):
                color = self.part_colors[people['keypoint_parts'][i][k]].tolist()
                cv2.circle(canvas, points[k], width + 3, DARK, -1, cv2.LINE_AA)
                cv2.circle(canvas, points[k], width + 2, color, -1, cv2.LINE_AA)
        write_legend(canvas, self.names, self.part_colors)
        return canvas

    def _result(self, result: Any) -> np.ndarray:
        people = result.pred_instances
        canvas, scaled = self.image.copy(), {name: people[name] for name in people.keys()}
        scaled['keypoints'] = scaled['keypoints'] * self.zoom
        scaled['bboxes'] = person_boxes(people) * self.zoom
        draw_people(canvas, scaled, self.skeleton, self.result_style)
        if self.is_weak:
            side = min(result.metainfo.get('input_size', (0,))) or None
            best = float(self.steps.scores.max(initial=0))
            write_below(canvas, explain_nobody([best], self.result_style.pose_thr, side))
        return canvas

    def _own(self, values: np.ndarray) -> np.ndarray:
        return values[self.proposals]

    @property
    def _width(self) -> int:
        return max(2, round(max(self.image.shape[:2]) / 400))


def write_below(image: np.ndarray, text: str) -> None:
    """Write a text over the lower end of an image, in place, in lines that fit.

    Args:
        image: (H, W, 3) uint8 BGR.
        text: words.
    """
    size = max(0.4, image.shape[0] / 1000)
    letter, row = cv2.getTextSize('n' * 100, FONT, size, 1)[0][0] / 100, round(36 * size)
    lines = textwrap.wrap(text, max(int((image.shape[1] - 12) / letter), 1))
    start = max(image.shape[0] - row * len(lines) - 6, 0)
    image[start:] //= 4
    for number, line in enumerate(lines):
        corner = (6, start + row * (number + 1) - row // 4)
        cv2.putText(image, line, corner, FONT, size, (255, 255, 255), 1, cv2.LINE_AA)
