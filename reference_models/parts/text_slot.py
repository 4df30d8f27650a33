"""Where the text enters the adapted talking heads: in place of the style, or of the template."""

from typing import Literal

from torch import Tensor, nn

from reference_models.batch import Batch

Slot = Literal["style", "offset"]


class TextSlot(nn.Module):
    """The text of a clip as a style code (B, 1, width) or as a constant offset (B, 1, target) of every frame.

    MMHead says that the template feature is replaced by the text feature. ``style`` reads this as the slot that
    conditions the motion, ``offset`` as the template that is added to it; which one was used belongs to every result.

    Args:
        slot: Which reading.
        text_width: Width of the text features.
        width: Width of the model.
        target: Width of what the model predicts.
    """

    def __init__(self, slot: Slot, text_width: int, width: int, target: int) -> None:
        super().__init__()
        self.slot = slot
        self.map = nn.Linear(text_width, width if slot == "style" else target)

    def style(self, batch: Batch, width: int) -> Tensor:
        """(B, 1, width): the text where it is the style, zeros where it is not."""
        sentence = batch.sentence[:, None]
        if self.slot == "style":
            return self.map(sentence)  # type: ignore[no-any-return]
        return sentence.new_zeros(len(batch), 1, width)

    def offset(self, batch: Batch) -> Tensor | float:
        """(B, 1, target): the text where it is an offset, nothing where it is not."""
        return self.map(batch.sentence[:, None]) if self.slot == "offset" else 0.0
