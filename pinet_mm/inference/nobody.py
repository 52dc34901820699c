"""What to try where nobody was found."""

import math
from collections.abc import Sequence

SMALL, LARGE = 192, 640  # px, short sides of the network input that find other people


def explain_nobody(
    best_scores: Sequence[float], pose_thr: float, short_side: int | None = None
) -> str:
    """Return a line on the images in which nobody is drawn, or nothing if there are none.

    Args:
        best_scores: of the best person of each image.
        pose_thr: people with a lower score are not drawn.
        short_side: of the network input, which is not suggested again.
    """
    missed = [score for score in best_scores if score < pose_thr]
    if not missed:
        return ''
    where = f'{len(missed)} of {len(best_scores)} images' if len(best_scores) > 1 else 'the image'
    return (
        f'nobody scores {pose_thr:g} or more in {where} '
        f'(best score there {max(missed):.3f}): {_advice(max(missed), pose_thr, short_side)}\n'
    )


def _advice(best: float, pose_thr: float, short_side: int | None) -> str:
    sizes = []
    if short_side is None or short_side > SMALL:
        sizes.append(f'{SMALL} for people who fill the image')
    if short_side is None or short_side < LARGE:
        sizes.append(f'{LARGE} for people who are small in it')
    advice = f'--short-side {", ".join(sizes)}'
    lower = math.floor(best * 100) / 100
    if lower < pose_thr / 4:  # such poses are hardly ever people
        return f'probably nobody is there; if somebody is, try {advice}'
    return f'--pose-thr {lower:g} draws some; or {advice}'
