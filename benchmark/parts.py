"""Finished work of a run that may yet be interrupted: checked motions by sample and clip, one small npz a task."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmark.errors import InputError
from benchmark.npz import NpzReader, write_arrays
from benchmark.protocol import FloatArray

_ABSTAINED, _SECONDS = "abstained", "seconds"


@dataclass
class Parts:
    """A folder of parts; clips are known by their position in the bundle."""

    folder: Path
    """Where they lie; its name must say what they depend on."""
    seconds: float = 0.0
    """Seconds it took to make them."""
    abstained: set[tuple[int, int]] = field(default_factory=set)
    """Sample and position of clips the generator declined."""
    _files: dict[tuple[int, int], Path] = field(default_factory=dict)

    def __contains__(self, motion: tuple[int, int]) -> bool:
        return motion in self._files or motion in self.abstained

    def __len__(self) -> int:
        return len(self._files) + len(self.abstained)

    def restore(self) -> None:
        """Takes up what an earlier run left; a damaged part is removed, to be made again."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(self.folder.glob("*.npz")):
            try:
                with NpzReader(path) as reader:
                    arrays = {name: reader.load(name) for name in reader.headers}
                    if reader.problems or not {_ABSTAINED, _SECONDS} <= arrays.keys():
                        raise InputError(reader.problems)
            except InputError:
                path.unlink()
                continue
            self._note(path, (int(n) for n in arrays if n.isdigit()), arrays[_ABSTAINED], float(arrays[_SECONDS][0]))

    def keep(
        self, sample: int, name: str, motions: Mapping[int, FloatArray], abstained: Iterable[int], seconds: float
    ) -> None:
        """Writes one task's checked motions as a part."""
        path = self.folder / f"{name}.npz"
        declined = np.array(sorted(abstained), np.int64)
        arrays = [(str(position), array) for position, array in motions.items()]
        write_arrays(path, [*arrays, (_ABSTAINED, declined), (_SECONDS, np.array([seconds]))])
        assert name.startswith(f"{sample}-")
        self._note(path, motions, declined, seconds)

    def motions(self, sample: int, clips: Iterable[str]) -> Iterable[tuple[str, FloatArray]]:
        """One sample's motions by clip id, in the order of the clips, loaded one part at a time."""
        reader: NpzReader | None = None
        for position, clip in enumerate(clips):
            path = self._files.get((sample, position))
            if path is None:
                continue
            if reader is None or reader.path != path:
                reader = NpzReader(path)
            yield clip, reader.load(str(position))

    def _note(self, path: Path, made: Iterable[int], declined: Iterable[int], seconds: float) -> None:
        sample = int(path.stem.split("-")[0])
        self._files |= {(sample, position): path for position in made}
        self.abstained |= {(sample, int(position)) for position in declined}
        self.seconds += seconds
