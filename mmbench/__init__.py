"""mmbench: benchmark suite and leaderboard harness for multi-modal 3D facial animation.

The public names below are loaded on first use, so that ``import mmbench`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmark.corpus import Corpus as Corpus
    from benchmark.corpus import load_corpus as load_corpus
    from benchmark.errors import InputError as InputError
    from benchmark.protocol import Condition as Condition
    from benchmark.protocol import Generator as Generator
    from benchmark.protocol import Motion as Motion
    from benchmark.protocol import Texts as Texts
    from benchmark.tracks import Track as Track
    from benchmark.tracks import load_track as load_track
    from evaluators.evaluate import evaluate as evaluate
    from evaluators.result import Result as Result

__version__ = "0.1.0"

_PUBLIC = {
    "Condition": "benchmark.protocol",
    "Corpus": "benchmark.corpus",
    "Generator": "benchmark.protocol",
    "InputError": "benchmark.errors",
    "Motion": "benchmark.protocol",
    "Result": "evaluators.result",
    "Texts": "benchmark.protocol",
    "Track": "benchmark.tracks",
    "evaluate": "evaluators.evaluate",
    "load_corpus": "benchmark.corpus",
    "load_track": "benchmark.tracks",
}

__all__ = [*_PUBLIC, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'mmbench' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
