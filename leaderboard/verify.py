"""The committed results against themselves: schema, seal, per-clip numbers, and the frozen track they name."""

import csv
import math
import re
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import get_args

from benchmark.errors import InputError, Problem
from benchmark.storage import sha256_file
from benchmark.tracks import FROZEN_TRACKS, SPLITS_FOLDER, split_sha256
from evaluators.result import Protocol, Result, Score, read_result
from leaderboard.rows import RESULTS

_CLOSE = 1e-6
"""A mean of per-clip numbers with nine digits is as near as this to the value beside it, relative to the larger."""
_LINK = re.compile(r'href="([^"#?:]+\.html)')
_MEND = "score the submission again; a result is never edited"


def result_files(folder: Path = RESULTS) -> list[Path]:
    """All result files of a results folder; other files beside them belong to the site."""
    return [path for path in sorted(folder.glob("*/*/*.json")) if path.stem in get_args(Protocol)]


def result_problems(path: Path) -> list[Problem]:
    """What is wrong with one result: its record, the per-clip numbers beside it, or what both say of each other.

    Args:
        path: A result file in ``<submission>/<track>/``.
    """
    try:
        result = read_result(path)
    except InputError as error:
        return list(error.problems)
    clips = path.with_name(result.per_clip_file)
    name, track = result.submission.name.replace(":", "-"), result.track.id.replace("/", "-")
    place = Path(name, track, f"{result.protocol.name}.json")
    pairs = [("place", place.as_posix(), "/".join(path.parts[-3:]))]
    sha256 = sha256_file(clips) if clips.is_file() else "no such file"
    pairs.append(("per-clip numbers", result.per_clip_sha256, sha256))
    if result.track.id in FROZEN_TRACKS:
        pairs.append(("split", frozen_sha256(result.track.id, result.track.split), result.track.split_sha256))
    problems = [
        Problem(f"another {what} than it should have", str(path), expected, got, _MEND)
        for what, expected, got in pairs
        if expected != got
    ]
    return problems if problems or not result.ranked else list(_clip_problems(result, clips))


def frozen_sha256(track: str, split: str) -> str:
    """Hash of a frozen track's split."""
    file = SPLITS_FOLDER / track.replace("/", "-") / f"{split}.txt"
    return split_sha256(file.read_text(encoding="utf-8").split()) if file.is_file() else "no such split"


def measure_problems(paths: Iterable[Path], frozen: Mapping[str, Mapping[str, str]]) -> list[Problem]:
    """Results that were not measured like the others of their track and protocol: other head, encoders, truth, metrics.

    Args:
        paths: Result files.
        frozen: By track, SHA-256 of the head and of the encoders by role, where these are known.
    """
    first: dict[tuple[str, str], dict[str, str]] = {}
    problems = []
    for path in paths:
        try:
            result = read_result(path)
        except InputError:
            continue  # told by result_problems
        own = _measure(result)
        expected = first.setdefault((result.track.id, result.protocol.name), {**own, **frozen.get(result.track.id, {})})
        problems += [
            Problem(f"another {what} than the other results of {result.track.id}", str(path), sha256, got, _MEND)
            for what, sha256 in expected.items()
            if (got := own.get(what, "none")) != sha256
        ]
    return problems


def site_problems(folder: Path = RESULTS) -> list[Problem]:
    """Results that no page says anything of which a reader can reach from the site's front pages.

    Args:
        folder: Folder of results, of which the site is built for this.
    """
    from leaderboard.build import build

    with tempfile.TemporaryDirectory() as place:
        site = Path(place) / "site"
        try:
            build(folder, site)
        except InputError as error:
            return list(error.problems)
        except ModuleNotFoundError as error:
            return [Problem("the site cannot be built", str(error.name), mend="pip install 'mmbench[site]'")]
        fronts = "".join(page.read_text(encoding="utf-8") for page in site.glob("*.html"))
        linked = (site / link for link in sorted(set(_LINK.findall(fronts))))
        told = "".join(page.read_text(encoding="utf-8") for page in linked if page.is_file())
    mend = "see leaderboard/build.py: every result has a page, every board links to its rows"
    return [
        Problem("the site does not list a result", str(path), f"its run id {run_id}", mend=mend)
        for path in result_files(folder)
        if (run_id := read_result(path).run_id) not in told
    ]


def _measure(result: Result) -> dict[str, str]:
    encoders = {str(role): encoder.sha256 for role, encoder in result.evaluators.items()}
    metrics = ", ".join(result.protocol.metrics)
    return {"head": result.head.sha256, "truth": result.track.truth_sha256, "list of metrics": metrics, **encoders}


def _clip_problems(result: Result, path: Path) -> Iterable[Problem]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    expected = result.track.n_clips * result.protocol.samples
    if len(rows) != expected:
        yield Problem("another number of rows", str(path), str(expected), str(len(rows)), _MEND)
        return
    for key, score in result.metrics.items():
        if key in rows[0] and score.value is not None and result.protocol.name == "strict":
            mean = math.fsum(float(row[key]) for row in rows) / len(rows)
            if not _is_close(score, mean):
                yield Problem(
                    f"{key} is not the mean of its clips", str(path), f"{mean:.9g}", f"{score.value:.9g}", _MEND
                )


def _is_close(score: Score, mean: float) -> bool:
    assert score.value is not None
    return math.isclose(score.value, mean, rel_tol=_CLOSE, abs_tol=_CLOSE)
