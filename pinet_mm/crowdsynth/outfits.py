"""What a person wears: colours, cut of the clothes, hair, and cues that tell front from back."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

# BGR, 0..255
_SKINS = np.array([[180, 205, 240], [150, 185, 230], [120, 160, 215], [95, 130, 190],
                   [65, 95, 150], [45, 65, 105]], dtype=float)
_HAIRS = np.array([[25, 25, 30], [30, 45, 70], [45, 75, 120], [90, 150, 200], [60, 70, 150],
                   [170, 175, 180]], dtype=float)
_DENIMS = np.array([[110, 75, 45], [70, 50, 40], [40, 40, 42], [90, 110, 120], [140, 170, 185]],
                   dtype=float)


@dataclass(frozen=True)
class Outfit:
    """Hold the colours (BGR, 0..255) and cuts of one person's clothes.

    Args:
        skin, hair, shirt, trim, trousers, shoes: Colours; `trim` is the shirt's second one.
        sleeve: Share of the arm that the sleeve covers, 0 to 2 (upper arm, then forearm).
        leg: Share of the leg that the trousers cover, 0 to 2 (thigh, then shank).
        skirt: Whether a skirt hangs from the waist.
        stripes: Stripes along the trunk, 0 for none.
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
    long_hair: bool
    hair_line: float
    backpack: bool
    badge: str


def random_colour(rng: Generator, vivid: float = 1.0) -> np.ndarray:
    """Draw a colour of clothes, BGR in 0..255; lower `vivid` towards 0 makes it greyer."""
    value, saturation = rng.uniform(40, 245), rng.beta(1.5, 1.8) * vivid
    hue = np.abs((rng.random() * 6 - np.array([4, 2, 0])) % 6 - 3) - 1
    return value * (1 - saturation * (1 - np.clip(hue, 0, 1)))


def sample_outfit(rng: Generator) -> Outfit:
    """Draw an `Outfit`."""
    vary = rng.uniform(0.85, 1.1, 3)
    skirt = bool(rng.random() < 0.15)
    trousers = random_colour(rng) if rng.random() < 0.4 else _DENIMS[rng.integers(5)] * vary[0]
    return Outfit(
        skin=_SKINS[rng.integers(6)] * vary[1],
        hair=_HAIRS[rng.integers(6)] * vary[2],
        shirt=random_colour(rng), trim=random_colour(rng), trousers=trousers,
        shoes=random_colour(rng) * 0.7,
        sleeve=float(rng.choice([0.0, 0.55, 1.3, 1.95])),
        leg=float(rng.choice([0.15, 0.3])) if skirt else float(rng.choice([0.7, 1.2, 2, 2, 2])),
        skirt=skirt,
        stripes=int(rng.choice([0, 0, 0, 5, 9])),
        long_hair=bool(rng.random() < 0.4),
        hair_line=float(rng.uniform(-0.05, 0.35)),
        backpack=bool(rng.random() < 0.15),
        badge=str(rng.choice(['plain', 'zip', 'print', 'jacket'])))
