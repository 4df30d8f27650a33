"""All that can be chosen about a construction, read from a TOML file; the defaults are the paper's where it says."""

import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from benchmark.errors import InputError, Problem
from benchmark.protocol import MAX_FRAMES, TEXT_FIELDS

TextWriter = Literal["rules", "llm"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Frames(_Section):
    """How long clips may be, and how they follow their video."""

    longest: int = Field(MAX_FRAMES, ge=2, le=MAX_FRAMES)
    """Frames at 25 a second."""
    shortest: int = Field(10, ge=4)
    """Shorter clips are dropped. Ours: the paper gives none."""
    too_long: Literal["drop", "cut", "split"] = "drop"
    """``drop`` as in the paper, ``cut`` keeps the beginning, ``split`` makes consecutive clips of one source."""


class Labels(_Section):
    """The paper's label filters (section 3)."""

    hidden_actions: tuple[str, ...] = ("kiss", "listen_to_music", "play_instrument", "smoke", "whisper")
    """Actions that cannot be seen on a head: taken off a clip, and the clip dropped if no action is left."""
    most_emotion_changes: int = Field(4, ge=0)
    """Clips whose emotion changes more often are dropped."""
    lowest_sync_confidence: float = 3.0
    """In-the-wild clips below are dropped; clips without a measured confidence are kept. The paper gives no number."""
    speech_actions: tuple[str, ...] = ("talk", "sing", "read")
    """Actions that put a clip in Benchmark I."""


class Outliers(_Section):
    """Box plot over each parameter's distance from its running median (see ``cleaning``)."""

    window: int = Field(7, ge=3)
    """Frames of the running median, odd: runs of up to half as many frames are found."""
    whisker: float = Field(4.0, gt=0)
    """Interquartile ranges from the box to the fence."""
    smallest: float = Field(0.6, ge=0)
    """An outlier is at least this share of the parameter's 10 to 90% range away: lively motion is no fault."""
    jump: float = Field(0.65, ge=0, le=1)
    """Share of its height by which an outlier comes and goes from one frame to the next; a blink takes several."""
    passes: int = Field(2, ge=1)
    """Searches; a later one finds what the first one's outliers hid."""
    most_mended: float = Field(0.25, gt=0, le=1)
    """Share of mended values above which a clip is dropped: its tracker was lost."""
    longest_gap_s: float = Field(0.4, gt=0)
    """Seconds without a tracked frame above which a clip is dropped: nobody knows what happened meanwhile."""


class Smoothing(_Section):
    """Weights of the penalised least squares (see ``smoothing``)."""

    velocity: float = Field(0.1, ge=0)
    """Weight of squared first differences, beside an acceleration weight of 1; both times the strength."""
    strength: float | Literal["auto"] = "auto"
    """Factor on both penalties, 0 for none; ``auto`` finds it for each clip by generalised cross-validation."""
    strongest: float = Field(10.0, gt=0)
    """Largest factor that ``auto`` takes."""


class HeadPoseRules(_Section):
    """When a head-pose state begins and ends, in degrees (see ``head_pose``)."""

    yaw: tuple[float, float] = (8.0, 5.0)
    """Turns: a state begins above the first angle and ends below the second."""
    pitch: tuple[float, float] = (7.0, 4.5)
    """Up and down."""
    roll: tuple[float, float] = (7.0, 4.5)
    """Tilts."""
    switch: float = Field(1.25, ge=1)
    """How many times further another axis must be beyond its threshold to take over."""
    shortest: int = Field(3, ge=1)
    """Frames: shorter states are taken for their neighbour's."""
    relative_to: Literal["camera", "rest"] = "camera"
    """``rest`` takes off the clip's median pose, for tracks whose camera is not in front."""


class Activity(_Section):
    """When an action unit counts as active, intensities running from 0 to 1."""

    begins: float = Field(0.25, gt=0, lt=1)
    ends: float = Field(0.15, gt=0, lt=1)
    shortest: int = Field(4, ge=1)
    """Frames."""


class Wording(_Section):
    """How much the rules leave out and blur, as a summary does."""

    omitted: float = Field(0.1, ge=0, lt=1)
    """Chance that a movement of the face is left out where there are three or more, an action where there are two."""
    vague: float = Field(0.0, ge=0, lt=1)
    """Chance that a movement of the face, an emotion or a scenario is told without saying which."""
    omitted_head: float = Field(0.1, ge=0, lt=1)
    """Chance that a movement of the head is left out where there are three or more."""
    vague_head: float = Field(0.0, ge=0, lt=1)
    """Chance that a movement of the head, or the side of an action, is told without saying which."""


class Llm(_Section):
    """An endpoint that speaks the OpenAI protocol."""

    endpoint: str = ""
    """Base address up to and including ``/v1``; ``/chat/completions`` is added."""
    model: str = ""
    key_variable: str = "MMBENCH_LLM_KEY"
    """Environment variable that holds the key, if the endpoint wants one. The key is written nowhere."""
    temperature: float = Field(0.7, ge=0)
    max_tokens: int = Field(220, ge=16)
    requests_per_minute: float = Field(60.0, gt=0)
    parallel: int = Field(4, ge=1)
    """Requests at a time."""
    retries: int = Field(5, ge=0)
    backoff_s: float = Field(1.0, ge=0)
    """Wait before the first retry; doubled each time, or what the endpoint asks for."""
    timeout_s: float = Field(60.0, gt=0)
    price_in: float | None = Field(None, ge=0)
    """Price of a million prompt tokens, in any currency."""
    price_out: float | None = Field(None, ge=0)
    """Price of a million answer tokens."""
    most_cost: float | None = Field(None, ge=0)
    """Nothing is sent when the estimate is above; needs both prices."""


class Split(_Section):
    """Split and composition of the two benchmarks."""

    shares: tuple[float, float, float] = (0.8, 0.05, 0.15)
    """Train, validation, test."""
    shared_talking: int = Field(250, ge=0)
    """Talking clips of Benchmark I that are in Benchmark II as well."""
    shared_singing: int = Field(250, ge=0)
    """Singing clips of Benchmark I that are in Benchmark II as well."""


class Audit(_Section):
    """What counts as a near duplicate across splits."""

    motion: float = Field(0.1, gt=0)
    """Largest relative distance of two motions (see ``audit``)."""
    text: float = Field(0.9, gt=0, le=1)
    """Smallest share of common three-word phrases (Jaccard)."""
    audio: float = Field(0.97, gt=0, le=1)
    """Smallest correlation of two log-mel pictures."""
    listed: int = Field(200, ge=0)
    """Pairs kept by kind, nearest first."""


class Config(_Section):
    """A whole construction."""

    seed: int = Field(0, ge=0)
    """Of the wording, the split and the choice of shared clips."""
    annotators: dict[str, TextWriter] = dict.fromkeys(TEXT_FIELDS, "rules")
    """Who writes each of the five texts; a field left out is written by rules."""
    frames: Frames = Frames()
    labels: Labels = Labels()
    outliers: Outliers = Outliers()
    smoothing: Smoothing = Smoothing()
    head_pose: HeadPoseRules = HeadPoseRules()
    activity: Activity = Activity()
    wording: Wording = Wording()
    llm: Llm = Llm()
    split: Split = Split()
    audit: Audit = Audit()

    def writer(self, field: str) -> TextWriter:
        """Who writes a text field."""
        return self.annotators.get(field, "rules")

    def clip_settings(self) -> dict[str, Any]:
        """What a single clip depends on: a change of anything else keeps finished clips."""
        return self.model_dump(mode="json", exclude={"llm", "split", "audit"})

    def problems(self) -> list[Problem]:
        """What does not fit together."""
        found = []
        if unknown := sorted(set(self.annotators) - set(TEXT_FIELDS)):
            found.append(Problem("unknown text field", "annotators", ", ".join(TEXT_FIELDS), ", ".join(unknown)))
        if self.frames.shortest > self.frames.longest:
            got = f"{self.frames.shortest} and {self.frames.longest}"
            found.append(Problem("shortest clip is longer than the longest", "frames", got=got))
        if self.outliers.window % 2 == 0:
            found.append(Problem("window is even", "outliers.window", "an odd number", str(self.outliers.window)))
        if abs(sum(self.split.shares) - 1) > 1e-6 or min(self.split.shares) < 0:
            found.append(Problem("shares do not sum to one", "split.shares", "1", str(sum(self.split.shares))))
        for axis in ("yaw", "pitch", "roll"):
            begins, ends = getattr(self.head_pose, axis)
            if not 0 < ends <= begins:
                got = f"{begins} and {ends}"
                found.append(Problem("a state ends above where it begins", f"head_pose.{axis}", "begin >= end", got))
        if self.activity.ends > self.activity.begins:
            got = f"{self.activity.begins} and {self.activity.ends}"
            found.append(Problem("a unit ends above where it begins", "activity", "begins >= ends", got))
        if "llm" in self.annotators.values():
            wanted = (("llm.endpoint", self.llm.endpoint, "--endpoint"), ("llm.model", self.llm.model, "--model"))
            found += [Problem("missing", where, mend=f"give {flag}") for where, value, flag in wanted if not value]
            if self.llm.endpoint and not self.llm.endpoint.startswith(("http://", "https://")):
                expected = "http:// or https:// up to and including /v1"
                found.append(Problem("endpoint is no web address", "llm.endpoint", expected, self.llm.endpoint))
            if self.llm.most_cost is not None and (self.llm.price_in is None or self.llm.price_out is None):
                found.append(Problem("cost has a limit but no prices", "llm.most_cost", mend="give both prices"))
        return found

    def checked(self) -> "Config":
        """Itself.

        Raises:
            InputError: Values do not fit together: all of them at once.
        """
        if found := self.problems():
            raise InputError(found)
        return self


def load_config(path: Path) -> Config:
    """Reads a configuration; what it does not name keeps its default.

    Args:
        path: A TOML file with the fields of :class:`Config`.

    Returns:
        The configuration, not yet checked for consistency: the command line may still add to it.

    Raises:
        InputError: No TOML, or unknown or faulty values: all of them at once.
    """
    try:
        return Config.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        problems = [
            Problem(issue["msg"], f"{path}: {'.'.join(map(str, issue['loc']))}", got=repr(issue["input"])[:80])
            for issue in error.errors()
        ]
        raise InputError(problems) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(Problem("no TOML", str(path), got=str(error))) from error


def configured(
    path: Path | None = None,
    *,
    annotator: str | None = None,
    endpoint: str | None = None,
    model: str | None = None,
    seed: int | None = None,
) -> Config:
    """A configuration file, or the defaults, with what the command line adds.

    Args:
        path: TOML file.
        annotator: ``rules`` or ``llm`` for all five texts.
        endpoint: Of the language model.
        model: Its name.
        seed: Of everything.

    Returns:
        The configuration, not yet checked for consistency.

    Raises:
        InputError: As :func:`load_config`.
    """
    config = load_config(path) if path is not None else Config()
    model_changes = {name: value for name, value in (("endpoint", endpoint), ("model", model)) if value is not None}
    changes: dict[str, Any] = {"llm": config.llm.model_copy(update=model_changes)}
    if annotator is not None:
        changes["annotators"] = dict.fromkeys(TEXT_FIELDS, annotator)
    if seed is not None:
        changes["seed"] = seed
    return config.model_copy(update=changes)
