"""The paper's label filters, and where in a clip each of its unordered action labels shows."""

from itertools import pairwise

import numpy as np

from benchmark.construction.config import Labels
from benchmark.construction.head_pose import PITCH, ROLL, YAW
from benchmark.construction.records import Array, Dropped, RawClip

_UNITS_OF: dict[str, tuple[int, ...]] = {
    "smile": (12, 6), "laugh": (12, 6, 25), "frown": (4, 15), "gaze": (61, 62, 63, 64), "glare": (5, 4, 23),
    "wink": (45, 46, 43), "yawn": (27, 26), "blow": (34, 33, 18), "chew": (28, 24, 17, 26), "sneer": (9, 10, 14),
    "sigh": (22, 38, 25), "sneeze": (9, 45), "cough": (22, 26, 25), "cry": (15, 1, 17), "weep": (15, 1, 11),
    "close_eyes": (43, 45), "blink": (45,), "sleep": (43, 45), "lip_bite": (32,), "pout": (18, 17), "sniff": (38, 9),
    "shout": (27, 16), "make_a_face": (19, 9), "squint": (7,), "eat": (28, 24, 26), "drink": (22, 28),
    "surprise": (1, 2, 5), "smirk": (12, 14), "talk": (25, 26), "sing": (25, 26, 27), "read": (25, 26),
}  # fmt: skip
_AXIS_OF = {"nod": PITCH, "shake_head": YAW, "head_wagging": ROLL, "turn": YAW, "look_around": YAW}
_BLINK_FRAMES = 9
_LEAST_UNIT, _LEAST_DEGREES = 0.15, 4.0


def filter_labels(raw: RawClip, rules: Labels) -> tuple[tuple[str, ...], tuple[str, ...]] | Dropped:
    """Applies the label filters.

    Args:
        raw: The clip.
        rules: The filters.

    Returns:
        Actions that are left and notes on what was taken off; or why the clip is dropped.

    Source: MMHead, section 3 (filtering).
    """
    confidence = raw.sync_confidence
    if raw.setting == "wild" and confidence is not None and not confidence >= rules.lowest_sync_confidence:
        return Dropped(raw.id, "sound and picture do not fit", f"{confidence:.2f} < {rules.lowest_sync_confidence:g}")
    changes = sum(a.emotion != b.emotion for a, b in pairwise(raw.emotions))
    if changes > rules.most_emotion_changes:
        return Dropped(raw.id, "emotion changes too often", f"{changes} > {rules.most_emotion_changes}")
    actions = tuple(dict.fromkeys(raw.actions))
    hidden = tuple(action for action in actions if action in rules.hidden_actions)
    left = tuple(action for action in actions if action not in hidden)
    if hidden and not left:
        return Dropped(raw.id, "no action can be seen on a head", ", ".join(hidden))
    if any(action in rules.speech_actions for action in left) and raw.audio is None:
        return Dropped(raw.id, "speech without audio", ", ".join(left))
    return left, tuple(f"action {action} taken off" for action in hidden)


def onsets(actions: tuple[str, ...], names: tuple[str, ...], units: Array, angles: Array) -> tuple[float | None, ...]:
    """When each action begins, as far as action units and head angles tell.

    Args:
        actions: Labels.
        names: Of the units.
        units: (T, n) intensities, 0 to 1.
        angles: (T, 3) pitch, yaw, roll in degrees.

    Returns:
        Share of the clip (0 to 1) at which each action's trace first reaches half its height above what is there all
        along (its lowest fifth), None without a trace. Blinks are no trace: a wink is what one eye does more than the
        other, and eyes that close stay so for a while.
    """
    moved = np.abs(angles - np.median(angles, axis=0)) / 20.0
    numbers = [int("".join(filter(str.isdigit, name))) for name in names]
    found: list[float | None] = []
    for action in actions:
        if action in _AXIS_OF:
            trace, least = moved[:, _AXIS_OF[action]], _LEAST_DEGREES / 20.0
        else:
            columns = [k for k, number in enumerate(numbers) if number in _UNITS_OF.get(action, ())]
            trace, least = units[:, columns].sum(axis=1) if columns else np.zeros(1), _LEAST_UNIT
            trace = _without_blinks(action, trace, names, units)
        trace = trace - np.quantile(trace, 0.2)
        height = float(trace.max())
        found.append(float(np.argmax(trace >= height / 2.0)) / len(trace) if height > least else None)
    return tuple(found)


def _without_blinks(action: str, trace: Array, names: tuple[str, ...], units: Array) -> Array:
    """The trace of an action of the lids, as far as it is no blink."""
    if action == "wink" and {"AUL45", "AUR45"} <= set(names):
        return np.abs(units[:, names.index("AUL45")] - units[:, names.index("AUR45")])
    if action in ("close_eyes", "sleep") and len(trace) > _BLINK_FRAMES:
        held = np.lib.stride_tricks.sliding_window_view(trace, _BLINK_FRAMES).min(axis=1)
        return np.asarray(held)
    return trace


def in_order(
    actions: tuple[str, ...], when: tuple[float | None, ...]
) -> tuple[tuple[str, ...], tuple[float | None, ...]]:
    """Actions by onset, those without a trace last and in their own order."""
    order = sorted(range(len(actions)), key=lambda k: (when[k] is None, when[k] or 0.0, k))
    return tuple(actions[k] for k in order), tuple(when[k] for k in order)
