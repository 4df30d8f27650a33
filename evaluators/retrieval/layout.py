"""How the features of a clip's text fields become one sequence."""

from typing import Literal

import numpy as np

from benchmark.protocol import TEXT_FIELDS, FloatArray

TextLayout = Literal["joined", "fields", "placed"]
"""Whether the text fields are encoded as one text, as released; each by itself and their tokens put in a row; or in a
row of tokens that tell as well which field each is from and where in it it stands."""
_PHASES = 3
PLACE = 2 * _PHASES + len(TEXT_FIELDS)
"""Numbers that tell a token's place."""


def placed(tokens: FloatArray, field: str) -> FloatArray:
    """Token features with their place.

    Args:
        tokens: (L, d) of one text field.
        field: Its name.

    Returns:
        (L, d + PLACE): half waves over the field, then which of the five fields it is.

    >>> import numpy as np
    >>> placed(np.zeros((4, 2), np.float32), "emotion")[0].tolist()
    [0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0]
    """
    angle = np.arange(len(tokens))[:, None] / len(tokens) * np.pi * np.arange(1, _PHASES + 1)
    which = np.tile(np.arange(len(TEXT_FIELDS)) == TEXT_FIELDS.index(field), (len(tokens), 1))
    return np.concatenate([tokens, np.sin(angle), np.cos(angle), which], axis=1, dtype=np.float32)
