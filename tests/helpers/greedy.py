"""Greedy matching by a loop, for comparison."""


def greedy_owners(oks, valid, threshold):
    """Return who takes each pose, itself if it is kept, -1 if it is none."""
    owner = [-1] * len(oks)
    for j in range(len(oks)):
        if not valid[j] or owner[j] >= 0:
            continue
        owner[j] = j
        for i in range(j + 1, len(oks)):
            if valid[i] and owner[i] < 0 and oks[j, i] > threshold:
                owner[i] = j
    return owner
