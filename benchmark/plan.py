"""What is asked of a submission, cut into tasks with seeds that depend on nothing but the plan."""

from collections.abc import Callable
from dataclasses import dataclass

from benchmark.process import Task
from benchmark.storage import content_hash
from benchmark.submission import Submission

PROTOCOL_VERSION = 1
"""Raised when the same submission, conditions and seed could give other motions: kept parts are then not reused."""


@dataclass(frozen=True)
class Plan:
    """What is asked of a submission: everything its motions depend on but the conditions themselves."""

    submission: Submission
    """Who is asked."""
    track: str
    """Track id with version."""
    split: str
    """Split the conditions come from."""
    samples: int
    """Motions a clip of stochastic submissions; the others make one."""
    seed: int
    """Root of the seeds of all samples, batches and clips."""
    n_region: int | None = None
    """Vertices of the face region, to check outputs of vertices."""

    @property
    def count(self) -> int:
        """Motions a clip of this submission."""
        return self.submission.samples(self.samples)

    def key(self, bundle_sha256: str) -> str:
        """Hash of everything the motions depend on; work is only ever reused under the same key."""
        made_by = (self.submission.code_sha256, self.submission.card_sha256, bundle_sha256)
        asked = (self.track, self.split, str(self.count), str(self.seed), str(self.n_region))
        return content_hash(str(PROTOCOL_VERSION), *made_by, *asked)

    def tasks(self, clips: int, done: Callable[[tuple[int, int]], bool]) -> list[Task]:
        """What is left to ask, in order: whole batches, or single clips of a batch that was begun."""
        left: list[Task] = []
        size = self.submission.card.batch_size
        for sample in range(self.count):
            for number, first in enumerate(range(0, clips, size)):
                positions = tuple(range(first, min(first + size, clips)))
                seed = derive_seed(derive_seed(self.seed, sample), number)
                seeds = tuple(derive_seed(seed, position) for position in positions)
                task = Task(f"{sample}-{number}", sample, positions, seed, seeds)
                missing = [position for position in positions if not done((sample, position))]
                begun = [single for single in task.one_by_one() if single.positions[0] in missing]
                left += [task] if len(missing) == len(positions) else begun
        return left


def derive_seed(seed: int, branch: int) -> int:
    """A seed below 2^31 for one branch of a seed: a run's samples, a sample's batches, a batch's clips.

    >>> derive_seed(7, 0) == derive_seed(7, 0), derive_seed(7, 0) == derive_seed(7, 1)
    (True, False)
    """
    return int(content_hash(str(seed), str(branch))[:8], 16) >> 1
