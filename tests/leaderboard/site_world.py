"""A small folder of results with everything a site must cope with: ties, controls, a hostile card, refused rows."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.storage import sha256_file
from evaluators.result import Result, Score, read_result, write_result
from leaderboard.build import build
from leaderboard.rows import RESULTS, Row
from mmbench.reproduction import paired

CLIPS = [f"MINI_p{i % 8:02d}_{i:04d}" for i in range(120)]
SCRIPT = '<script>window.hacked = 1</script><img src="https://evil.test/x.png" onerror="window.hacked = 2">'
HOSTILE = {
    "name": SCRIPT,
    "licence": "=1+1" + SCRIPT,
    "url": "javascript:window.hacked=3",
    "description": SCRIPT,
    "authors": [SCRIPT],
    "inputs": ["text", '"><script>window.hacked = 4</script>'],
    SCRIPT: "a key of its own",
}
ROWS: dict[str, dict[str, Any]] = {
    "alpha": {"r1": 0.60, "fid": 9.0, "inputs": ["audio", "text"], "samples": 3, "rate": 20.0},
    "beta": {"r1": 0.595, "fid": 5.0, "inputs": ["text"], "licence": "CC-BY-4.0", "rate": 300.0},
    "gamma": {"r1": 0.30, "fid": 3.0, "inputs": ["text"], "kind": "predictions", "isolation": "predictions"},
    "mm2face": {"r1": 0.50, "fid": 4.0, "inputs": ["audio", "text"], "output": "vertices"},
    "mm2face.ft_a": {"r1": 0.45, "fid": 6.0, "inputs": ["audio", "text"]},
    "vqvae": {"r1": 0.85, "fid": 1.0, "inputs": ["text"], "kind": "predictions", "isolation": "predictions"},
    "unfinished": {"r1": 0.99, "fid": 0.1, "inputs": ["text"], "why_not": "3 clips <b>missing</b>"},
    "hostile": {"r1": 0.20, "fid": 20.0, "card": HOSTILE, "warning": SCRIPT},
    "control:truth": {"r1": 0.9, "fid": 0.0, "kind": "control", "card": {}},
    "control:static": {"r1": 0.03, "fid": 90.0, "kind": "control", "card": {}},
}
"""Rows of the talking track."""


def write_world(folder: Path) -> Path:
    """Results of two tracks, one of them also with other encoders and by the official protocol."""
    for name, about in ROWS.items():
        write_row(folder, name, "mini/talking@1", about)
    write_row(folder, "delta", "mini/talking@1", ROWS["alpha"], encoder="e" * 64)
    write_row(folder, "alpha", "mini/talking@1", ROWS["alpha"], protocol="official")
    for name in ("alpha", "beta", "control:truth"):
        write_row(folder, name, "mini/text2motion@1", ROWS[name])
    return folder


def write_row(
    folder: Path, name: str, track: str, about: Mapping[str, Any], encoder: str | None = None, protocol: str = "strict"
) -> Row:
    """Writes one result with its per-clip numbers."""
    place = folder / name.replace(":", "-") / track.replace("/", "-")
    place.mkdir(parents=True, exist_ok=True)
    samples = about.get("samples", 1)
    clips = place / f"{protocol}.clips.csv"
    base = read_result(RESULTS / "control-truth" / track.replace("/", "-") / "strict.json")
    clips.write_text(_clip_table(about["r1"], samples, list(base.metrics)), encoding="utf-8")
    result = _result(base, name, about, encoder, protocol, sha256_file(clips)).sealed()
    write_result(result, place / f"{protocol}.json")
    return Row(result, place)


def _result(base: Result, name: str, about: Mapping[str, Any], encoder: str | None, protocol: str, sha: str) -> Result:
    card = about.get("card", {"name": name, "licence": about.get("licence", "MIT"), "inputs": about.get("inputs", [])})
    record = base.model_dump()
    samples = about.get("samples", 1)
    record["submission"] |= {
        "name": card.get("name", name),
        "kind": about.get("kind", "code"),
        "output": about.get("output", "parameters"),
        "card": card,
        "stochastic": samples > 1,
    }
    record["protocol"] |= {"name": protocol, "samples": samples, "seeds": list(range(samples))}
    record["cost"]["real_time_factor"] = about.get("rate")
    record["isolation"] = about.get("isolation", "process")
    record |= {"per_clip_file": f"{protocol}.clips.csv", "per_clip_sha256": sha, "warnings": []}
    record |= {"ranked": "why_not" not in about, "why_not": about.get("why_not")}
    if "warning" in about:
        record["warnings"] = [about["warning"]]
    if encoder:
        record["evaluators"]["text_motion"]["sha256"] = encoder
    values = {"text_r_precision_1": about["r1"], "fid": about["fid"], "lve_mm": 10 * (1 - about["r1"])}
    record["metrics"] = {key: _score(Score(**score), values.get(key)) for key, score in record["metrics"].items()}
    return Result.model_validate(record)


def _score(score: Score, value: float | None) -> dict[str, Any]:
    if value is None or score.value is None:
        return score.model_dump()
    return score.model_copy(
        update={"value": value, "ci_low": value * 0.98, "ci_high": value * 1.02, "per_sample": [value]}
    ).model_dump()


def _clip_table(mean: float, samples: int, keys: list[str]) -> str:
    generator = np.random.default_rng(7)
    keys = [key for key in keys if key not in ("fid", "multimodality")]
    lines = [",".join(["clip_id", "sample", "frames", "status", "text_rank", *keys])]
    for clip in CLIPS:
        for sample in range(samples):
            noise = generator.normal(0, 0.1)
            numbers = [f"{mean + noise + 0.01 * generator.normal():.6f}" for _ in keys]
            lines.append(",".join([clip, str(sample), "100", "ok", str(generator.integers(1, 33)), *numbers]))
    return "\n".join(lines) + "\n"


def build_site(results: Path, out: Path) -> Path:
    """Builds the site as the command does."""
    return build(results, out, paired).parent
