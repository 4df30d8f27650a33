"""The pictures of the embedded corpus's data card, drawn with PIL: a contact sheet, and distributions."""

from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
from mini_facts import Facts, Floats
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from benchmark.construction.head_pose import angles
from benchmark.head import open_head
from benchmark.mini.open_head import vertex_colours
from benchmark.protocol import EXPRESSION, FPS, JAW, NECK, TEXT_FIELDS
from benchmark.render import render
from benchmark.tracks import TASKS

SPEECH = ("talk", "sing", "read")
INK, SOFT, LINE, PAGE = (29, 35, 48), (91, 100, 116), (223, 227, 234), (255, 255, 255)
COLOURS = {"talking": (59, 116, 201), "text2motion": (47, 158, 120)}
NEITHER = (136, 146, 163)
"""For what is counted over both tracks."""
Box = tuple[int, int, int, int]

# contact sheet
ROWS, COLUMNS, SHOTS = 7, 2, 5
TALL, BROAD, GAP, MARGIN, CAPTION = 156, 132, 4, 28, 46
SPAN, CENTRE = 0.27, (0.0, -0.008, 0.0)
_LASTING = 9
"""Frames over which the face is averaged when the liveliest one is sought: longer than a blink."""

# histograms
WIDTH, PANEL, HEAD = 1400, 210, 34


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """PIL's own font, the same everywhere."""
    return ImageFont.load_default(size)


def contact_sheet(facts: Facts, path: Path) -> None:
    """Test clips of various actions, emotions and performers, each as a strip in time under its action text."""
    strip = SHOTS * BROAD + (SHOTS - 1) * GAP
    names = varied(facts, ROWS * COLUMNS)
    rows = -(-len(names) // COLUMNS)
    wide, high = COLUMNS * strip + (COLUMNS + 1) * MARGIN, rows * (TALL + CAPTION + MARGIN) + MARGIN
    sheet = Image.new("RGB", (wide, high), PAGE)
    draw = ImageDraw.Draw(sheet)
    places = [
        (MARGIN + k % COLUMNS * (strip + MARGIN), MARGIN + k // COLUMNS * (TALL + CAPTION + MARGIN))
        for k in range(len(names))
    ]
    for name, (left, top) in zip(names, places, strict=True):
        _caption(draw, (left, top), strip, facts, name)
        motion = facts.corpus.motion(name)
        for shot, frame in enumerate(moments(motion)):
            at = left + shot * (BROAD + GAP), top + CAPTION
            sheet.paste(_face(motion[frame]), at)
            draw.text((at[0] + 6, at[1] + TALL - 6), f"{frame / FPS:.1f} s", SOFT, font(11), anchor="ls")
    small = sheet.quantize(250, Image.Quantize.MEDIANCUT, dither=Image.Dither.FLOYDSTEINBERG)
    for name, (left, top) in zip(names, places, strict=True):  # afterwards: a palette of skin has no other colours
        marker = ImageDraw.Draw(small)
        marker.rectangle((left, top + 26, left + 8, top + 34), COLOURS[facts.tracks_of[name][0]])
    small.save(path, optimize=True)


def moments(motion: NDArray[np.float32]) -> list[int]:
    """The frame of each fifth of a clip in which the face is furthest from its usual."""
    even = np.apply_along_axis(np.convolve, 0, motion[:, EXPRESSION], np.ones(_LASTING) / _LASTING, "same")
    distance = np.linalg.norm(even - np.median(even, axis=0), axis=1)
    edges = np.linspace(0, len(motion), SHOTS + 1).astype(int)
    inner = [(start + (end - start) // 5, end - (end - start) // 5) for start, end in pairwise(edges.tolist())]
    return [start + int(np.argmax(distance[start:end])) for start, end in inner]


def varied(facts: Facts, count: int) -> list[str]:
    """Test clips, half of each track, that bring in new actions, emotions and performers; lively ones first."""
    chosen: list[str] = []
    seen: Counter[str] = Counter()
    pools = {task: sorted(facts.clips(task, "test")) for task in TASKS}
    lively = {name: _liveliness(facts, name) for names in pools.values() for name in names}
    for turn in range(count):
        task = TASKS[turn % len(TASKS)]
        pool = [name for name in pools[task] if name not in chosen]
        if not pool:
            continue
        best = max(pool, key=lambda name: (_news(facts, name, seen) + lively[name], name))
        chosen.append(best)
        seen.update(_marks(facts, best))
    return chosen


def _marks(facts: Facts, name: str) -> list[str]:
    who = name.split("_")[1]
    return [*(f"a {a}" for a in facts.actions[name]), *(f"e {e}" for e in facts.emotions[name]), f"p {who}"]


def _news(facts: Facts, name: str, seen: Counter[str]) -> float:
    """Labels that are new; a text that is too long for its caption counts against the clip."""
    news = sum({"a": 1.0, "e": 1.0, "p": 1.5}[mark[0]] / (1 + seen[mark]) ** 2 for mark in _marks(facts, name)[:4])
    return news - (3.0 if len(facts.texts[name]["action"]) > 95 else 0.0)


def _liveliness(facts: Facts, name: str) -> float:
    """How different the shots are, at most 2.5: expression, jaw and neck, each against what is usual."""
    motion = facts.corpus.motion(name)
    spread = motion[moments(motion)].std(axis=0)
    parts = (spread[EXPRESSION].mean() / 0.6, spread[JAW].max() / 0.08, spread[NECK].max() / 0.12)
    return float(min(sum(min(part, 1.2) for part in parts), 2.5))


def _face(parameters: NDArray[np.float32]) -> Image.Image:
    import torch

    head = open_head()
    vertices = head.vertices(torch.from_numpy(parameters), neck=True).numpy()
    picture = render(vertices, head.faces, vertex_colours(), size=2 * TALL, span=SPAN, centre=CENTRE)
    edge = TALL - BROAD
    return Image.fromarray(picture[:, edge : edge + 2 * BROAD]).resize((BROAD, TALL), Image.Resampling.LANCZOS)


def _caption(draw: ImageDraw.ImageDraw, at: tuple[int, int], width: int, facts: Facts, name: str) -> None:
    left, top = at
    task = facts.tracks_of[name][0]
    who = name.split("_")[1].removeprefix("p")
    draw.text((left, top + 15), _fitting(draw, facts.texts[name]["action"], width, 15), INK, font(15), anchor="ls")
    line = f"{task}; {', '.join(facts.emotions[name])}; performer {int(who)}"
    draw.text((left + 14, top + 36), line, SOFT, font(12), anchor="ls")


def _fitting(draw: ImageDraw.ImageDraw, text: str, width: int, size: int) -> str:
    while draw.textlength(text, font(size)) > width:
        text = text.rstrip(" .…").rpartition(" ")[0] + " …"
    return text


def histograms(facts: Facts, path: Path) -> None:
    """Distributions of lengths, motion, words and labels, by track."""
    columns, third = 3, (WIDTH - 4 * MARGIN) // 3
    actions = [name for name, _ in _ranked(facts, facts.actions) if name not in SPEECH]
    listed = -(-len(actions) // columns) * 22 + HEAD
    top_of = [56 + row * (PANEL + 62) for row in range(4)]
    picture = Image.new("RGB", (WIDTH, top_of[3] + listed + MARGIN), PAGE)
    draw = ImageDraw.Draw(picture, "RGBA")
    _key(draw)

    def box(row: int, column: int) -> Box:
        left = MARGIN + column * (third + MARGIN)
        return left, top_of[row], left + third, top_of[row] + PANEL

    lengths: dict[str, Floats] = {
        task: np.array([facts.frames[n] for n in facts.clips(task)], np.float64) for task in TASKS
    }
    turned = {task: angles(frames[:, NECK]) for task, frames in facts.motion.items()}
    _overlaid(draw, box(0, 0), "Clip length, frames", lengths, (40, 200), 32, root=False)
    jaws = {task: frames[:, JAW.start] for task, frames in facts.motion.items()}
    _overlaid(draw, box(0, 1), "Jaw opening, radians (root scale)", jaws, (-0.1, 0.5), 60)
    _bars_of_dimensions(draw, box(0, 2), facts)
    for axis, name in enumerate(("pitch, + down", "yaw, + left", "roll, + right")):
        values = {task: found[:, axis] for task, found in turned.items()}
        _overlaid(draw, box(1, axis), f"Neck {name}, degrees (root scale)", values, (-40, 40), 80)
    _words(draw, box(2, 0), facts)
    _labels(draw, box(2, 1), "Emotions, clips whose text names them", facts, facts.emotions)
    _actions_a_text(draw, box(2, 2), facts)
    title = "Actions beside speech, clips whose text names them"
    draw.text((MARGIN, top_of[3] - 10), title, INK, font(15), anchor="ls")
    per = -(-len(actions) // columns)
    most = max((count for name, count in _ranked(facts, facts.actions) if name in actions), default=1)
    for column in range(columns):
        left = MARGIN + column * (third + MARGIN)
        where = (left, top_of[3], left + third, top_of[3] + listed - HEAD)
        _rows(draw, where, facts, facts.actions, actions[column * per : (column + 1) * per], most, 22)
    picture.quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)


def _key(draw: ImageDraw.ImageDraw) -> None:
    left = MARGIN
    for task, words in (("talking", "talking, singing and reading clips"), ("text2motion", "all other clips")):
        draw.rounded_rectangle((left, 14, left + 12, 26), 3, COLOURS[task])
        draw.text((left + 19, 25), words, SOFT, font(13), anchor="ls")
        left += 19 + int(draw.textlength(words, font(13))) + 26


def _frame(draw: ImageDraw.ImageDraw, box: Box, title: str, ticks: list[tuple[float, str]]) -> None:
    """Title, base line, and ticks at shares of the width."""
    left, top, right, bottom = box
    draw.text((left, top + 4), title, INK, font(15), anchor="ls")
    draw.line((left, bottom, right, bottom), LINE)
    for share, words in ticks:
        at = left + share * (right - left)
        draw.line((at, bottom, at, bottom + 4), SOFT)
        anchor = "ls" if share == 0 else "rs" if share == 1 else "ms"
        draw.text((at, bottom + 18), words, SOFT, font(12), anchor=anchor)


def _overlaid(
    draw: ImageDraw.ImageDraw, box: Box, title: str, values: dict[str, Floats], span: tuple[float, float], bins: int,
    root: bool = True,
) -> None:  # fmt: skip
    """Histograms of both tracks over each other, as shares; root scale lets rare values be seen."""
    left, top, right, bottom = box
    ticks = [(k / 4, f"{span[0] + k / 4 * (span[1] - span[0]):.3g}") for k in range(5)]
    shares = {}
    for task, some in values.items():
        counts, _ = np.histogram(np.clip(some, *span), bins, span)
        shares[task] = (counts / max(counts.sum(), 1)) ** (0.5 if root else 1.0)
    high = max(share.max() for share in shares.values()) or 1.0
    step = (right - left) / bins
    for task, share in shares.items():
        tops = [bottom - value / high * (bottom - top - 22) for value in share]
        outline = [
            point
            for k, y in enumerate(tops)
            for point in ((left + round(k * step), y), (left + round((k + 1) * step), y))
        ]
        draw.polygon([(left, bottom), *outline, (right, bottom)], (*COLOURS[task], 70))
        draw.line(outline, (*COLOURS[task], 255), 2)
    _frame(draw, box, title, ticks)


def _bars_of_dimensions(draw: ImageDraw.ImageDraw, box: Box, facts: Facts) -> None:
    left, top, right, bottom = box
    spread = np.concatenate(list(facts.motion.values()))[:, EXPRESSION].std(axis=0)
    high = max(float(spread.max()), 1.0)
    scale = (bottom - top - 22) / high
    step = (right - left) / len(spread)
    for k, value in enumerate(spread):
        draw.rectangle(
            (left + round(k * step), bottom - value * scale, left + round((k + 1) * step) - 2, bottom),
            NEITHER,
        )
    level = bottom - 0.93 * scale
    for start in range(left, right, 10):
        draw.line((start, level, min(start + 5, right), level), INK)
    draw.text((right, level - 5), "real tracks: about 0.93", INK, font(12), anchor="rs")
    ticks = [(0.0, "1"), *((k / 50 - 0.01, str(k)) for k in (10, 20, 30, 40)), (1.0, "50")]
    _frame(draw, box, "Expression, standard deviation of each dimension", ticks)


def _words(draw: ImageDraw.ImageDraw, box: Box, facts: Facts) -> None:
    """Quartile boxes with whiskers from 5% to 95%."""
    left, top, right, bottom = box
    found = {name: np.array([len(texts[name].split()) for texts in facts.texts.values()]) for name in TEXT_FIELDS}
    longest = -(-int(max(np.quantile(words, 0.95) for words in found.values())) // 20) * 20
    start = left + 126
    scale = (right - start) / longest
    step = (bottom - top - 18) / len(found)
    for row, (name, words) in enumerate(found.items()):
        middle = round(top + 18 + (row + 0.5) * step)
        ends = [start + q * scale for q in np.quantile(words, [0.05, 0.25, 0.5, 0.75, 0.95])]
        draw.text((start - 10, middle + 4), name.replace("_", " "), SOFT, font(12), anchor="rs")
        draw.line((ends[0], middle, ends[4], middle), SOFT, 2)
        draw.rectangle((ends[1], middle - 8, max(ends[3], ends[1] + 2), middle + 8), NEITHER)
        draw.line((ends[2], middle - 8, ends[2], middle + 8), PAGE, 3)
    title = "Words a text: 5%, quartiles, median, 95%"
    ticks = [(k / 4, f"{k / 4 * longest:.0f}") for k in range(5)]
    _frame(draw, (start, top, right, bottom), "", ticks)
    draw.text((left, top + 4), title, INK, font(15), anchor="ls")


def _actions_a_text(draw: ImageDraw.ImageDraw, box: Box, facts: Facts) -> None:
    """How many actions a text names, as shares of each track's clips."""
    left, top, right, bottom = box
    shares = {}
    for task in TASKS:
        named = [min(len(facts.actions[name]), 5) for name in facts.clips(task)]
        shares[task] = np.bincount(np.array(named, np.int64), minlength=6)[1:] / max(len(named), 1)
    high = max(share.max() for share in shares.values()) or 1.0
    step = (right - left) / 5
    for k in range(5):
        for place, task in enumerate(TASKS):
            at = left + k * step + step * (0.18 + 0.32 * place)
            value = bottom - shares[task][k] / high * (bottom - top - 34)
            draw.rectangle((round(at), value, round(at + step * 0.3), bottom), COLOURS[task])
            share = f"{shares[task][k]:.0%}"
            draw.text((round(at + step * 0.15), value - 4), share, SOFT, font(11), anchor="ms")
    ticks = [((k + 0.5) / 5, f"{k + 1}" if k < 4 else "5 or more") for k in range(5)]
    _frame(draw, box, "Actions a text names", ticks)


def _ranked(facts: Facts, found: dict[str, tuple[str, ...]]) -> list[tuple[str, int]]:
    counted = Counter(label for name in facts.frames for label in found[name])
    return sorted(counted.items(), key=lambda item: (-item[1], item[0]))


def _labels(draw: ImageDraw.ImageDraw, box: Box, title: str, facts: Facts, found: dict[str, tuple[str, ...]]) -> None:
    left, top, right, bottom = box
    ranked = _ranked(facts, found)
    draw.text((left, top + 4), title, INK, font(15), anchor="ls")
    step = (bottom - top - 14) // max(len(ranked), 1)
    _rows(draw, (left, top + 18, right, bottom), facts, found, [name for name, _ in ranked], ranked[0][1], step)


def _rows(
    draw: ImageDraw.ImageDraw, box: Box, facts: Facts, found: dict[str, tuple[str, ...]], names: list[str], most: int,
    step: int,
) -> None:  # fmt: skip
    """Horizontal bars of counts, the tracks stacked; a clip of both counts as talking."""
    left, top, right, _ = box
    start, end = left + 126, right - 48
    for row, label in enumerate(names):
        middle = top + row * step + step // 2
        draw.text((start - 10, middle + 4), label.replace("_", " "), SOFT, font(12), anchor="rs")
        at = float(start)
        counts = Counter(facts.tracks_of[name][0] for name in facts.frames if label in found[name])
        for task in TASKS:
            width = counts[task] / most * (end - start)
            if width:
                right_end = max(round(at + width) - 1, round(at))
                draw.rectangle((round(at), middle - 6, right_end, middle + 6), COLOURS[task])
            at += width
        draw.text((round(at) + 7, middle + 4), f"{counts.total():,}", SOFT, font(12), anchor="ls")
