"""What the images of a comparison show: colors, dashes, legend, titles, sizes."""

from pinet_mm import comparison
from pinet_mm.comparison import draw, judging
from pinet_mm.comparison.drawing import EXTRA_COLOR, LEGEND_HEIGHT, draw_legend
from pinet_mm.inference.drawing.sheets import PERSON_COLORS

import numpy as np
import pytest

from tests.helpers.found import META, SHAPE, SIGMAS, persons, poses

WHITE = (255, 255, 255)

# --- drawing -------------------------------------------------------------------------------------


def near(image, x, y):
    """The BGR colors within 2 px of (x, y)."""
    return {tuple(pixel) for pixel in image[y - 2 : y + 3, x - 2 : x + 3].reshape(-1, 3).tolist()}


def count(image, bgr):
    return int((image == bgr).all(axis=-1).sum())


def panes_of(drawn, width=480):
    """The panes without their two lines of title and the legend."""
    height = drawn.shape[0] - LEGEND_HEIGHT
    return drawn[height - width : height, :width], drawn[height - width : height, -width:]


def test_a_person_has_one_color_and_the_missed_are_drawn_in_dashes():
    people = persons((60, 120), (180, 120), (120, 180))
    result = judging.judge_by_annotations(
        [poses((180, 120), (60, 60)), poses((60, 120), (180, 120))], people, SIGMAS
    )
    drawn = draw(np.full((240, 240, 3), 128, np.uint8), result, 'AB', META)
    assert drawn.shape == (480 + 56 + LEGEND_HEIGHT, 2 * 480 + 6, 3)
    left, right = panes_of(drawn)
    bgr = [color[::-1] for color in PERSON_COLORS]
    # Coordinates are doubled: the head of the second person, found by both models.
    assert bgr[1] in near(left, 360, 180) and bgr[1] in near(right, 360, 180)
    # The first person is missed on the left, where a gray pose shows nobody, …
    assert bgr[0] in near(right, 120, 180) and bgr[0] not in near(left, 120, 180)
    assert EXTRA_COLOR[::-1] in near(left, 120, 60)
    assert EXTRA_COLOR[::-1] not in near(right, 120, 60)
    # … and is drawn there in white; the third is missed by both.
    for x, y in SHAPE * 2 + (120, 240):
        assert WHITE in near(left, x, y) and WHITE not in near(right, x, y)
    for side in (left, right):
        assert WHITE in near(side, 240, 300)
    assert count(left, WHITE) > count(right, WHITE) + 50
    assert drawn[:28].max() > 200 and drawn[28:56].max() > 200
    assert (drawn[-LEGEND_HEIGHT:] == draw_legend(drawn.shape[1], annotated=True)).all()


def test_limbs_of_the_missed_are_dashed_and_only_labeled_keypoints_are_drawn():
    people = persons((120, 120))
    people.labeled[0, 4] = False
    result = judging.judge_by_annotations([poses()] * 2, people, SIGMAS)
    left, _ = panes_of(draw(np.full((240, 240, 3), 128, np.uint8), result, 'AB', META))
    first, second = next(link for link in META['skeleton_links'] if 4 not in link)
    line = np.linspace(SHAPE[first] * 2 + 240, SHAPE[second] * 2 + 240, 200).round().astype(int)
    white = (left[line[:, 1], line[:, 0]] == WHITE).all(axis=-1)
    changes = np.flatnonzero(np.diff(white.astype(int)))
    assert white.any() and len(changes) >= 6, 'dashes: on and off several times'
    x, y = SHAPE[4] * 2 + 240
    assert (left[y - 4 : y + 5, x - 4 : x + 5] == 128).all(), 'nothing stands at an unlabeled one'


@pytest.mark.parametrize('width', [486, 966, 1300])
@pytest.mark.parametrize('annotated', [True, False])
def test_the_legend_shows_what_the_lines_mean(width, annotated):
    legend = draw_legend(width, annotated)
    assert legend.shape == (LEGEND_HEIGHT, width, 3)
    colors = {tuple(color) for color in legend.reshape(-1, 3).tolist()}
    assert {PERSON_COLORS[0][::-1], PERSON_COLORS[1][::-1], WHITE} <= colors
    assert (EXTRA_COLOR[::-1] in {tuple(c) for c in legend[14:17].reshape(-1, 3).tolist()}) >= (
        annotated
    )
    assert not legend[:, -4:].any(), 'the last text ends before the edge'


@pytest.mark.parametrize(
    'size, wanted',
    [
        ((128, 128), (480, 480)),
        ((96, 48), (480, 240)),
        ((500, 600), (500, 600)),
        ((3000, 1500), (640, 320)),
    ],
)
def test_panes_are_neither_too_small_nor_too_large(size, wanted):
    height, width = size
    result = judging.judge_by_annotations([poses()] * 2, persons(), SIGMAS)
    drawn = draw(np.full((height, width, 3), 9, np.uint8), result, ('a' * 200, 'b'), META)
    title = 2 * round(28 * max(1, wanted[1] / 480))
    assert drawn.shape == (wanted[0] + title + LEGEND_HEIGHT, 2 * wanted[1] + 6, 3)
    panes = drawn[title:-LEGEND_HEIGHT]
    assert (panes[:, : wanted[1]] == 9).all() and (panes[:, -wanted[1] :] == 9).all()
    # A long name gets smaller instead of running into its neighbor's.
    assert drawn[: title // 2, : wanted[1]].max() > 60
    assert not drawn[: title // 2, wanted[1] - 2 : wanted[1] + 6].any()


@pytest.mark.parametrize(
    'people, wanted',
    [
        (persons((0, 0)), ('found 0 of 1 (0 poses)', 'found 1 of 1 (2 poses)')),
        (None, ("0 poses, misses 2 of the other's", "2 poses, misses 0 of the other's")),
    ],
)
def test_the_titles_say_how_many_were_found(monkeypatch, people, wanted):
    said = []

    def side_by_side(panes, titles, gap):
        said.extend(titles)
        return panes[0]

    monkeypatch.setattr(comparison.drawing, 'side_by_side', side_by_side)
    found = [poses(), poses((0, 0), (300, 300))]
    result = (
        judging.judge_by_annotations(found, people, SIGMAS)
        if people
        else judging.judge_each_other(found, SIGMAS)
    )
    draw(np.zeros((480, 480, 3), np.uint8), result, ('one', 'two'), META)
    assert said == [f'one\n{wanted[0]}', f'two\n{wanted[1]}']
