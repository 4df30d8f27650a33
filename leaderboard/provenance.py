"""Everything that could have moved a row's scores, in sections a person reads."""

import shlex
from typing import Any

from evaluators.result import Result

Section = list[tuple[str, Any]]


def provenance(result: Result) -> dict[str, Section]:
    """Sections of name and value: the whole record but for scores and card."""
    return {
        "Run": [
            ("command", command(result)),
            ("run id", result.run_id),
            ("scored (UTC)", result.created_utc),
            ("mmbench", result.mmbench_version),
            ("scores SHA-256", result.scores_sha256),
            ("per-clip SHA-256", result.per_clip_sha256),
            ("isolation", result.isolation),
        ],
        "Submission": [
            ("version", result.submission.version),
            ("kind", result.submission.kind),
            ("output", result.submission.output),
            ("stochastic", result.submission.stochastic),
            ("card SHA-256", result.submission.card_sha256),
            ("code SHA-256", result.submission.code_sha256),
            ("predictions SHA-256", result.submission.predictions_sha256),
        ],
        "Track": [(name.replace("_", " "), value) for name, value in result.track.model_dump().items()],
        "Protocol": [(name.replace("_", " "), value) for name, value in result.protocol.model_dump().items()],
        "Evaluators": [
            (f"{role.replace('_', '-')} {name}", value)
            for role, encoder in sorted(result.evaluators.items())
            for name, value in encoder.model_dump().items()
        ],
        "Head model": [(name.replace("_", " "), value) for name, value in result.head.model_dump().items()],
        "Cost": [
            ("generation, s", result.cost.generate_seconds),
            ("scoring, s", result.cost.score_seconds),
            ("real-time factor", result.cost.real_time_factor),
        ],
        "Outcome of samples": [(name.replace("_", " "), count) for name, count in result.status.items()],
        "Machine": [(name.replace("_", " "), value) for name, value in sorted(result.machine.items())],
        "Versions": sorted(result.versions.items()),
    }


def command(result: Result) -> str:
    """The command that evaluates the same again."""
    name = result.submission.name
    entrant = name if result.submission.kind == "control" else f"submissions/{name}"
    words = ["mmbench", "evaluate", entrant, "--track", result.track.id, "--split", result.track.split]
    words += ["--samples", str(result.protocol.samples), "--protocol", result.protocol.name]
    return shlex.join(words)
