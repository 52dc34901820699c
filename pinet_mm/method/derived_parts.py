"""Parts for people whose dataset names none: pieces of the skeleton, from its ends inwards."""

from collections.abc import Sequence

MOST_PARTS = 5  # every part has at least a fifth of the keypoints


def parts_of_skeleton(
    skeleton: Sequence[tuple[int, int]], flip_indices: Sequence[int]
) -> list[tuple[int, ...]]:
    """Divide keypoints into parts that are joined in the skeleton.

    A keypoint and its mirror image stay together, so that every part is its own mirror image. The
    pieces begin as single keypoints (or pairs) and grow from the ends of the skeleton inwards: of
    all pieces with fewer than two keypoints, or fewer than a fifth of all, the one with the fewest
    neighbors joins its smallest neighbor; those without neighbors come last.

    Args:
        skeleton: edges by index.
        flip_indices: for each of the K keypoints its left/right counterpart, or itself.

    Returns:
        The keypoints of each part, each keypoint once; parts and keypoints in ascending order.
    """
    count = len(flip_indices)
    least = max(2, -(-count // MOST_PARTS))
    pieces = sorted({tuple(sorted({i, int(flip_indices[i])})) for i in range(count)})
    while len(pieces) > 1:
        neighbors = [_neighbors(piece, pieces, skeleton) for piece in pieces]
        small = [n for n, piece in enumerate(pieces) if len(piece) < least]
        if not small:
            break
        own = min(small, key=lambda n: (len(neighbors[n]) or count, len(pieces[n]), n))
        alone = [n for n in small if not neighbors[n] and n != own]
        others = neighbors[own] or alone or [n for n in range(len(pieces)) if n != own]
        other = min(others, key=lambda n: (len(pieces[n]), n))
        joined = tuple(sorted(pieces[own] + pieces[other]))
        pieces = sorted([joined, *(p for n, p in enumerate(pieces) if n not in (own, other))])
    return pieces


def _neighbors(
    piece: Sequence[int], pieces: Sequence[Sequence[int]], skeleton: Sequence[tuple[int, int]]
) -> list[int]:
    """Return the numbers of the other pieces that an edge joins to a piece."""
    ends = {end for edge in skeleton if set(edge) & set(piece) for end in edge} - set(piece)
    return [n for n, other in enumerate(pieces) if ends & set(other)]
