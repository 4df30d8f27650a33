"""The training loop of one network, on Lightning Fabric.

Imports torch and lightning: import this module inside functions only.
"""

import math
import platform
import time
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from lightning.fabric import Fabric
from lightning.fabric.loggers import CSVLogger

from benchmark.errors import InputError, Problem
from benchmark.progress import Progress
from benchmark.storage import content_hash
from reference_models.steps import State, batch_items, follow, learning_rate, optimizer_of, seed_step
from reference_models.weights import save_weights

if TYPE_CHECKING:
    from reference_models.data import Clips
    from reference_models.train import Run

CHECKPOINT = "last.ckpt"
_TRIAL = 40
"""Steps of the trial that tells how many fit into a given time."""
_VALIDATION_BATCH = 64


def launch(run: "Run", clips: dict[str, "Clips"], device: str, devices: int, resume: bool, progress: Progress) -> None:
    """Trains a network in one process or in several, and writes its weights."""
    cuda = device.startswith("cuda")
    fabric = Fabric(
        accelerator="cuda" if cuda else device,
        devices=devices,
        strategy="auto" if devices == 1 else "ddp_spawn",
        precision="bf16-mixed" if cuda else "32-true",
        loggers=CSVLogger(run.folder, name="", version="log"),
    )
    if devices == 1:
        fit(fabric, run, clips, resume, progress)
    else:
        fabric.launch(partial(fit, run=run, clips=clips, resume=resume, progress=_quiet))


def _quiet(stage: str, done: int, total: int) -> None:
    """Processes beside the first have no bar."""


@dataclass
class Best:
    """The best validated weights so far."""

    value: float = math.inf
    """What selects."""
    step: int = 0
    """Its step."""
    scores: dict[str, float] | None = None
    """All validation losses."""
    state: State | None = None
    """The weights."""


def fit(fabric: Fabric, run: "Run", clips: dict[str, "Clips"], resume: bool, progress: Progress) -> None:
    """Runs the steps that are left, keeps the best weights, writes them at the end."""
    if run.minutes is not None:
        run = fitted(fabric, run, clips)
    schedule = run.recipe.schedule
    seed_step(schedule.seed, -1)
    network = run.network(clips["train"])
    network.fit(clips["train"])
    data = {split: part.to(fabric.device) for split, part in clips.items()}
    model, optimizer = fabric.setup(network, optimizer_of(network, schedule))
    model.mark_forward_method("losses")
    mean = {key: value.detach().clone() for key, value in network.state_dict().items()} if schedule.ema else None
    keeper = Keeper(fabric, run, network, optimizer, mean, Best(), fingerprint(run, clips["train"]))
    first, seconds = keeper.restore() if resume else (0, 0.0)
    began = time.monotonic() - seconds
    network.train()
    batches = batch_items(data["train"].frames.tolist(), schedule.batch, schedule.seed, first)
    for step in range(first, schedule.steps):
        items = next(batches)[fabric.global_rank :: fabric.world_size]
        seed_step(schedule.seed, step, fabric.global_rank)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(schedule, step)
        losses = model.losses(data["train"].batch(items))
        optimizer.zero_grad(set_to_none=True)
        fabric.backward(losses["loss"])
        if schedule.clip is not None:
            fabric.clip_gradients(model, optimizer, max_norm=schedule.clip, error_if_nonfinite=False)
        optimizer.step()
        if mean is not None and schedule.ema is not None:
            follow(mean, network.state_dict(), min(schedule.ema, (step + 1) / (step + 10)))
        last = step + 1 == schedule.steps
        if last or (step + 1) % schedule.validate_every == 0:
            scores = validate(network, data["val"], mean, schedule.seed, fabric)
            fabric.log_dict({f"train_{key}": float(value.detach()) for key, value in losses.items()}, step + 1)
            fabric.log_dict({f"val_{key}": value for key, value in scores.items()}, step + 1)
            keeper.keep(step + 1, scores, time.monotonic() - began)
        progress(run.folder.name, step + 1, schedule.steps)
    if fabric.global_rank == 0:
        for logger in fabric.loggers:
            logger.finalize("success")
        write(run, clips["train"], keeper.best, schedule.steps, time.monotonic() - began, fabric)
    fabric.barrier()


def fitted(fabric: Fabric, run: "Run", clips: dict[str, "Clips"]) -> "Run":
    """The same training with no more steps than fit into its time, by the speed of a trial that is thrown away."""
    assert run.minutes is not None
    began = time.monotonic()
    network = run.network(clips["train"])
    network.fit(clips["train"])
    data = clips["train"].to(fabric.device)
    model, optimizer = fabric.setup(network, optimizer_of(network, run.recipe.schedule))
    model.mark_forward_method("losses")
    network.train()
    batches = batch_items(data.frames.tolist(), run.recipe.schedule.batch, run.recipe.schedule.seed)
    times = []
    for _ in range(_TRIAL):
        items = next(batches)[fabric.global_rank :: fabric.world_size]
        loss = model.losses(data.batch(items))["loss"]
        optimizer.zero_grad(set_to_none=True)
        fabric.backward(loss)
        float(loss.detach())  # waits for the device
        times.append(time.monotonic())
    each = (times[-1] - times[_TRIAL // 4]) / (_TRIAL - _TRIAL // 4 - 1)
    left = 60 * run.minutes - (time.monotonic() - began)
    steps = int(fabric.broadcast(max(1, min(run.recipe.schedule.steps, int(0.85 * left / each)))))
    schedule = replace(run.recipe.schedule, steps=steps)
    return replace(run, recipe=replace(run.recipe, schedule=schedule))


@dataclass
class Keeper:
    """Checkpoints of a training, and the best weights it has seen."""

    fabric: Fabric
    """Where it runs."""
    run: "Run"
    """What is trained."""
    network: Any
    """The network."""
    optimizer: Any
    """Its optimiser."""
    mean: State | None
    """Running mean of the weights."""
    best: Best
    """The best validated weights."""
    fingerprint: str
    """Of settings and clips: another run's checkpoint is not taken for this one's."""

    @property
    def path(self) -> Path:
        """The checkpoint's file."""
        return self.run.folder / CHECKPOINT

    def keep(self, step: int, scores: dict[str, float], seconds: float) -> None:
        """After a validation: remembers the weights if they are the best, writes the checkpoint."""
        value = scores.get("selection", scores["loss"])
        if value < self.best.value or self.best.state is None:
            state = self.mean if self.mean is not None else self.network.state_dict()
            self.best = Best(value, step, scores, {key: entry.detach().clone() for key, entry in state.items()})
        checkpoint = {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "mean": self.mean,
            "best": self.best.__dict__,
            "step": step,
            "seconds": seconds,
            "fingerprint": self.fingerprint,
        }
        if self.fabric.global_rank == 0:
            temporary = self.path.with_suffix(".part")
            torch.save(checkpoint, temporary)
            temporary.replace(self.path)
        self.fabric.barrier()

    def restore(self) -> tuple[int, float]:
        """Takes up the checkpoint where there is one.

        Returns:
            Steps done and seconds spent.

        Raises:
            InputError: It belongs to another training.
        """
        if not self.path.is_file():
            return 0, 0.0
        found = torch.load(self.path, map_location=self.fabric.device, weights_only=True)
        if found["fingerprint"] != self.fingerprint:
            mend = "train into another folder, or without --resume"
            raise InputError(Problem("the checkpoint is of another training", str(self.path), mend=mend))
        self.network.load_state_dict(found["network"])
        self.optimizer.load_state_dict(found["optimizer"])
        if self.mean is not None:
            for key, value in found["mean"].items():
                self.mean[key].copy_(value)
        self.best = Best(**found["best"])
        return int(found["step"]), float(found["seconds"])


def fingerprint(run: "Run", clips: "Clips") -> str:
    """Hash of a training's settings, clips and needed networks."""
    settings = [f"{key}={value}" for key, value in sorted(asdict(run.recipe).items())]
    return content_hash(run.name, run.track, settings, list(clips.ids), sorted(run.needed_sha256().values()))


@torch.no_grad()
def validate(network: Any, clips: "Clips", mean: State | None, seed: int, fabric: Fabric) -> dict[str, float]:
    """Losses over the validation clips, each clip weighing the same, of the running mean where there is one."""
    own = {key: value.detach().clone() for key, value in network.state_dict().items()} if mean is not None else None
    if mean is not None:
        network.load_state_dict(mean)
    network.eval()
    totals: dict[str, float] = {}
    order = torch.argsort(clips.frames).tolist()
    seed_step(seed, -2)
    for start in range(0, len(order), _VALIDATION_BATCH):
        items = order[start : start + _VALIDATION_BATCH]
        with fabric.autocast():
            losses = network.losses(clips.batch(items))
        for key, value in losses.items():
            totals[key] = totals.get(key, 0.0) + float(value) * len(items) / len(order)
    network.train()
    if own is not None:
        network.load_state_dict(own)
    return totals


def write(run: "Run", clips: "Clips", best: Best, steps: int, seconds: float, fabric: Fabric) -> None:
    """Writes the best weights with their card."""
    assert best.state is not None
    recipe = run.recipe
    card = {
        "name": run.name,
        "track": run.track,
        "preset": run.preset,
        "parameters": sum(value.numel() for value in run.network(clips).parameters()),
        "config": asdict(recipe.config),
        "schedule": asdict(recipe.schedule),
        "text_width": clips.text_width,
        "audio_width": clips.audio_width,
        "text_encoder": run.encoders.text,
        "audio_encoder": run.encoders.audio if clips.audio is not None else None,
        "head": run.head.name if run.head is not None else "open head",
        "device": device_name(fabric),
        "seconds": round(seconds, 1),
        "steps": steps,
        "best_step": best.step,
        "seed": recipe.schedule.seed,
        "validation": {key: round(value, 6) for key, value in (best.scores or {}).items()},
        "needs": run.needed_sha256(),
        "versions": {"torch": torch.__version__, "python": platform.python_version()},
    }
    save_weights(run.folder, best.state, card)


def device_name(fabric: Fabric) -> str:
    """What it was trained on, in words."""
    if fabric.device.type == "cuda":
        return f"{torch.cuda.get_device_name(fabric.device)}, {fabric.world_size} process"
    return f"{platform.machine()} CPU, {torch.get_num_threads()} threads, {fabric.world_size} process"
