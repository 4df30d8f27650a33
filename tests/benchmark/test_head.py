"""The head model: FLAME's own equations, and files that are no head."""

import json
import pickle
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from benchmark.errors import InputError
from benchmark.head import HeadModel, load_head, open_head
from benchmark.mini.open_head import PATH

Arrays = dict[str, NDArray[Any]]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def small_arrays(seed: int = 0, components: int = 50, vertices: int = 30) -> Arrays:
    """A random FLAME-format head with non-trivial pose correctives and skinning."""
    rng = np.random.default_rng(seed)
    weights, regressor = rng.random((vertices, 5)), rng.random((5, vertices)) ** 4
    return {
        "f": rng.integers(0, vertices, (40, 3)).astype(np.uint32),
        "v_template": 0.1 * rng.standard_normal((vertices, 3)),
        "shapedirs": 0.01 * rng.standard_normal((vertices, 3, components)),
        "posedirs": 0.01 * rng.standard_normal((vertices, 3, 36)),
        "J_regressor": regressor / regressor.sum(axis=1, keepdims=True),
        "kintree_table": np.array([[4294967295, 0, 1, 1, 1], range(5)], dtype=np.uint32),
        "weights": weights / weights.sum(axis=1, keepdims=True),
        "face": np.arange(20),
        "lips": np.arange(15, 25),
    }


def write(path: Path, arrays: Arrays) -> Path:
    np.savez(path, allow_pickle=False, **arrays)
    return path


@pytest.fixture
def small(tmp_path: Path) -> HeadModel:
    return load_head(write(tmp_path / "head.npz", small_arrays()))


def random_motion(shape: tuple[int, ...], seed: int = 1) -> torch.Tensor:
    scale = np.concatenate([np.ones(50), np.full(3, 0.3), np.full(3, 0.2)])
    return torch.tensor(np.random.default_rng(seed).standard_normal((*shape, 56)) * scale, dtype=torch.float32)


def smplx_vertices(arrays: Arrays, motion: torch.Tensor, neck: bool) -> NDArray[np.float32]:
    import smplx

    def tensor(values: NDArray[Any]) -> torch.Tensor:
        return torch.tensor(np.asarray(values, dtype=np.float32))

    pose = torch.zeros(len(motion), 15)
    pose[:, 6:9] = motion[:, 53:56]
    if neck:
        pose[:, 3:6] = motion[:, 50:53]
    shapedirs = arrays["shapedirs"][:, :, 300:350] if arrays["shapedirs"].shape[2] == 400 else arrays["shapedirs"]
    template = tensor(arrays["v_template"])
    vertices, _ = smplx.lbs.lbs(
        motion[:, :50],
        pose,
        template.expand(len(motion), -1, -1),
        tensor(shapedirs),
        tensor(arrays["posedirs"].reshape(-1, 36).T),
        tensor(arrays["J_regressor"]),
        torch.tensor([-1, *arrays["kintree_table"][0][1:].astype(int)]),
        tensor(arrays["weights"]),
    )
    return np.asarray(vertices)


@pytest.mark.parametrize("neck", [False, True])
def test_equals_the_golden_flame_head(shared: Path, neck: bool) -> None:
    golden = np.load(shared / "golden/flame_tiny.npz")
    head = load_head(shared / "golden/flame_tiny.pkl")
    vertices = head.vertices(torch.tensor(golden["motion"]), neck=neck).numpy()
    expected = golden["vertices_neck_posed_m" if neck else "vertices_neck_zero_m"]
    np.testing.assert_allclose(vertices, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("neck", [False, True])
@pytest.mark.parametrize("components", [50, 400])
def test_equals_smplx(tmp_path: Path, neck: bool, components: int) -> None:
    arrays = small_arrays(components=components)
    head = load_head(write(tmp_path / "head.npz", arrays))
    motion = random_motion((7,))
    expected = smplx_vertices(arrays, motion, neck)
    np.testing.assert_allclose(head.vertices(motion, neck=neck).numpy(), expected, atol=2e-6, rtol=0)


def test_open_head_equals_smplx() -> None:
    with np.load(PATH) as file:
        arrays = {name: file[name] for name in file.files}
    motion = random_motion((3,))
    for neck in (False, True):
        expected = smplx_vertices(arrays, motion, neck)
        np.testing.assert_allclose(open_head().vertices(motion, neck=neck).numpy(), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("neck", [False, True])
def test_chosen_vertices_are_those_of_the_whole_head(small: HeadModel, neck: bool) -> None:
    motion, ids = random_motion((4,)), np.array([7, 3, 29, 3])
    whole, some = small.vertices(motion, neck=neck), small.vertices(motion, ids, neck=neck)
    np.testing.assert_allclose(some.numpy(), whole[:, ids].numpy(), atol=1e-6)


def test_leading_dimensions_are_kept_and_frames_are_independent(small: HeadModel) -> None:
    motion = random_motion((2, 3, 4))
    vertices = small.vertices(motion)
    assert vertices.shape == (2, 3, 4, 30, 3)
    np.testing.assert_allclose(vertices[1, 2, 0].numpy(), small.vertices(motion[1, 2, 0]).numpy(), atol=1e-6)
    assert small.vertices(motion[:0]).shape == (0, 3, 4, 30, 3)


def test_neck_false_ignores_the_neck_and_zeros_give_the_template(small: HeadModel) -> None:
    motion = random_motion((5,))
    still = motion.clone()
    still[:, 50:53] = 0
    assert torch.equal(small.vertices(motion), small.vertices(still))
    np.testing.assert_allclose(small.vertices(still).numpy(), small.vertices(still, neck=True).numpy(), atol=1e-6)
    np.testing.assert_array_equal(small.vertices(torch.zeros(56)).numpy(), small.template)


@pytest.mark.parametrize("neck", [False, True])
def test_gradients_match_finite_differences_also_at_rest(small: HeadModel, neck: bool) -> None:
    for start in (torch.zeros(56), random_motion(())):
        direction = random_motion((), seed=5)
        motion = start.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(small.vertices(motion, neck=neck).square().sum(), motion)
        assert torch.isfinite(gradient).all()
        step = 2e-3
        ends = [small.vertices(start + sign * step * direction, neck=neck).double() for sign in (1, -1)]
        slope = float((ends[0].square().sum() - ends[1].square().sum()) / (2 * step))
        assert float(gradient @ direction) == pytest.approx(slope, rel=0.02, abs=1e-4)


def test_wrong_number_of_parameters_is_refused(small: HeadModel) -> None:
    with pytest.raises(ValueError, match="expected 56"):
        small.vertices(torch.zeros(3, 53))


def test_region_is_the_sorted_union_of_face_and_lips(small: HeadModel) -> None:
    np.testing.assert_array_equal(small.region_ids, np.arange(25))
    assert small.n_vertices == 30
    assert small.face_ids.dtype == np.int64


def test_sha256_covers_head_and_masks(tmp_path: Path) -> None:
    from hashlib import sha256

    path, masks = write(tmp_path / "head.npz", small_arrays()), tmp_path / "masks.json"
    masks.write_text(json.dumps({"face": [1, 2], "lips": [2, 3], "neck": [0]}))
    assert load_head(path).sha256 == sha256(path.read_bytes()).hexdigest()
    head = load_head(path, masks)
    assert head.sha256 == sha256(path.read_bytes() + masks.read_bytes()).hexdigest()
    np.testing.assert_array_equal(head.region_ids, [1, 2, 3])


def test_a_head_without_masks_gives_vertices_but_no_regions(tmp_path: Path) -> None:
    arrays = small_arrays()
    del arrays["face"], arrays["lips"]
    head = load_head(write(tmp_path / "head.npz", arrays))
    assert head.vertices(torch.zeros(56)).shape == (30, 3)
    with pytest.raises(InputError, match="--masks"):
        _ = head.face_ids


@pytest.mark.parametrize("protocol", [0, 2, 3])
def test_pickles_of_chumpy_and_sparse_arrays_are_read(
    tmp_path: Path, protocol: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from scipy import sparse

    package, module = types.ModuleType("chumpy"), types.ModuleType("chumpy.ch")

    class Ch:
        def __init__(self, x: NDArray[Any]) -> None:
            self.x, self._dirty_vars, self._itr = x, set[str](), None

    Ch.__module__, Ch.__qualname__ = "chumpy.ch", "Ch"
    module.Ch = Ch  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "chumpy", package)
    monkeypatch.setitem(sys.modules, "chumpy.ch", module)
    arrays = small_arrays()
    content: dict[str, Any] = dict(arrays) | {
        "bs_type": "lrotmin",
        "J_regressor": sparse.csc_matrix(arrays["J_regressor"]),
    }
    content["shapedirs"], content["posedirs"] = Ch(arrays["shapedirs"]), Ch(arrays["posedirs"])
    path, masks = tmp_path / "head.pkl", tmp_path / "masks.pkl"
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    masks.write_bytes(pickle.dumps({"face": np.arange(20), "lips": np.arange(15, 25)}, protocol=protocol))
    monkeypatch.delitem(sys.modules, "chumpy.ch")
    monkeypatch.delitem(sys.modules, "chumpy")
    motion = random_motion((3,))
    expected = load_head(write(tmp_path / "head.npz", arrays)).vertices(motion, neck=True)
    head = load_head(path, masks)
    np.testing.assert_allclose(head.vertices(motion, neck=True).numpy(), expected.numpy(), atol=1e-7)
    np.testing.assert_array_equal(head.lip_ids, np.arange(15, 25))


class Harmful:
    """Unpickling this object with Python's own unpickler would create a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[Path]]:
        return Path.touch, (self.path,)


def test_a_pickle_that_holds_more_than_arrays_is_refused_and_not_run(tmp_path: Path) -> None:
    path, trace = tmp_path / "head.pkl", tmp_path / "trace"
    path.write_bytes(pickle.dumps({**small_arrays(), "extra": Harmful(trace)}))
    with pytest.raises(InputError, match="arrays"):
        load_head(path)
    assert not trace.exists()


def broken(**changes: Any) -> Arrays:
    arrays = small_arrays() | {name: value for name, value in changes.items() if value is not None}
    return {name: value for name, value in arrays.items() if changes.get(name, 0) is not None}


@pytest.mark.parametrize(
    ("changes", "messages"),
    [
        ({"shapedirs": None, "weights": None}, ["no shapedirs, weights", "generic_model.pkl"]),
        ({"shapedirs": np.zeros((30, 3, 10)), "posedirs": np.zeros((30, 36))}, ["shapedirs: wrong", "posedirs: wrong"]),
        ({"weights": np.zeros((29, 5))}, ["weights: wrong shape", "V = 30"]),
        ({"weights": np.ones((30, 5))}, ["do not sum to one"]),
        ({"f": np.full((4, 3), 30)}, ["f: vertex ids out of range", "0 to 29"]),
        ({"v_template": np.full((30, 3), np.nan)}, ["v_template: not all finite"]),
        ({"kintree_table": np.array([[-1, 4, 1, 1, 1], range(5)])}, ["a joint before its parent"]),
        ({"J_regressor": np.ones((5, 30))}, ["rows do not sum to one"]),
        ({"face": np.array([3, 30]), "lips": np.zeros(0, int)}, ["face: vertex ids out of range", "lips: no list"]),
        ({"lips": None}, ["lips: mask is missing"]),
        ({"face": np.array([3, 3])}, ["repeated vertex ids"]),
    ],
)
def test_every_fault_of_a_head_file_is_named(tmp_path: Path, changes: dict[str, Any], messages: list[str]) -> None:
    path = write(tmp_path / "head.npz", broken(**changes))
    with pytest.raises(InputError) as caught:
        load_head(path)
    for message in messages:
        assert message in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", b"PK\x03\x04broken", b"{not json", b"[1, 2]", pickle.dumps([1, 2]), pickle.dumps({"a": {1, 2}})],
)
def test_a_file_that_is_no_head_is_refused_as_input(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "head"
    path.write_bytes(content)
    with pytest.raises(InputError):
        load_head(path)
    with pytest.raises(InputError):
        load_head(write(tmp_path / "good.npz", small_arrays()), path)


def test_a_missing_file_is_refused_as_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load_head(tmp_path / "absent.pkl")
    with pytest.raises(InputError, match="cannot be read"):
        load_head(write(tmp_path / "good.npz", small_arrays()), tmp_path / "absent.pkl")


def test_a_head_on_another_device_is_a_copy(small: HeadModel) -> None:
    """Moving the shared open head to a GPU once broke every network that still ran on the CPU."""
    moved = small.on("meta")
    assert moved is not small
    assert small.on("cpu") is small
    assert small.vertices(torch.zeros(1, 56)).device.type == "cpu"
