"""Alterations do what they say, concern the clips they should, and cost an evaluator only what it sees."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from benchmark.corpus import Corpus
from benchmark.head import open_head
from benchmark.mini import phrases
from benchmark.mini.open_head import mirror_ids
from benchmark.protocol import TEXT_FIELDS, FloatArray, Texts
from evaluators import probing
from evaluators.retrieval.card import ProbeScores
from evaluators.retrieval.concerns import emotion_partners, emotions_of, names_a_side, tells_an_order
from evaluators.retrieval.mirror import mirror_columns, mirrored_vertices
from evaluators.retrieval.probe_table import missed, probe_table, report_text
from evaluators.retrieval.probes import AUDIO_PROBES, SHIFTS, TEXT_PROBES, Requirement, Shown, Truth
from evaluators.retrieval.report import audio_report, text_report
from evaluators.setting import Setup
from tests.conftest import Command
from tests.evaluators.world import FakeAudio, World, make_world

N, FRAMES = 48, 30
PROBES = {probe.name: probe for probe in TEXT_PROBES} | {f"audio {probe.name}": probe for probe in AUDIO_PROBES}
BLANK = Texts("", "", "", "", "")


class MadeCorpus:
    """Every second clip looks ahead; the others turn and tilt the head by an amount of their own. Faces differ."""

    def motion(self, clip_id: str) -> FloatArray:
        i = int(clip_id.split("_")[1])
        rng = np.random.default_rng(i)
        motion = np.repeat(rng.normal(0, 1, (1, 56)), FRAMES, axis=0) + rng.normal(0, 0.1, (FRAMES, 56)).cumsum(axis=0)
        motion[:, 50:56] = 0
        if i % 2:
            motion[:, 51] = 0.2 + 0.02 * i
            motion[:, 52] = 0.1 * (i % 3)
        return np.asarray(motion, dtype=np.float32)

    def texts(self, clip_id: str) -> Texts:
        side = "left" if int(clip_id.split("_")[1]) % 4 == 1 else "other"
        emotion = ("happy", "sad", "angry")[int(clip_id.split("_")[1]) % 3]
        return Texts(clip_id, f"She looks {emotion}.", "The brows raise.", f"The head turns to the {side} side.", "1.")


IDS = tuple(f"p{i % 6}_{i}" for i in range(N))


@dataclass
class Seeing:
    """Embeds a motion as its mean neck and a few of its mean vertices, each if it looks there; a text as its motion."""

    truth: Truth
    neck: bool = True
    face: bool = True
    text_fields: tuple[str, ...] = TEXT_FIELDS

    def embed_motions(self, motions: Iterable[tuple[FloatArray, FloatArray]]) -> FloatArray:
        rows = [
            np.concatenate([self.neck * 10 * neck.mean(0), self.face * 1000 * vertices.mean(0)[::40].ravel()])
            for vertices, neck in motions
        ]
        return np.asarray(rows, dtype=np.float32)

    def embed_texts(self, texts: Sequence[Texts]) -> FloatArray:
        shown = [self.truth.shown(self.truth.ids.index(text.action)) for text in texts]
        rows = self.embed_motions((one.vertices, one.neck) for one in shown)
        rows[:, :3] *= "detail_head_pose" in self.text_fields
        rows[:, 3:] *= "detail_expression" in self.text_fields
        return rows


@pytest.fixture(scope="module")
def truth() -> Truth:
    return Truth(cast(Corpus, MadeCorpus()), IDS, open_head())


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


def _altered(truth: Truth, name: str, index: int = 1) -> tuple[Shown, Shown]:
    """A clip's motion before and after."""
    alter, before = PROBES[name].alter, truth.shown(index)
    assert alter is not None
    return before, alter(truth, index, before)


def _report(truth: Truth, *, neck: bool = True, face: bool = True) -> Any:
    return text_report(cast(Any, Seeing(truth, neck, face)), truth, TEXT_PROBES)


def test_the_mirror_of_the_open_head_is_its_own_even_where_lips_touch() -> None:
    head = open_head()
    np.testing.assert_array_equal(head.face_ids[mirror_columns(head)], mirror_ids()[head.face_ids])


def test_mirroring_changes_sides_and_twice_is_the_identity(truth: Truth) -> None:
    rng = np.random.default_rng(0)
    face = truth.neutral + rng.normal(0, 0.01, (5, *truth.neutral.shape)).astype(np.float32)
    once = mirrored_vertices(face, truth.neutral, truth.mirror)
    np.testing.assert_allclose(mirrored_vertices(once, truth.neutral, truth.mirror), face, atol=1e-7)
    own = mirror_ids()[truth.head.face_ids]
    whole = np.zeros((5, truth.head.n_vertices, 3), np.float32)
    whole[:, truth.head.face_ids] = face
    np.testing.assert_allclose(once, whole[:, own] * (-1, 1, 1), atol=1e-7)
    before, after = _altered(truth, "mirrored")
    np.testing.assert_array_equal(after.neck, before.neck * (1, -1, -1))
    np.testing.assert_allclose(after.vertices, before.vertices[:, truth.mirror] * (-1, 1, 1), atol=1e-6)
    assert np.abs(after.vertices - before.vertices).max() > 1e-3


def test_a_head_that_is_not_symmetric_keeps_its_neutral_face() -> None:
    rng = np.random.default_rng(1)
    neutral = rng.normal(0, 0.05, (6, 3)).astype(np.float32)
    columns = np.array([1, 0, 3, 2, 5, 4])
    np.testing.assert_array_equal(mirrored_vertices(neutral[None], neutral, columns)[0], neutral)


def test_each_alteration_does_what_it_says(truth: Truth) -> None:
    before, after = _altered(truth, "neck_zeroed")
    assert before.neck.any() and not after.neck.any()
    assert after.vertices is before.vertices
    before, after = _altered(truth, "neck_mirrored")
    np.testing.assert_array_equal(after.neck, before.neck * (1, -1, -1))
    before, after = _altered(truth, "time_reversed")
    np.testing.assert_array_equal(after.vertices[0], before.vertices[-1])
    before, after = _altered(truth, "half_amplitude")
    np.testing.assert_allclose(after.vertices - truth.neutral, (before.vertices - truth.neutral) / 2, atol=1e-7)
    np.testing.assert_allclose(after.neck, before.neck / 2)
    before, after = _altered(truth, "static")
    assert np.ptp(after.vertices, axis=0).max() == 0 < np.ptp(before.vertices, axis=0).max()
    np.testing.assert_allclose(after.vertices[0], before.vertices.mean(0), atol=1e-6)
    for frames in SHIFTS:
        before, late = _altered(truth, f"audio late_{frames}")
        _, early = _altered(truth, f"audio early_{frames}")
        np.testing.assert_array_equal(late.vertices[frames:], before.vertices[:-frames])
        np.testing.assert_array_equal(early.vertices[:-frames], before.vertices[frames:])
        assert np.array_equal(late.vertices[0], before.vertices[0]) and len(late.neck) == len(before.neck) == FRAMES


def test_noise_is_seeded_and_a_tenth_of_each_parameters_deviation(truth: Truth) -> None:
    _, once = _altered(truth, "noise_0.1")
    _, again = _altered(truth, "noise_0.1")
    np.testing.assert_array_equal(once.vertices, again.vertices)
    added = np.concatenate([np.subtract(*(shown.neck for shown in _altered(truth, "noise_0.1", i))) for i in range(N)])
    np.testing.assert_allclose(added.std(0), 0.1 * truth.deviations[50:53], rtol=0.1, atol=1e-9)


def test_other_clips_motions_are_of_the_same_source_or_any(truth: Truth) -> None:
    assert sorted(truth.others) == sorted(truth.siblings) == list(range(N))
    assert not np.any(truth.others == np.arange(N)) and not np.any(truth.siblings == np.arange(N))
    assert all(IDS[i].split("_")[0] == IDS[j].split("_")[0] for i, j in enumerate(truth.siblings))


def test_sides_and_order_are_read_from_the_texts_that_tell_movements() -> None:
    assert names_a_side(replace(BLANK, detail_head_pose="The head tilts to the right."))
    assert not names_a_side(replace(BLANK, emotion_scenario="Being left out. Standing on the right."))
    assert not names_a_side(replace(BLANK, action="He smiles right away."))
    assert tells_an_order(replace(BLANK, detail_head_pose="The head nods, and then turns away."))
    assert tells_an_order(replace(BLANK, detail_expression="The brows raise. At the end, the jaw drops."))
    assert not tells_an_order(replace(BLANK, detail_expression="At the end, the jaw drops."))
    assert not tells_an_order(replace(BLANK, detail_expression="The brows raise.", detail_head_pose="Then it nods."))
    assert not tells_an_order(replace(BLANK, action="First he nods, then he smiles."))


def test_the_words_of_our_own_annotators_are_understood() -> None:
    """A word added to the annotators' lists must not take clips out of the probes unseen."""
    for emotion, levels in phrases.EMOTIONS.items():
        for word in (word for level in levels for word in level):
            assert emotions_of(replace(BLANK, emotion=f"The person seems {word}.")) == {emotion}, word
    for one, other in itertools.product((*phrases.FIRST, *phrases.THROUGHOUT), (*phrases.NEXT, *phrases.LAST)):
        assert tells_an_order(replace(BLANK, detail_expression=f"{one}, the brows raise. {other}, the jaw drops."))
    for word in phrases.MEANWHILE:
        assert not tells_an_order(replace(BLANK, detail_expression=f"The brows raise. {word}, the jaw drops."))


def test_partners_have_other_emotions_and_clips_without_any_are_not_concerned() -> None:
    said = ["happy", "happy", "sad and happy", "unhappy", "furious", "", "green"]
    texts = [replace(BLANK, emotion=f"She looks {word}.") for word in said]
    assert emotions_of(texts[3]) == {"sadness"}
    partners = emotion_partners(texts, 0)
    for clip, other in enumerate(partners):
        assert clip == other if clip > 4 else not emotions_of(texts[clip]) & emotions_of(texts[other])
        assert clip > 4 or other < 5


def test_swapping_emotions_leaves_the_other_texts(truth: Truth) -> None:
    retell = PROBES["emotion_swapped"].retell
    assert retell is not None
    for old, new in zip(truth.texts, retell(truth), strict=True):
        assert new.emotion != old.emotion
        assert replace(new, emotion=old.emotion, emotion_scenario=old.emotion_scenario) == old


def test_who_sees_the_neck_loses_by_its_zeroing_on_heads_that_turn_and_who_does_not_loses_nothing(truth: Truth) -> None:
    seeing, blind = _report(truth, face=False), _report(truth, neck=False)
    zeroed = seeing.probes["neck_zeroed"]
    assert zeroed.n == N // 2  # heads that look ahead are not concerned
    assert zeroed.truth > 0.9
    assert zeroed.after == pytest.approx(1 / 32, abs=0.002)  # all necks alike: chance
    assert zeroed.loss == pytest.approx(zeroed.truth - zeroed.after, abs=2e-4)
    assert zeroed.distance_after > zeroed.distance_truth == 0
    assert seeing.probes["mirrored"].n == N // 4
    assert seeing.probes["mirrored"].loss > 0.5
    assert seeing.probes["time_reversed"].n == 0 and seeing.probes["time_reversed"].loss is None
    assert blind.scores.r_precision_1 == 1
    assert blind.probes["neck_zeroed"].loss == blind.probes["neck_mirrored"].loss == 0
    assert blind.probes["shuffled"].after < 0.1
    assert "neck_zeroed" in missed("text", blind.probes)
    assert "neck_zeroed" not in missed("text", seeing.probes)


def test_a_field_costs_what_is_read_from_it_only(truth: Truth) -> None:
    report = _report(truth)
    fields = report.fields
    assert set(fields) == set(TEXT_FIELDS)
    assert fields["action"].without == report.scores.r_precision_1 == 1
    assert fields["detail_expression"].without < 1
    assert fields["action"].alone < fields["detail_head_pose"].alone < fields["detail_expression"].alone
    assert fields["action"].alone == pytest.approx(1 / 32, abs=0.05)


def test_the_floor_is_that_of_the_truths_embeddings(truth: Truth) -> None:
    floor = _report(truth).fid_floor
    assert floor.n == N // 2
    assert floor.at_split_size == pytest.approx(floor.value / 2, rel=1e-3)


def test_fewer_clips_than_a_gallery_have_scores_but_no_probes() -> None:
    few = Truth(cast(Corpus, MadeCorpus()), IDS[:20], open_head())
    report = _report(few)
    assert report.scores.n == 20 and report.scores.r_precision_1 is None
    assert report.probes == report.fields == {}
    assert "20 clips, R@1 -" in report_text("text", report, marked=False)


def test_speech_and_motion_come_apart_the_further_the_motion_is_shifted(world: World) -> None:
    ids, audio = world.corpus.subsets["talking"]["test"], FakeAudio(world.corpus, world.head)
    report: Any = audio_report(cast(Any, audio), Truth(world.corpus, ids, world.head), AUDIO_PROBES)
    assert report.scores.r_precision_1 == 1
    for side in ("late", "early"):
        apart = [report.probes[f"{side}_{frames}"].distance_after for frames in SHIFTS]
        assert apart[0] > 0 and apart == sorted(apart)
    assert report.probes["shuffled"].after < 0.1
    assert report.fields == {} and report.fid_floor is None


def _scores(loss: float | None) -> ProbeScores:
    return ProbeScores(
        what="w", concerned="c", n=9, truth=0.9, after=0.5, loss=loss, all_after=0.5, distance_truth=1, distance_after=2
    )


def test_requirements_bound_the_loss() -> None:
    assert Requirement(at_least=0.25).met(0.25, {}) and not Requirement(at_least=0.25).met(0.2499, {})
    assert not Requirement(more_than=0.0).met(0.0, {})
    assert Requirement(at_most=0.02).met(-0.01, {}) and not Requirement(at_most=0.02).met(0.03, {})
    grows = Requirement(at_least=0.15, grows_from="late_4")
    assert grows.met(0.3, {"late_4": 0.2}) and not grows.met(0.3, {"late_4": 0.3}) and not grows.met(0.3, {})


def test_where_rankings_cannot_see_amplitude_distances_must() -> None:
    """Speech is embedded at one length: a motion half as far along its direction ranks all speech as before."""
    own, text = PROBES["audio half_amplitude"], PROBES["half_amplitude"]
    assert own.required == Requirement(distance_grows=0.05) and "one length" in own.what
    assert text.required == Requirement(more_than=0.05) and "one length" not in text.what
    assert own.required.met(0.0, {}, 0.05) and not own.required.met(0.9, {}, 0.0499)
    blind = _scores(0.0).model_copy(update={"distance_truth": 0.6, "distance_after": 0.6499})
    for scores, met in ((blind, False), (blind.model_copy(update={"distance_after": 0.65}), True)):
        assert ("half_amplitude" in missed("audio", {"half_amplitude": scores})) is not met
        line = probe_table("audio", {"half_amplitude": scores}, marked=True).split("\n")[2]
        assert "distance + 0.05" in line and ("  yes  " if met else "  NO  ") in line


def test_the_table_marks_what_is_not_met_and_what_was_not_measured_is_missed() -> None:
    losses = {"neck_zeroed": 0.1, "mirrored": 0.2, "time_reversed": None, "noise_0.1": 0.01, "late_5": 0.0}
    probes = {name: _scores(loss) for name, loss in losses.items()}
    assert missed("text", probes) == (
        "neck_zeroed",
        "time_reversed",
        "half_amplitude",
        "static",
        "emotion_swapped",
    )
    table = probe_table("text", probes, marked=True).split("\n")
    marks = {line.split("  ")[0]: "NO" if "  NO  " in line else "yes" if "  yes  " in line else "" for line in table}
    assert {name: marks[name.replace("_", " ")] for name in losses} == {
        "neck_zeroed": "NO",
        "mirrored": "yes",
        "time_reversed": "NO",
        "noise_0.1": "yes",
        "late_5": "",
    }
    assert "required" not in probe_table("text", probes, marked=False)


def test_every_larger_shift_must_cost_more() -> None:
    probes: dict[str, ProbeScores] = {probe.name: _scores(0.3) for probe in AUDIO_PROBES}
    for frames in SHIFTS:
        probes[f"late_{frames}"] = _scores(0.1 * frames)
    found = missed("audio", probes)
    assert not any(name.startswith("late") for name in found)
    assert {"early_4", "early_6", "early_8", "early_10", "noise_0.1"} == set(found)


def _run(mmbench: Command, monkeypatch: pytest.MonkeyPatch, world: World, *options: str) -> Any:
    monkeypatch.setattr(Setup, "judge", lambda _setup, _track: world.judge())
    return mmbench("evaluators", "probe", "--corpus", world.corpus.path, *options)


def test_the_command_probes_a_users_own_set_and_requires_nothing(
    mmbench: Command, monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    run = _run(mmbench, monkeypatch, world)
    assert run.code == 0
    assert "neck zeroed" in run.out and "late 10" in run.out and "required" not in run.out


def test_the_command_exits_1_where_shipped_encoders_miss_a_requirement(
    mmbench: Command, monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    monkeypatch.setattr(probing, "shipped_evaluators", lambda: ("fake",))
    world = replace(world, evaluators=replace(world.evaluators, trained_on=world.track.id))
    run = _run(mmbench, monkeypatch, world, "--json")
    assert run.code == 1
    assert "text time_reversed" in run.err and '"missed"' in run.out


def test_a_set_without_an_audio_network_says_so(
    mmbench: Command, monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    world = replace(world, evaluators=replace(world.evaluators, audio=None))
    run = _run(mmbench, monkeypatch, world)
    assert run.code == 0
    assert "no audio network" in run.out and "late 10" not in run.out


def test_too_few_clips_exit_2(mmbench: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run = _run(mmbench, monkeypatch, make_world(tmp_path, clips=20))
    assert run.code == 2
    assert "too few clips to probe on" in run.err and "at least 32" in run.err


def test_probes_are_named_once_and_alter_one_side() -> None:
    for probes in (TEXT_PROBES, AUDIO_PROBES):
        assert len({probe.name for probe in probes}) == len(probes)
        assert all((probe.alter is None) != (probe.retell is None) for probe in probes)
