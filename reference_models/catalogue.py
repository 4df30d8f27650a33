"""The reference models and the networks they consist of, by name."""

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from benchmark.errors import InputError, Problem, nearest_names

if TYPE_CHECKING:
    from reference_models.recipe import Recipe


@dataclass(frozen=True)
class Entry:
    """Where a network is defined and what it is built on."""

    module: str
    """Module in ``reference_models``."""
    name: str
    """Class in it, built by ``Class(config, context)``. The module's ``PRESETS`` hold its recipes by its name."""
    needs: tuple[str, ...] = ()
    """Networks that are trained before it and frozen."""
    trained_with: tuple[str, ...] = ()
    """Networks trained before it that only its training asks for."""
    model: bool = True
    """Whether it generates motions: a model of its own, not only a step towards one."""
    hears: bool = False
    """Whether it is given speech on tracks that have it."""
    talking_only: bool = False
    """Whether it cannot do without speech."""

    @property
    def network(self) -> Any:
        """The class."""
        return getattr(import_module(f"reference_models.{self.module}"), self.name)

    def recipe(self, name: str, preset: str) -> "Recipe":
        """The recipe of a network's preset.

        Raises:
            InputError: No such preset.
        """
        presets = import_module(f"reference_models.{self.module}").PRESETS[name]
        if preset not in presets:
            raise InputError(Problem("no such preset", name, " or ".join(presets), preset))
        recipe: Recipe = presets[preset]
        return recipe


NETWORKS: dict[str, Entry] = {
    "vqvae": Entry("vqvae", "VQVAE"),
    "mm2face": Entry("mm2face", "MM2Face", needs=("vqvae",), hears=True),
    "t2m_gpt": Entry("t2m_gpt", "T2MGPT", needs=("vqvae",)),
    "tm2t_tokenizer": Entry("vqvae", "VQVAE", model=False),
    "tm2t_captioner": Entry("tm2t", "Captioner", needs=("tm2t_tokenizer",), model=False),
    "tm2t": Entry("tm2t", "TM2T", needs=("tm2t_tokenizer",), trained_with=("tm2t_captioner",)),
    "mdm": Entry("mdm", "MDM"),
    "faceformer": Entry("faceformer", "FaceFormer", hears=True, talking_only=True),
    "codetalker_codes": Entry("codetalker", "FaceCodes", model=False, talking_only=True),
    "codetalker": Entry("codetalker", "CodeTalker", needs=("codetalker_codes",), hears=True, talking_only=True),
    "selftalk": Entry("selftalk", "SelfTalk", hears=True, talking_only=True),
    "imitator": Entry("imitator", "Imitator", hears=True, talking_only=True),
    "facediffuser": Entry("facediffuser", "FaceDiffuser", hears=True, talking_only=True),
}
MODELS = tuple(name for name, entry in NETWORKS.items() if entry.model)
"""Names that ``mmbench train`` and ``mmbench reproduce`` take."""


def model_entry(name: str) -> Entry:
    """The entry of a model.

    Raises:
        InputError: No such model; names the nearest ones.
    """
    if name not in MODELS:
        raise InputError(Problem("no such reference model", name, got=name, mend=nearest_names(name, MODELS)))
    return NETWORKS[name]


def chain(name: str) -> list[str]:
    """Networks to train for a model, each after those it needs, itself last.

    >>> chain("tm2t")
    ['tm2t_tokenizer', 'tm2t_captioner', 'tm2t']
    """
    order: list[str] = []
    for need in NETWORKS[name].needs + NETWORKS[name].trained_with:
        order += [step for step in chain(need) if step not in order]
    return [*order, name]
