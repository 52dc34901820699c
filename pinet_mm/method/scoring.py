"""The OKS that a refined pose is expected to have with its person, as a score.

This is not in the paper, where a person's score is the mean keypoint score of the fused pose;
docs/pinet2.md has what it gains. Shape shorthand: S poses, C feature channels, B images, T poses
and N people per image, K keypoints.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import InputError, check_number
from .batch_targets import People
from .fusion import FusedPoses


class PoseScore(nn.Module):
    """Expect a pose's OKS from what the refinement pools of its features.

    Args:
        in_channels: C of the refinement; the pooled features have 3C.
        hidden: width of the layer between.

    Raises:
        InputError: `hidden` is no count.
    """

    def __init__(self, in_channels: int, hidden: int = 32):
        super().__init__()
        check_number('refinement.score.hidden', hidden, 1, whole=True)
        # The features come from a network that does not change: their statistics are averaged
        # over all that was seen, not over what was seen last.
        self.norm = nn.BatchNorm1d(3 * in_channels, affine=False, momentum=None)
        self.layers = nn.Sequential(
            nn.Dropout(0.2),
            nn.Linear(3 * in_channels, hidden),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Linear(hidden, 1),
        )

    def reset(self) -> None:
        """Begin anew, with random weights and no statistics."""
        for module in (self.norm, *self.layers):
            if hasattr(module, 'reset_parameters'):
                module.reset_parameters()

    def forward(self, pooled: Tensor) -> Tensor:
        """Compute the expected OKS (...) of pooled features (..., 3C)."""
        return self.logits(pooled.flatten(0, -2)).view(pooled.shape[:-1]).sigmoid()

    def logits(self, pooled: Tensor) -> Tensor:
        """Compute logits (S,) from pooled features (S, 3C); their sigmoid is the expected OKS."""
        found: Tensor = self.layers(self.norm(pooled))
        return found[:, 0]


def build_score(in_channels: int, options: Mapping[str, Any]) -> PoseScore:
    """Build the score that a config describes.

    Args:
        in_channels: see `PoseScore`.
        options: its other arguments, by name.

    Raises:
        InputError: they are no mapping, or one of them is unknown.
    """
    if not isinstance(options, Mapping):
        raise InputError(
            f'refinement.score must be a mapping such as dict(hidden=32); found {options!r}; on '
            'a command line: model.head.refinement.score.hidden=32'
        )
    unknown = sorted(set(options) - {'hidden'})
    if unknown:
        raise InputError(f"refinement.score has the unknown keys {unknown}; known are ['hidden']")
    return PoseScore(in_channels, **options)


def score_of(head: object) -> PoseScore | None:
    """Return the `PoseScore` of a head, or None if it has none."""
    score: PoseScore | None = getattr(getattr(head, 'refinement', None), 'score', None)
    return score


def score_as_expected(fused: FusedPoses, expected: Tensor, valid: Tensor) -> FusedPoses:
    """Give every person the expected OKS of the best proposal of its group.

    Keypoint scores stay: they say which keypoints are seen, and the thresholds of drawings are
    made for them.

    Args:
        fused: what `fuse_poses` made of proposals, with `expected` as `pose_scores`.
        expected: (B, T) of the proposals.
        valid: (B, T) boolean, as fusion took it.
    """
    # The same order as in `fuse_poses`; what is not valid comes last.
    scores = expected.masked_fill(~valid, 0).sort(dim=-1, descending=True, stable=True).values
    keypoints, keypoint_scores, _, kept, sources, stds = fused
    return FusedPoses(keypoints, keypoint_scores, scores, kept, sources, stds)


def people_oks(poses_in: Tensor, people: People, sigmas: Tensor) -> Tensor:
    """Compute the OKS of poses with annotated people, as COCO's evaluation does: (B, T, N).

    Only labeled keypoints count; the OKS with a person without any is 0.

    Args:
        poses_in: (B, T, K, 2) network-input pixels.
        people: of the images.
        sigmas: (K,) OKS sigmas.
    """
    squared = (poses_in[:, :, None] - people.keypoints_in[:, None]).square().sum(dim=-1)
    twice_variance = 2 * people.areas_in[..., None] * (2 * sigmas).square()
    labeled = people.labeled[:, None]
    terms = torch.where(labeled, torch.exp(-squared / twice_variance[:, None]), 0)
    return terms.sum(dim=-1) / labeled.sum(dim=-1).clamp(min=1)


def match_one_to_one(oks: Tensor) -> Tensor:
    """Match poses and people from the highest OKS down: (B, T) OKS with the own person, or 0.

    A pair is matched once each of the two is the other's best among those that are free. That is
    the same as to take the highest OKS of all, again and again, and needs few rounds.

    Args:
        oks: (B, T, N), not below 0.
    """
    matched = oks.new_zeros(oks.shape[:2])
    poses = torch.arange(oks.shape[1], device=oks.device)
    for _ in range(min(oks.shape[1:])):
        best_person, best_pose = oks.argmax(dim=2), oks.argmax(dim=1)
        mutual = best_pose.gather(1, best_person) == poses
        found = torch.where(mutual, oks.amax(dim=2), 0)
        if not found.any():
            break
        matched = torch.maximum(matched, found)
        taken = torch.zeros_like(oks, dtype=torch.bool).scatter_(
            2, best_person[..., None], (found > 0)[..., None]
        )
        free = ~(taken.any(dim=1, keepdim=True) | taken.any(dim=2, keepdim=True))
        oks = oks * free
    return matched


class PoseMemory:
    """Keep the poses that a frozen network has shown, to be drawn again.

    The network's features of an image do not change while a `PoseScore` learns: each image goes
    through it once, and every step still learns from poses of many images. A second epoch adds
    each image's poses again, as its crops and colors show them then, until the oldest are
    replaced. Checkpoints do not hold them: a training that is resumed goes on with the weights and
    statistics of its score, and collects poses anew. Every process has its own.

    Args:
        most: how many are kept; newer ones replace the oldest.
    """

    def __init__(self, most: int = 65536):
        self.most, self.count = most, 0
        self.pooled, self.oks = torch.empty(0), torch.empty(0)

    def add(self, pooled: Tensor, oks: Tensor) -> None:
        """Keep poses: their pooled features (S, 3C), in half precision, and their OKS (S,)."""
        if not self.count:
            self.pooled = pooled.new_zeros((self.most, pooled.shape[1]), dtype=torch.float16)
            self.oks = oks.new_zeros(self.most)
        places = (self.count + torch.arange(len(oks), device=oks.device)) % self.most
        most = torch.finfo(torch.float16).max
        self.pooled[places], self.oks[places] = pooled.clamp(-most, most).half(), oks
        self.count += len(oks)

    def draw(self, number: int) -> tuple[Tensor, Tensor]:
        """Draw poses, with repetition: features (number, 3C) and OKS; none if none are kept."""
        kept = min(self.count, self.most)
        chosen = torch.randint(max(kept, 1), (number if kept else 0,), device=self.oks.device)
        return self.pooled[chosen].float(), self.oks[chosen]
