"""Checkpoints: files of the released format by key, and our own safetensors.

Imports torch: import this module inside functions only.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.errors import InputError, Problem
from benchmark.storage import atomic_path
from evaluators.retrieval.networks import RetrievalNetwork, Sizes
from evaluators.retrieval.synchrony import SynchronyNetwork, SynchronySizes
from evaluators.retrieval.timeline import TimelineNetwork, TimelineSizes

RELEASED_HEADS = 4
"""Attention heads of the released networks: the one size their tensors do not tell."""
_SHOWN = 8
_PROJECTION = "motion_encoder.projection.weight"
_SIZES: dict[str, type[Sizes] | type[TimelineSizes] | type[SynchronySizes]] = {
    "RetrievalNetwork": Sizes,
    "TimelineNetwork": TimelineSizes,
    "SynchronyNetwork": SynchronySizes,
}
Network = RetrievalNetwork | TimelineNetwork | SynchronyNetwork
N = TypeVar("N", RetrievalNetwork, TimelineNetwork, SynchronyNetwork)


def read_released(path: Path) -> dict[str, Tensor]:
    """The state dictionary under ``vae`` in a file of the released format, read without unpickling code.

    Raises:
        InputError: The file is missing, is no such file, or holds other things than tensors.
    """
    expected = "a torch file with a dictionary of tensors under the key 'vae'"
    if not path.is_file():
        raise InputError(Problem("no such file", str(path), expected))
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises whatever its parser met
        raise InputError(
            Problem("not a readable checkpoint", str(path), expected, str(error).split("\n")[0])
        ) from error
    state = content.get("vae") if isinstance(content, dict) else None
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        got = f"keys {', '.join(map(str, content))}" if isinstance(content, dict) else type(content).__name__
        raise InputError(Problem("another layout", str(path), expected, got))
    return {str(key): value.float() for key, value in state.items()}


def infer_sizes(state: Mapping[str, Tensor], where: str, heads: int = RELEASED_HEADS) -> Sizes:
    """Sizes of the networks that a state dictionary belongs to.

    Raises:
        InputError: Tensors needed to tell the sizes are missing.
    """
    needed = (
        "motion_encoder.tokens",
        "motion_encoder.projection.weight",
        "text_encoder.projection.weight",
        "motion_encoder.seqTransEncoder.layers.0.linear1.weight",
    )
    if absent := [key for key in needed if key not in state]:
        raise InputError(Problem("tensors are missing", where, "a retrieval network", f"no {', '.join(absent)}"))
    pose = state.get("motion_encoder.headpose_projection.weight")
    numbers = [int(found[1]) for key in state if (found := re.match(r"motion_encoder\.\w+\.layers\.(\d+)\.", key))]
    return Sizes(
        motion_features=state[needed[1]].shape[1],
        condition_features=state[needed[2]].shape[1],
        head_pose=0 if pose is None else pose.shape[1],
        latent=state[needed[0]].shape[1],
        feed_forward=state[needed[3]].shape[0],
        layers=max(numbers) + 1,
        heads=heads,
        head_pose_width=56 if pose is None else pose.shape[0],
    )


def build(state: Mapping[str, Tensor], network: N, where: str, *, decoder: bool = True) -> N:
    """A network with the weights of a state dictionary, in evaluation mode.

    Args:
        state: Tensors by their names in the network.
        network: A new one.
        where: File named in errors.
        decoder: Whether the decoder must be there; without it the network can embed but not decode.

    Raises:
        InputError: Tensors that are missing, unknown or of another shape, all of them listed.
    """
    expected = {key: value.shape for key, value in network.state_dict().items()}
    required = {key for key in expected if decoder or not key.startswith("motion_decoder.")}
    problems = []
    if missing := sorted(required - set(state)):
        problems.append(Problem("tensors are missing", where, got=_listed(missing)))
    if unknown := sorted(set(state) - set(expected)):
        problems.append(Problem("unknown tensors", where, got=_listed(unknown)))
    other = [
        f"{key} is {tuple(state[key].shape)}, expected {tuple(shape)}"
        for key, shape in expected.items()
        if key in state and state[key].shape != shape
    ]
    if other:
        problems.append(Problem("tensors of another shape", where, got=_listed(other)))
    if problems:
        raise InputError(problems)
    network.load_state_dict({key: value.float() for key, value in state.items()}, strict=False)
    return network.eval().requires_grad_(False)


def _listed(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def load_released(path: Path) -> RetrievalNetwork:
    """The network of a file of the released format, its sizes inferred.

    Raises:
        InputError: See `read_released`, `infer_sizes` and `build`.
    """
    state = read_released(path)
    return build(state, RetrievalNetwork(infer_sizes(state, str(path))), str(path))


def save_network(
    path: Path, network: Network, arrays: Mapping[str, NDArray[Any]], *, half: bool, rank: int | None = None
) -> None:
    """Writes encoders (not the decoder) and normalisation statistics as safetensors, sizes in the metadata.

    Args:
        path: File to write.
        network: Trained network.
        arrays: Statistics to keep beside the weights, float32.
        half: Whether the weights are stored as float16.
        rank: Of the motion projection, where it was trained in a basis of that size: it is stored as two factors,
            which takes half the room.
    """
    from safetensors.torch import save_file

    state = {key: value.detach().cpu() for key, value in network.state_dict().items()}
    state = {key: value for key, value in state.items() if not key.startswith("motion_decoder.")}
    if rank is not None:
        left, values, right = torch.linalg.svd(state.pop(_PROJECTION), full_matrices=False)
        root = values[:rank].sqrt()
        state |= {f"{_PROJECTION}.left": left[:, :rank] * root, f"{_PROJECTION}.right": root[:, None] * right[:rank]}
    kind = torch.float16 if half else torch.float32
    # Rounding the left factor would blur just those directions that motions move in; the right one's errors spread.
    tensors = {
        f"network.{key}": value.to(torch.float32 if key.endswith(".left") else kind).contiguous()
        for key, value in state.items()
    }
    tensors |= {
        f"statistics.{key}": torch.from_numpy(np.array(value, dtype=np.float32)) for key, value in arrays.items()
    }
    with atomic_path(path) as temporary:
        save_file(
            tensors, temporary, metadata={"sizes": json.dumps(asdict(network.sizes)), "kind": type(network).__name__}
        )


def load_network(path: Path) -> tuple[Network, dict[str, NDArray[np.float32]]]:
    """Encoders and normalisation statistics from a file of `save_network`.

    Raises:
        InputError: The file is missing, unreadable or of another layout.
    """
    from safetensors import SafetensorError, safe_open

    expected = "a safetensors file written by mmbench"
    if not path.is_file():
        raise InputError(Problem("no such file", str(path), expected))
    try:
        with safe_open(path, framework="pt") as file:
            metadata: dict[str, str] = file.metadata() or {}
            tensors: dict[str, Tensor] = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        sizes = _SIZES[metadata["kind"]](**json.loads(metadata["sizes"]))
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise InputError(Problem("not readable", str(path), expected, str(error))) from error
    state = {key.removeprefix("network."): value for key, value in tensors.items() if key.startswith("network.")}
    if f"{_PROJECTION}.left" in state and f"{_PROJECTION}.right" in state:
        left, right = state.pop(f"{_PROJECTION}.left"), state.pop(f"{_PROJECTION}.right")
        state[_PROJECTION] = left.float() @ right.float()
    statistics = {
        key.removeprefix("statistics."): value.float().numpy()
        for key, value in tensors.items()
        if key.startswith("statistics.")
    }
    if isinstance(sizes, SynchronySizes):
        return build(state, SynchronyNetwork(sizes), str(path)), statistics
    if isinstance(sizes, TimelineSizes):
        return build(state, TimelineNetwork(sizes), str(path)), statistics
    network = build(state, RetrievalNetwork(sizes), str(path), decoder=False)
    del network.motion_decoder  # it was not stored, so what is there is random
    return network, statistics
