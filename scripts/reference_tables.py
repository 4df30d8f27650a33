"""Prints the tables of docs/reference_models.md from the committed results, as Markdown.

python scripts/reference_tables.py
"""

from collections.abc import Sequence
from pathlib import Path

from evaluators.result import Result, Score, read_result

RESULTS = Path(__file__).resolve().parent.parent / "leaderboard" / "results"
TRACKS = ("mini/talking@1", "mini/text2motion@1")
COLUMNS = {
    "text_r_precision_1": ("text R@1 ↑", 3),
    "audio_r_precision_1": ("audio R@1 ↑", 3),
    "audio_match": ("audio match ↓", 3),
    "fid": ("FID ↓", 1),
    "diversity": ("diversity →", 2),
    "multimodality": ("multimodality ↑", 2),
    "lve_mm": ("LVE mm ↓", 2),
    "fve_mm": ("FVE mm ↓", 2),
}
FUSIONS = {
    "mm2face.ft_hta": "FT / HT + A",
    "mm2face.ft_a": "FT / A",
    "mm2face.ftht_a": "FT + HT / A",
    "mm2face.fthta_none": "FT + HT + A / -",
    "mm2face.none_fthta": "- / FT + HT + A",
}


def results(track: str) -> list[Result]:
    """The rows of a track, by text R@1, the best first."""
    paths = sorted(RESULTS.glob(f"*/{track.replace('/', '-')}/strict.json"))
    return sorted(map(read_result, paths), key=lambda row: -(row.metrics["text_r_precision_1"].value or 0.0))


def cell(score: Score | None, decimals: int) -> str:
    """A value with its interval."""
    if score is None or score.value is None:
        return "-"
    interval = ""
    if score.ci_low is not None and score.ci_high is not None:
        interval = f" [{score.ci_low:.{decimals}f}, {score.ci_high:.{decimals}f}]"
    return f"{score.value:.{decimals}f}{interval}"


def table(rows: Sequence[tuple[str, Result]], keys: Sequence[str], first: str) -> str:
    """A Markdown table of named rows."""
    headers = [first, *(COLUMNS[key][0] for key in keys), "K", "real-time factor"]
    lines = [f"| {' | '.join(headers)} |", "|---" * len(headers) + "|"]
    for name, row in rows:
        cells = [cell(row.metrics.get(key), COLUMNS[key][1]) for key in keys]
        speed = row.cost.real_time_factor
        cells += [str(row.protocol.samples), "-" if speed is None else f"{speed:.0f}"]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Prints one table a track, then the fusion ablation."""
    for track in TRACKS:
        rows = results(track)
        keys = [key for key in COLUMNS if key in rows[0].metrics]
        named = [(row.submission.name, row) for row in rows if "." not in row.submission.name]
        print(f"\n### {track}\n\n{table(named, keys, 'row')}")
    by_name = {row.submission.name: row for row in results(TRACKS[0])}
    fusions = [(f"{label} ({name})", by_name[name]) for name, label in FUSIONS.items() if name in by_name]
    keys = ("text_r_precision_1", "audio_r_precision_1", "fid", "lve_mm", "multimodality")
    print(f"\n### Fusions\n\n{table(fusions, keys, 'self-attention / cross-attention')}")


if __name__ == "__main__":
    main()
