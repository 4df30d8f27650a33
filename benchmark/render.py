"""A small software rasteriser: meshes to pictures with numpy alone, for looking at heads on any machine."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.storage import atomic_path

Image = NDArray[np.uint8]
Floats = NDArray[np.float32]

BACKGROUND = (0.90, 0.91, 0.93)
SKIN = (0.80, 0.66, 0.58)
_CAMERA = 1.1  # metres from the camera to the picture's centre: far enough for the proportions of a portrait lens
_SUPERSAMPLING = 2
_GAMMA = 2.2
# direction towards each light, in view space, and its linear RGB strength
_LIGHTS = (
    ((-0.45, 0.55, 0.70), (0.86, 0.83, 0.79)),
    ((0.80, 0.10, 0.45), (0.20, 0.22, 0.26)),
    ((0.15, 0.60, -0.75), (0.20, 0.21, 0.23)),
)
_SKY, _GROUND = (0.30, 0.31, 0.33), (0.13, 0.115, 0.105)
_SHINE, _SHARPNESS = 0.10, 22.0


def render(
    vertices: NDArray[Any],
    faces: NDArray[Any],
    colours: NDArray[Any] | None = None,
    *,
    size: int = 480,
    yaw: float = 0.0,
    pitch: float = 0.0,
    span: float = 0.30,
    centre: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Image:
    """A smoothly shaded perspective picture of a mesh on a plain ground, seen from the front (+z), y up.

    Args:
        vertices: (V, 3) metres.
        faces: (F, 3) vertex ids, counter-clockwise seen from outside; triangles seen from behind are not drawn.
        colours: (V, 3) RGB in 0 to 1; skin everywhere when None.
        size: Height and width in pixels.
        yaw: Radians the mesh is turned about the vertical axis before it is seen; positive shows its right side.
        pitch: Radians it is turned about the horizontal axis; positive lowers the face.
        span: Metres at the centre's depth that fill the picture's width.
        centre: The point in the picture's middle, metres.

    Returns:
        (size, size, 3) uint8.
    """
    view = _turn(vertices - np.asarray(centre), yaw, pitch)
    normals = vertex_normals(view, faces)
    shade = np.full(view.shape, SKIN) if colours is None else np.asarray(colours, dtype=np.float64)
    wide = size * _SUPERSAMPLING
    picture = np.broadcast_to(_linear(np.asarray(BACKGROUND)), (wide * wide, 3)).astype(np.float32)
    pixels, corners, weights = _fragments(view, faces.astype(np.int64), wide, span)
    if pixels.size:
        attributes = np.concatenate([normals, _linear(shade), view], axis=1).astype(np.float32)
        mixed = np.einsum("pk,pkc->pc", weights, attributes[corners])
        picture[pixels] = _light(mixed[:, :3], mixed[:, 3:6], mixed[:, 6:])
    small = picture.reshape(size, _SUPERSAMPLING, size, _SUPERSAMPLING, 3).mean(axis=(1, 3))
    return np.asarray(np.clip(small, 0, 1) ** (1 / _GAMMA) * 255 + 0.5, dtype=np.uint8)


def vertex_normals(vertices: NDArray[Any], faces: NDArray[Any]) -> NDArray[np.float64]:
    """(V, 3) unit normals: the mean of the adjoining triangles' normals, weighted by their area."""
    points = np.asarray(vertices, dtype=np.float64)
    a, b, c = (points[faces[:, k]] for k in range(3))
    across = np.cross(b - a, c - a)
    normals = np.zeros_like(points)
    for k in range(3):
        for axis in range(3):
            normals[:, axis] += np.bincount(faces[:, k], across[:, axis], minlength=len(points))
    unit: NDArray[np.float64] = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-20)
    return unit


def _turn(points: NDArray[Any], yaw: float, pitch: float) -> NDArray[np.float64]:
    about_y = [[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]]
    about_x = [[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]]
    turned: NDArray[np.float64] = np.asarray(points, dtype=np.float64) @ (np.array(about_x) @ np.array(about_y)).T
    return turned


def _linear(colours: NDArray[Any]) -> NDArray[Any]:
    linear: NDArray[Any] = np.clip(colours, 0, 1) ** _GAMMA
    return linear


def _fragments(
    view: NDArray[np.float64], faces: NDArray[np.int64], wide: int, span: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """The nearest fragment of every covered pixel: pixel (P,), corner ids (P, 3), barycentric weights (P, 3)."""
    near = _CAMERA / np.maximum(_CAMERA - view[:, 2], 0.05)
    x = (view[:, 0] * near / span + 0.5) * wide - 0.5
    y = (0.5 - view[:, 1] * near / span) * wide - 0.5
    tx, ty, tz = x[faces], y[faces], view[:, 2][faces]  # (F, 3)
    area = (tx[:, 1] - tx[:, 0]) * (ty[:, 2] - ty[:, 0]) - (tx[:, 2] - tx[:, 0]) * (ty[:, 1] - ty[:, 0])
    low_x, low_y = np.ceil(tx.min(axis=1)).clip(0), np.ceil(ty.min(axis=1)).clip(0)
    across = (np.floor(tx.max(axis=1)).clip(max=wide - 1) - low_x + 1).clip(0).astype(np.int64)
    down = (np.floor(ty.max(axis=1)).clip(max=wide - 1) - low_y + 1).clip(0).astype(np.int64)
    count = np.where(area < -1e-9, across * down, 0)  # rows grow downwards, so faces seen from outside turn negative
    triangle = np.repeat(np.arange(len(faces)), count)
    step = np.arange(len(triangle)) - np.repeat(np.cumsum(count) - count, count)
    px = (low_x[triangle] + step % across[triangle]).astype(np.float32)
    py = (low_y[triangle] + step // across[triangle]).astype(np.float32)
    weights = np.empty((len(triangle), 3), dtype=np.float32)
    for k in range(3):
        i, j = (k + 1) % 3, (k + 2) % 3
        slope_x, slope_y = (ty[:, i] - ty[:, j]) / area, (tx[:, j] - tx[:, i]) / area
        start = (tx[:, i] * ty[:, j] - tx[:, j] * ty[:, i]) / area
        weights[:, k] = slope_x[triangle] * px + slope_y[triangle] * py + start[triangle]
    inside = np.flatnonzero((weights >= -1e-5).all(axis=1))
    triangle, weights = triangle[inside], weights[inside]
    depth = np.einsum("pk,pk->p", weights, tz[triangle])
    order = np.argsort(depth)  # far to near: the last write to a pixel wins
    buffer = np.full(wide * wide, -1, dtype=np.int64)
    buffer[(py[inside].astype(np.int64) * wide + px[inside].astype(np.int64))[order]] = order
    pixels = np.flatnonzero(buffer >= 0)
    chosen = buffer[pixels]
    return pixels, faces[triangle[chosen]], weights[chosen]


def _light(normals: Floats, albedo: Floats, points: Floats) -> Floats:
    """Linear RGB of lit fragments: sky and ground light, three soft lamps, a faint shine."""
    normals = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    up = (normals[:, 1:2] + 1) / 2
    light = up * np.array(_SKY, np.float32) + (1 - up) * np.array(_GROUND, np.float32)
    shine = np.zeros((len(normals), 1), dtype=np.float32)
    towards = np.array([0, 0, _CAMERA], np.float32) - points
    towards /= np.linalg.norm(towards, axis=1, keepdims=True)
    for direction, strength in _LIGHTS:
        unit = np.array(direction, np.float32) / np.linalg.norm(direction)
        facing = np.clip((normals @ unit + 0.15) / 1.15, 0, None)[:, None]  # wraps a little, as skin does
        light = light + facing * np.array(strength, np.float32)
        half = towards + unit
        half /= np.linalg.norm(half, axis=1, keepdims=True)
        shine += strength[0] * np.clip(np.einsum("pc,pc->p", normals, half), 0, None)[:, None] ** _SHARPNESS
    glossy = np.clip(4 * albedo.mean(axis=1, keepdims=True), 0, 1)  # dark hollows do not shine
    lit: Floats = (albedo * light + _SHINE * glossy * shine).astype(np.float32)
    return lit


def sheet(images: Sequence[Image], columns: int) -> Image:
    """One picture of equally large pictures in rows of ``columns``; places left over are white.

    >>> sheet([np.zeros((2, 3, 3), np.uint8)] * 3, columns=2).shape
    (4, 6, 3)
    """
    height, width, _ = images[0].shape
    rows = -(-len(images) // columns)
    whole = np.full((rows * height, columns * width, 3), 255, dtype=np.uint8)
    for place, image in enumerate(images):
        top, left = place // columns * height, place % columns * width
        whole[top : top + height, left : left + width] = image
    return whole


def write_png(path: Path, image: Image) -> None:
    """Writes an (H, W, 3) uint8 picture as PNG, atomically."""
    import struct
    import zlib

    height, width, _ = image.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), image.reshape(height, -1)], axis=1)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows.tobytes(), 6)), chunk(b"IEND", b"")]
    with atomic_path(path) as temporary:
        temporary.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
