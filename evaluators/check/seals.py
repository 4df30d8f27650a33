"""Seals: a number, once frozen under a metric's id and a track's, stays; another number needs another id."""

import json
from collections.abc import Mapping
from pathlib import Path

from benchmark.errors import InputError, Problem
from benchmark.storage import content_hash, write_json
from benchmark.tracks import FROZEN_TRACKS
from evaluators.check.differences import metric_of
from evaluators.check.frozen import FOLDER, TRUTH, Frozen
from evaluators.metrics import METRICS

FILE = "seals.json"
Seals = dict[str, dict[str, str]]
"""SHA-256 of the expected numbers, by ``track entrant@version`` and metric id. Entries are added, never changed."""
_MEND = "restore the numbers, or give the metric or the track a new version, write so in CHANGELOG.md, and freeze anew"


def read_seals(path: Path = FOLDER / FILE) -> Seals:
    """All seals there are.

    Raises:
        InputError: The file is there and is none of ours.
    """
    if not path.is_file():
        return {}
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return {str(name): {str(k): str(v) for k, v in metrics.items()} for name, metrics in record.items()}
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(Problem("no file of seals", str(path), "hashes by entrant and metric", str(error))) from error


def write_seals(seals: Seals, folder: Path = FOLDER) -> None:
    """Writes all seals, sorted."""
    write_json(folder / FILE, {name: dict(sorted(seals[name].items())) for name in sorted(seals)})


def seals_of(frozen: Frozen) -> Seals:
    """What the numbers of a frozen set are sealed as."""
    found: Seals = {}
    for name in frozen.expected:
        version = "1" if name == TRUTH else frozen.entrants[name].version
        entry = f"{frozen.track} {name}@{version}"
        found[entry] = {id_: _seal(frozen, name, key) for key, id_ in frozen.metrics.items()}
    return found


def seal_problems(frozen: Frozen, seals: Mapping[str, Mapping[str, str]]) -> list[Problem]:
    """Expected numbers that are not those their metric and track were sealed with."""
    problems = []
    for entry, metrics in seals_of(frozen).items():
        for id_, sha256 in metrics.items():
            sealed = seals.get(entry, {}).get(id_)
            if sealed != sha256:
                what = "an expectation changed under the same version" if sealed else "an expectation without a seal"
                problems.append(Problem(what, f"{entry}, {id_}", sealed or "a seal", sha256, _MEND))
    return problems


def version_problems(frozen: Frozen) -> list[Problem]:
    """Metrics whose version is not that of the frozen numbers."""
    now = {key: METRICS[key].id for key in FROZEN_TRACKS[frozen.track].metrics}
    mend = "freeze the numbers of the new version: scripts/freeze_check.py"
    return [
        Problem("another version than the frozen numbers", f"{frozen.track}, {key}", was, now.get(key, "none"), mend)
        for key, was in {**dict.fromkeys(now, "none"), **frozen.metrics}.items()
        if was != now.get(key)
    ]


def changed_seals(before: Mapping[str, Mapping[str, str]], now: Mapping[str, Mapping[str, str]]) -> list[Problem]:
    """Seals of an earlier state, such as the branch a change is merged into, that are changed or gone."""
    return [
        Problem(
            "a seal was changed" if now.get(entry, {}).get(id_) else "a seal was removed",
            f"{entry}, {id_}",
            sha256,
            now.get(entry, {}).get(id_, "none"),
            _MEND,
        )
        for entry, metrics in before.items()
        for id_, sha256 in metrics.items()
        if now.get(entry, {}).get(id_) != sha256
    ]


def changelog_problems(text: str) -> list[Problem]:
    """Versions above the first of metrics and tracks that the changelog does not tell under its heading.

    Args:
        text: CHANGELOG.md.
    """
    heading = "scores that move"
    _, _, told = text.lower().partition(heading)
    ids = [*(spec.id for spec in METRICS.values()), *FROZEN_TRACKS]
    problems = [
        Problem("a new version is not told", "CHANGELOG.md", f"{id_} under '{heading}'", "nothing")
        for id_ in ids
        if not id_.endswith("@1") and id_ not in told
    ]
    if not told:
        problems.insert(0, Problem("a heading is missing", "CHANGELOG.md", f"'{heading}'"))
    return problems


def _seal(frozen: Frozen, name: str, key: str) -> str:
    """Hash of all expected numbers of one metric of one entrant, with the motions and clips they are of."""
    entrant = frozen.entrants[name].model_dump(mode="json", exclude={"protocols"}) if name != TRUTH else {}
    numbers = {
        protocol: {
            "metrics": found.metrics.get(key),
            "per_clip": {column: rows for column, rows in found.per_clip.items() if metric_of(column) == key},
        }
        for protocol, found in frozen.expected[name].items()
    }
    record = {"entrant": entrant, "clips": frozen.clips, "numbers": numbers}
    return content_hash(json.dumps(record, sort_keys=True))
