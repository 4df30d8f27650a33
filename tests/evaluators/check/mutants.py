"""Mistakes put into the scoring code, in memory only: a function is compiled again with one text replaced."""

import importlib
import inspect
import sys
import textwrap
from dataclasses import dataclass
from typing import Any

import pytest


@dataclass(frozen=True)
class Mutant:
    """One mistake."""

    name: str
    """What is wrong, in words."""
    place: str
    """Module, a colon, and the function, or class and method."""
    old: str
    """Text of its source, which must occur once."""
    new: str
    """What stands there instead."""
    metric: str
    """Metric that must give it away."""
    entrant: str = "control:shuffled"
    """Entrant of the frozen set that shows it."""
    embeds: bool = False
    """Whether it changes what the encoders see, so that motions must be embedded again."""

    def apply(self, patch: pytest.MonkeyPatch) -> None:
        """Puts the mistake wherever the function is known by name."""
        module_name, _, path = self.place.partition(":")
        module = importlib.import_module(module_name)
        owner: Any = module
        for part in path.split(".")[:-1]:
            owner = getattr(owner, part)
        name = path.split(".")[-1]
        original = getattr(owner, name)
        if owner is not module:
            patch.setattr(owner, name, self._mutated(original, module))
            return
        mutated = self._mutated(original, module)
        for loaded in [m for key, m in sys.modules.items() if key.partition(".")[0] in ("benchmark", "evaluators")]:
            for attribute in [key for key, value in vars(loaded).items() if value is original]:
                patch.setattr(loaded, attribute, mutated)

    def _mutated(self, original: Any, module: Any) -> Any:
        source = textwrap.dedent(inspect.getsource(original))
        assert source.count(self.old) == 1, (
            f"{self.place} holds {self.old!r} {source.count(self.old)} times, expected 1"
        )
        made: dict[str, Any] = {}
        exec(compile(source.replace(self.old, self.new), self.place, "exec"), vars(module), made)
        return made[original.__name__]


LVE, FVE, RANK = "evaluators.metrics.lve", "evaluators.metrics.fve", "evaluators.metrics.r_precision"
FID, MATCH, DISTANCES = "evaluators.metrics.fid", "evaluators.metrics.matching_score", "evaluators.metrics.distances"
DIVERSITY, MULTIMODALITY = "evaluators.metrics.diversity", "evaluators.metrics.multimodality"
MEASURE, STRICT, OFFICIAL = "evaluators.measure", "evaluators.strict", "evaluators.metrics.official"
SAMPLED, RECONSTRUCTED = "mm2face", "vqvae"
MUTANTS = (
    Mutant("LVE is the mean over lips", f"{LVE}:lve", "max(axis=1)", "mean(axis=1)", "lve_mm"),
    Mutant("LVE is the worst frame's", f"{LVE}:lve", ".mean()", ".max()", "lve_mm"),
    Mutant("LVE: worst over frames, mean over lips", f"{LVE}:lve", "axis=1", "axis=0", "lve_mm"),
    Mutant("errors are in metres", f"{LVE}:vertex_errors_mm", " * MM_PER_M", "", "fve_mm"),
    Mutant("errors are squared", f"{LVE}:vertex_errors_mm", "np.sqrt(np.einsum", "(np.einsum", "lve_mm"),
    Mutant("the truth is added, not taken away", f"{LVE}:vertex_errors_mm", "np.subtract", "np.add", "fve_mm"),
    Mutant(
        "errors leave out an axis",
        f"{LVE}:vertex_errors_mm",
        '"tvc,tvc->tv", differences, differences',
        '"tvc,tvc->tv", differences[..., :2], differences[..., :2]',
        "lve_mm",
    ),
    Mutant(
        "FVE leaves out the last frame", f"{FVE}:fve", "(pred, truth, face)", "(pred[:-1], truth[:-1], face)", "fve_mm"
    ),
    Mutant("FVE is the worst vertex's", f"{FVE}:fve", "face).mean()", "face).max(axis=1).mean()", "fve_mm"),
    Mutant(
        "lips are judged on the face", f"{MEASURE}:_measure_sample", "judge.lip_columns", "judge.face_columns", "lve_mm"
    ),
    Mutant(
        "the face is judged on the lips",
        f"{MEASURE}:_measure_sample",
        "judge.face_columns",
        "judge.lip_columns",
        "fve_mm",
    ),
    Mutant(
        "lips are judged against themselves",
        f"{MEASURE}:_measure_sample",
        "generated, truth.vertices(index), judge.lip",
        "generated, generated, judge.lip",
        "lve_mm",
    ),
    Mutant(
        "the head pose is hidden", f"{MEASURE}:_judged_neck", 'output == "vertices"', "True", "text_match", embeds=True
    ),
    Mutant(
        "the jaw turns the other way",
        "benchmark.head:_Subset.turn_jaw",
        "turn.transpose(1, 2)",
        "turn",
        "lve_mm",
        embeds=True,
    ),
    Mutant(
        "ties count as nearer",
        f"{RANK}:_nearer_and_tied",
        "square < own",
        "square <= own",
        "text_r_precision_1",
        RECONSTRUCTED,
    ),
    Mutant(
        "the farthest counts as the nearest",
        f"{RANK}:_nearer_and_tied",
        "square < own",
        "square > own",
        "text_r_precision_3",
    ),
    Mutant(
        "ranks are taken along the other axis",
        f"{RANK}:_nearer_and_tied",
        "np.count_nonzero(square < own, axis=1)",
        "np.count_nonzero(square < own.T, axis=0)",
        "audio_r_precision_1",
    ),
    Mutant(
        "one more of the nearest counts",
        f"{RANK}:_hit_probability",
        "np.arange(k,",
        "np.arange(k + 1,",
        "text_r_precision_2",
    ),
    Mutant(
        "the gallery is one smaller",
        f"{RANK}:_hit_probability",
        "np.float64(gallery - 1)",
        "np.float64(gallery - 2)",
        "text_r_precision_1",
    ),
    Mutant("ranks start at zero", f"{RANK}:full_gallery_ranks", "1.0 + nearer", "nearer", "text_r_precision_1"),
    Mutant(
        "motion asks for text",
        f"{STRICT}:_Scorer._square",
        '(condition, motion) if kind == "text"',
        '(motion, condition) if kind == "text"',
        "text_r_precision_1",
    ),
    Mutant(
        "audio asks for motion",
        f"{STRICT}:_Scorer._square",
        "(motion, condition)",
        "(condition, motion)",
        "audio_r_precision_1",
    ),
    Mutant(
        "distances are city blocks", f"{DISTANCES}:euclidean", "cdist(a, b)", "cdist(a, b, 'cityblock')", "diversity"
    ),
    Mutant("distances are angles", f"{DISTANCES}:euclidean", "cdist(a, b)", "cdist(a, b, 'cosine')", "diversity"),
    Mutant(
        "matching scores are squared",
        f"{MATCH}:matching_score",
        "np.linalg.norm(a - b, axis=1)",
        "((a - b) ** 2).sum(axis=1)",
        "audio_match",
    ),
    Mutant(
        "conditions are shifted by a clip",
        f"{MATCH}:matching_score",
        "a - b",
        "a - np.roll(b, 1, axis=0)",
        "text_match",
    ),
    Mutant(
        "a clip is paired with itself",
        f"{DIVERSITY}:diversity_per_clip",
        "(len(distances) - 1)",
        "len(distances)",
        "diversity",
    ),
    Mutant(
        "samples are paired with themselves",
        f"{MULTIMODALITY}:multimodality",
        "for j in range(i)",
        "for j in range(i + 1)",
        "multimodality",
        SAMPLED,
    ),
    Mutant(
        "multimodality loses a dimension",
        f"{MULTIMODALITY}:multimodality",
        "samples[i] - samples[j]",
        "samples[i][:, 1:] - samples[j][:, 1:]",
        "multimodality",
        SAMPLED,
    ),
    Mutant("FID without the means", f"{FID}:frechet_from_factor", "np.sum((mean1 - mean2) ** 2) + ", "", "fid"),
    Mutant("FID adds the root", f"{FID}:frechet_from_factor", "- 2.0 * roots", "+ 2.0 * roots", "fid"),
    Mutant(
        "FID is rooted",
        f"{FID}:frechet_from_factor",
        "max(float(distance), 0.0)",
        "max(float(distance), 0.0) ** 0.5",
        "fid",
    ),
    Mutant("the covariance is over n", f"{FID}:covariance", "(len(centred) - 1)", "len(centred)", "fid"),
    Mutant(
        "only the first sample counts",
        f"{STRICT}:_Scorer._per_clip",
        "float(values.mean())",
        "float(values[0].mean())",
        "lve_mm",
        SAMPLED,
    ),
    Mutant(
        "the best of the samples counts",
        f"{STRICT}:_Scorer._vertex_error",
        "self.measured.lve_mm if",
        "self.measured.lve_mm.min(axis=0, keepdims=True) if",
        "lve_mm",
        SAMPLED,
    ),
    Mutant(
        "performers are drawn in another order than summed",
        "evaluators.statistics:ClusterBootstrap.mean_interval",
        "self.counts @ sums",
        "self.counts[:, ::-1] @ sums",
        "text_match",
    ),
    Mutant("intervals are of 90%", "evaluators.statistics:_expanded_levels", "(1.0 + LEVEL) / 2.0", "0.95", "lve_mm"),
    Mutant(
        "official: the short last batch is dropped",
        f"{OFFICIAL}:batches",
        "range(0, n, BATCH)",
        "range(0, n - BATCH + 1, BATCH)",
        "lve_mm",
        RECONSTRUCTED,
    ),
    Mutant(
        "official: top k off by one",
        f"{OFFICIAL}:_top_k_hits",
        "place < k",
        "place <= k",
        "text_r_precision_1",
        RECONSTRUCTED,
    ),
    Mutant(
        "the table mixes up samples and clips",
        "evaluators.score:write_clips",
        ".T.reshape(-1)",
        ".reshape(-1)",
        "text_match",
        SAMPLED,
    ),
)
"""Signs, units, masks, axes, off-by-ones, directions and means, in everything between motions and a result."""
