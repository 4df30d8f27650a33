"""What there is, in lists and one thing at a time."""

from collections.abc import Callable, Sequence
from pathlib import Path
from textwrap import fill

from benchmark.errors import InputError, Problem, nearest_names
from benchmark.tracks import FROZEN_TRACKS, SPLITS_FOLDER, Track, load_track
from evaluators.controls import CONTROLS, Control
from evaluators.metrics import METRICS
from evaluators.metrics.spec import MetricSpec
from reference_models.catalogue import MODELS, NETWORKS

ROOT = Path(__file__).resolve().parent.parent
WIDTH = 110
DIRECTIONS = {
    "higher": "higher is better",
    "lower": "lower is better",
    "truth": "nearer to the truth's value is better",
}
WEIGHTS = ROOT / "evaluators" / "retrieval" / "weights"


def _table(rows: Sequence[tuple[str, ...]], headers: tuple[str, ...]) -> str:
    from tabulate import tabulate

    return str(tabulate(rows, headers=headers, tablefmt="simple", disable_numparse=True))


def submission_folders() -> dict[str, Path]:
    """Folders with a card below ``submissions/`` of the working folder and of the project, by name."""
    places = [Path("submissions"), ROOT / "submissions"]
    return {card.parent.name: card.parent for place in places for card in sorted(place.glob("*/submission.toml"))}


def _tracks() -> str:
    rows = [(track.id, track.title, " + ".join(track.inputs)) for track in FROZEN_TRACKS.values()]
    return _table(rows, ("track", "what", "inputs"))


def _metrics() -> str:
    rows = [(key, spec.name, spec.unit, DIRECTIONS[spec.direction]) for key, spec in METRICS.items()]
    return _table(rows, ("metric", "name", "unit", "direction"))


def _models() -> str:
    from mmbench.describe_model import model_docstring

    tasks = {name: "talking" if NETWORKS[name].talking_only else "talking, text2motion" for name in MODELS}
    rows = [(name, tasks[name], model_docstring(name).split("\n")[0]) for name in MODELS]
    return _table(rows, ("reference model", "tasks", "what"))


def _submissions() -> str:
    rows: list[tuple[str, ...]] = [
        (f"submissions/{name}", _card_summary(folder)) for name, folder in submission_folders().items()
    ]
    rows += [(control.name, control.summary) for control in CONTROLS.values()]
    return _table(rows, ("submission", "what"))


def _card_summary(folder: Path) -> str:
    import tomllib

    with (folder / "submission.toml").open("rb") as file:
        return str(tomllib.load(file).get("description", "")).split("\n")[0]


_LISTS: dict[str, Callable[[], str]] = {
    "tracks": _tracks,
    "metrics": _metrics,
    "models": _models,
    "submissions": _submissions,
}


def listing(kind: str | None) -> str:
    """A table of one kind of thing, or all tables."""
    return "\n\n".join(_LISTS[name]() for name in ([kind] if kind else _LISTS))


def description(identifier: str) -> str:
    """Everything about one track, metric, control, submission or reference model.

    Raises:
        InputError: Nothing of this name; suggests the nearest names.
    """
    keys = dict(METRICS) | {spec.id: spec for spec in METRICS.values()}
    if identifier in keys:
        return describe_metric(keys[identifier])
    if identifier in CONTROLS:
        return describe_control(CONTROLS[identifier])
    folders = submission_folders()
    name = identifier.removeprefix("submissions/").rstrip("/")
    if identifier in MODELS:
        from mmbench.describe_model import describe_model

        return describe_model(identifier)
    if name in folders:
        return (folders[name] / "submission.toml").read_text(encoding="utf-8").rstrip()
    if identifier in FROZEN_TRACKS or any(identifier == id_.partition("@")[0] for id_ in FROZEN_TRACKS):
        return describe_track(load_track(identifier))
    known = (*FROZEN_TRACKS, *METRICS, *CONTROLS, *(f"submissions/{folder}" for folder in folders), *MODELS)
    raise InputError(Problem("nothing of this name", identifier, mend=nearest_names(identifier, known)))


def describe_metric(spec: MetricSpec) -> str:
    """A metric with formula, unit, direction, source and caveats."""
    greatest = "infinity" if spec.range[1] is None else f"{spec.range[1]:g}"
    fields = {
        "formula": spec.formula,
        "official": spec.official,
        "unit": spec.unit,
        "direction": DIRECTIONS[spec.direction],
        "range": f"{spec.range[0]:g} to {greatest}",
        "needs": ", ".join(spec.needs),
        "source": spec.citation,
    }
    lines = [f"{spec.id}  {spec.name}", "", fill(spec.summary, WIDTH), ""]
    lines += [fill(f"{name:<11}{text}", WIDTH, subsequent_indent=" " * 11) for name, text in fields.items()]
    lines += ["", "caveats", *(fill(f"  - {text}", WIDTH, subsequent_indent="    ") for text in spec.caveats)]
    return "\n".join(lines)


def describe_control(control: Control) -> str:
    """What a control answers with and what it shows."""
    return f"{control.name}\n\nanswers with  {control.summary}\nshows         {control.shows}"


def describe_track(track: Track) -> str:
    """A track with its protocol, splits, metrics and encoders."""
    folder = SPLITS_FOLDER / track.id.replace("/", "-")
    counts = {path.stem: len(path.read_text(encoding="utf-8").split()) for path in sorted(folder.glob("*.txt"))}
    lines = [
        f"{track.id}  {track.title}",
        "",
        f"inputs     {' + '.join(track.inputs)}, frame count",
        f"clips      {', '.join(f'{split} {count}' for split, count in counts.items())}",
        f"gallery    {track.gallery}",
        f"samples    {track.samples} a clip for stochastic submissions, 1 otherwise",
        f"seed       {track.seed}",
        f"metrics    {', '.join(track.metrics)}",
    ]
    own = WEIGHTS / track.id
    for folder in sorted(path.parent for path in own.rglob("card.json")):
        lines += ["", *describe_encoders(folder, in_full=folder == own)]
    return "\n".join(lines)


def describe_encoders(folder: Path, in_full: bool) -> list[str]:
    """A shipped set's retrieval scores on the real motions and, in full, what its networks see and what they miss."""
    from evaluators.retrieval.card import read_card
    from evaluators.retrieval.probe_table import card_probes, card_scores

    card = read_card(folder)
    lines = [f"encoders {folder.relative_to(WEIGHTS).as_posix()}, seed {card.seed}", "", card_scores(card)]
    return [*lines, *(["", card_probes(card)] if in_full else [])]
