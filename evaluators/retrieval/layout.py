"""How the features of a clip's text fields become one sequence."""

from typing import Literal

import numpy as np

from benchmark.protocol import FloatArray

TextLayout = Literal["joined", "fields", "placed"]
"""Whether the text fields are encoded as one text, as released; each by itself and their tokens put in a row; or in a
row of tokens that tell as well where in its field each stands."""
PLACE = 1
"""Numbers that tell a token's place."""


def placed(tokens: FloatArray) -> FloatArray:
    """Token features with their place.

    Args:
        tokens: (L, d) of one text field.

    Returns:
        (L, d + PLACE), the last from 0 to 1: how far into the field a token stands.

    >>> import numpy as np
    >>> placed(np.zeros((4, 2), np.float32)).tolist()
    [[0.0, 0.0, 0.125], [0.0, 0.0, 0.375], [0.0, 0.0, 0.625], [0.0, 0.0, 0.875]]
    """
    place = (np.arange(len(tokens), dtype=np.float32) + 0.5) / max(1, len(tokens))
    return np.concatenate([tokens, place[:, None]], axis=1, dtype=np.float32)
