"""Loading pretrained transformers from a local folder, never from the network, never with weights left random."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmark.errors import InputError, Problem

_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
_UNUSED = ("pooler.", "masked_spec_embed")
"""Parameters that no feature depends on; a checkpoint may lack them."""


def weights_file(folder: Path) -> Path:
    """The weights inside a model folder in the transformers format.

    Raises:
        InputError: The folder, its config.json or its weights are missing.
    """
    found = [folder / name for name in _WEIGHTS if (folder / name).is_file()]
    problems = []
    if not folder.is_dir():
        problems.append(Problem("no such folder", str(folder), mend="point to a downloaded model folder"))
    else:
        if not (folder / "config.json").is_file():
            problems.append(Problem("config.json is missing", str(folder), "a model in the transformers format"))
        if not found:
            problems.append(Problem("weights are missing", str(folder), " or ".join(_WEIGHTS)))
    if problems:
        raise InputError(problems)
    return found[0]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps transformers' progress bar and its notes on unused weights off the terminal."""
    from transformers.utils import logging

    verbosity = logging.get_verbosity()
    bars = logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def load_frozen(architecture: Any, folder: Path, device: str, **options: Any) -> Any:
    """A pretrained model in evaluation mode, without gradients.

    Args:
        architecture: A transformers model class, such as ``AutoModel``.
        folder: Local folder with config.json and weights.
        device: Torch device.
        options: Further arguments of ``from_pretrained``.

    Raises:
        InputError: Weights are missing for parts that the features depend on.
    """
    with _quiet():
        model, report = architecture.from_pretrained(folder, local_files_only=True, output_loading_info=True, **options)
    missing = sorted(key for key in report["missing_keys"] if not any(part in key for part in _UNUSED))
    if missing:
        shown = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        raise InputError(Problem("weights are missing", str(folder), type(model).__name__, f"no {shown}"))
    return model.eval().requires_grad_(False).to(device)
