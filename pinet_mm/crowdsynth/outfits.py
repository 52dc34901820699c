"""What a person wears: colors, cut of the clothes, hair, and cues that tell front from back."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

# BGR, 0..255
_SKINS = np.array(
    [
        [180, 205, 240],
        [150, 185, 230],
        [120, 160, 215],
        [95, 130, 190],
        [65, 95, 150],
        [45, 65, 105],
    ],
    dtype=float,
)
_HAIRS = np.array(
    [[25, 25, 30], [30, 45, 70], [45, 75, 120], [90, 150, 200], [60, 70, 150], [170, 175, 180]],
    dtype=float,
)
_DENIMS = np.array(
    [[110, 75, 45], [70, 50, 40], [40, 40, 42], [90, 110, 120], [140, 170, 185]], dtype=float
)


@dataclass(frozen=True)
class Outfit:
    """Hold the colors (BGR, 0..255) and cuts of one person's clothes.

    Args:
        skin, hair, shirt, trim, trousers, shoes: Colors; `trim` is the shirt's second one.
        sleeve: Share of the arm that the sleeve covers, 0 to 2 (upper arm, then forearm).
        leg: Share of the leg that the trousers cover, 0 to 2 (thigh, then shank).
        skirt: Whether a skirt hangs from the waist.
        stripes: Stripes along the trunk, 0 for none.
        checks: Stripes across the trunk, 0 for none; both make a check.
        long_hair: Whether the hair falls over the neck.
        hair_line: Cosine at which hair begins on the head; higher is less hair.
        backpack: Whether a backpack hangs on the back.
        badge: Front of the shirt: 'plain', 'zip', 'print' or 'jacket'.
    """

    skin: np.ndarray
    hair: np.ndarray
    shirt: np.ndarray
    trim: np.ndarray
    trousers: np.ndarray
    shoes: np.ndarray
    sleeve: float
    leg: float
    skirt: bool
    stripes: int
    checks: int
    long_hair: bool
    hair_line: float
    backpack: bool
    badge: str


def random_colors(rng: Generator, count: int, vivid: float = 1.0) -> np.ndarray:
    """Draw (count, 3) colors of clothes, BGR in 0..255; lower `vivid` toward 0 is grayer."""
    value, saturation = rng.uniform(40, 245, (count, 1)), rng.beta(1.5, 1.8, (count, 1)) * vivid
    hue = np.abs((rng.random((count, 1)) * 6 - np.array([4, 2, 0])) % 6 - 3) - 1
    return value * (1 - saturation * (1 - np.minimum(np.maximum(hue, 0), 1)))


def random_color(rng: Generator, vivid: float = 1.0) -> np.ndarray:
    """Draw one of `random_colors`."""
    return random_colors(rng, 1, vivid)[0]


def _one_of(rng: Generator, choices: Sequence) -> object:
    return choices[rng.integers(len(choices))]


def sample_outfit(rng: Generator) -> Outfit:
    """Draw an `Outfit`."""
    vary = rng.uniform(0.85, 1.1, 3)
    skirt = bool(rng.random() < 0.15)
    shirt, trim, trousers, shoes = random_colors(rng, 4)
    if rng.random() < 0.6:
        trousers = _one_of(rng, _DENIMS) * vary[0]
    return Outfit(
        skin=_one_of(rng, _SKINS) * vary[1],
        hair=_one_of(rng, _HAIRS) * vary[2],
        shirt=shirt,
        trim=trim,
        trousers=trousers,
        shoes=shoes * 0.7,
        sleeve=_one_of(rng, (0.0, 0.55, 1.3, 1.95)),
        leg=_one_of(rng, (0.15, 0.3) if skirt else (0.7, 1.2, 2, 2, 2)),
        skirt=skirt,
        stripes=_one_of(rng, (0, 0, 0, 5, 9)),
        checks=_one_of(rng, (0, 0, 0, 0, 6)),
        long_hair=bool(rng.random() < 0.4),
        hair_line=float(rng.uniform(-0.05, 0.35)),
        backpack=bool(rng.random() < 0.15),
        badge=_one_of(rng, ('plain', 'zip', 'print', 'jacket')),
    )
