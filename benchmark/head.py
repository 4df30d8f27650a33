"""The head model: FLAME parameters to vertices in metres, for a user's FLAME file or the open head shipped here."""

import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import InputError, Problem
from benchmark.head_file import JOINTS, HeadArrays, read_dictionary, read_head, read_masks
from benchmark.protocol import EXPRESSION, JAW, NECK, PARAMETERS

if TYPE_CHECKING:
    import torch

IdArray = NDArray[np.int64]
_NECK_JOINT, _JAW_JOINT = 1, 2


class HeadModel:
    """A FLAME-format head at zero shape: 50 expression coefficients, neck and jaw rotations to vertices.

    Source: Li et al., Learning a model of facial shape and expression from 4D scans, 2017, section 3.
    """

    def __init__(
        self, name: str, sha256: str, arrays: HeadArrays, face_ids: IdArray | None, lip_ids: IdArray | None
    ) -> None:
        self.name = name
        self.sha256 = sha256
        """SHA-256 of the head file's bytes followed by the masks file's."""
        self.template = arrays.template
        """(V, 3) float32, metres: the neutral face."""
        self.faces = arrays.faces
        """(F, 3) int64."""
        self._arrays, self._face_ids, self._lip_ids = arrays, face_ids, lip_ids
        self._device: torch.device | str = "cpu"
        self._subsets: dict[bytes, _Subset] = {}

    @property
    def n_vertices(self) -> int:
        """Number of vertices V."""
        return len(self.template)

    @property
    def face_ids(self) -> IdArray:
        """Vertex ids of the face region, in the masks' order. InputError when the head came without masks."""
        return self._mask(self._face_ids)

    @property
    def lip_ids(self) -> IdArray:
        """Vertex ids of the lips, in the masks' order. InputError when the head came without masks."""
        return self._mask(self._lip_ids)

    @property
    def region_ids(self) -> IdArray:
        """Ids of face and lips together, ascending: the vertices that metrics and mesh methods use."""
        return np.union1d(self.face_ids, self.lip_ids)

    def _mask(self, ids: IdArray | None) -> IdArray:
        if ids is None:
            mend = "give FLAME_masks.pkl, or a JSON or npz with lists of vertex ids named face and lips, by --masks"
            raise InputError(Problem("head has no face and lip vertex lists", self.name, mend=mend))
        return ids

    def to(self, device: "torch.device | str") -> "HeadModel":
        """Moves the model to a device and returns it."""
        self._device = device
        self._subsets.clear()
        return self

    def on(self, device: "torch.device | str") -> "HeadModel":
        """The same head on a device: itself where it is there already, else a copy, so that nobody else's moves."""
        import torch

        if torch.device(device) == torch.device(self._device):
            return self
        copied = HeadModel(self.name, self.sha256, self._arrays, self._face_ids, self._lip_ids)
        return copied.to(device)

    def vertices(
        self, parameters: "torch.Tensor", ids: NDArray[Any] | None = None, *, neck: bool = False
    ) -> "torch.Tensor":
        """Vertices of motions, differentiable with respect to the parameters.

        Args:
            parameters: (..., 56): 50 expression, 3 neck, 3 jaw (axis-angle, radians).
            ids: Vertices to return, (n,); all when None. Joints always follow the whole head.
            neck: Whether the neck turns the head; False holds it at zero, as the metrics do.

        Returns:
            (..., n, 3) float32, metres, on the model's device.
        """
        import torch

        if parameters.shape[-1] != PARAMETERS:
            raise ValueError(f"parameters have {parameters.shape[-1]} values a frame, expected {PARAMETERS}")
        flat = parameters.to(device=self._device, dtype=torch.float32).reshape(-1, PARAMETERS)
        subset = self._subset(ids)
        moved = subset.turn_all(flat) if neck else subset.turn_jaw(flat)
        return moved.reshape(*parameters.shape[:-1], subset.n, 3)

    def _subset(self, ids: NDArray[Any] | None) -> "_Subset":
        key = b"all" if ids is None else np.ascontiguousarray(ids, dtype=np.int64).tobytes()
        if key not in self._subsets:
            chosen = np.arange(self.n_vertices) if ids is None else np.asarray(ids, dtype=np.int64)
            self._subsets[key] = _Subset(self._arrays, chosen, self._device)
        return self._subsets[key]


class _Subset:
    """The matrices that give some of a head's vertices, folded so that a frame costs one matrix product."""

    def __init__(self, arrays: HeadArrays, ids: IdArray, device: "torch.device | str") -> None:
        import torch

        def tensor(values: NDArray[Any]) -> "torch.Tensor":
            return torch.as_tensor(np.ascontiguousarray(values, dtype=np.float32), device=device)

        self.n = n = len(ids)
        regressor = arrays.joint_regressor.astype(np.float64)
        expression = arrays.expression[ids].reshape(n * 3, -1).T  # (50, 3n)
        pose = arrays.pose[ids].reshape(n * 3, -1).T  # (36, 3n)
        self.parents, weights = arrays.parents, arrays.weights[ids]
        self.base = tensor(arrays.template[ids].reshape(-1))  # (3n,)
        self.basis = tensor(np.concatenate([expression, pose[: 9 * _JAW_JOINT]]))  # (50 + 18, 3n)
        self.jaw_basis = tensor(np.concatenate([expression, pose[9 * (_JAW_JOINT - 1) : 9 * _JAW_JOINT]]))
        self.joints = tensor(regressor @ arrays.template)  # (5, 3)
        self.joint_basis = tensor(np.einsum("jv,vce->ejc", regressor, arrays.expression))  # (50, 5, 3)
        self.weights = tensor(weights)  # (n, 5)
        below_jaw = [j for j in range(JOINTS) if j == _JAW_JOINT or self.parents[j] == _JAW_JOINT]
        jaw_weights = weights[:, below_jaw].sum(axis=1)
        turned = np.flatnonzero(jaw_weights)
        self.turned = torch.as_tensor(turned, device=device)
        self.jaw_weights = tensor(jaw_weights[turned, None])  # (m, 1)

    def turn_jaw(self, parameters: "torch.Tensor") -> "torch.Tensor":
        """(N, 56) to (N, n, 3) with the neck at zero: only the jaw's vertices need skinning."""
        import torch

        expression = parameters[:, EXPRESSION]
        turn = _turn(parameters[:, JAW])  # (N, 3, 3), rotation minus identity
        shaped = torch.addmm(self.base, torch.cat([expression, turn.flatten(1)], dim=1), self.jaw_basis)
        shaped = shaped.reshape(len(parameters), self.n, 3)  # (N, n, 3)
        joint = self.joints[_JAW_JOINT] + expression @ self.joint_basis[:, _JAW_JOINT]  # (N, 3)
        arm = shaped[:, self.turned] - joint[:, None]
        moved: torch.Tensor = torch.bmm(arm, turn.transpose(1, 2)) * self.jaw_weights
        return shaped.index_add_(1, self.turned, moved)

    def turn_all(self, parameters: "torch.Tensor") -> "torch.Tensor":
        """(N, 56) to (N, n, 3) with neck and jaw turned; global and eyes stay at zero."""
        import torch

        expression = parameters[:, EXPRESSION]
        turns = {_NECK_JOINT: _turn(parameters[:, NECK]), _JAW_JOINT: _turn(parameters[:, JAW])}
        features = torch.cat([expression, *(turn.flatten(1) for turn in turns.values())], dim=1)
        shaped = torch.addmm(self.base, features, self.basis).reshape(len(parameters), self.n, 3)
        joints = self.joints + torch.einsum("ne,ejc->njc", expression, self.joint_basis)  # (N, 5, 3)
        still = torch.eye(3, device=shaped.device).expand(len(parameters), 3, 3)
        rotations, shifts = [still], [torch.zeros_like(joints[:, 0])]  # each joint maps v to R v + t
        for joint in range(1, JOINTS):
            above, shift = rotations[self.parents[joint]], shifts[self.parents[joint]]
            rotation = above @ (still + turns[joint]) if joint in turns else above
            at = joints[:, joint, :, None]
            shifts.append(shift + ((above - rotation) @ at).squeeze(-1))
            rotations.append(rotation)
        blended = torch.einsum("vj,njab->nvab", self.weights, torch.stack(rotations, dim=1))
        shift = torch.einsum("vj,nja->nva", self.weights, torch.stack(shifts, dim=1))
        return torch.einsum("nvab,nvb->nva", blended, shaped) + shift


def _turn(axis_angle: "torch.Tensor") -> "torch.Tensor":
    """Rotation matrix minus identity of (N, 3) rotation vectors, exact and differentiable down to zero (Rodrigues)."""
    import torch

    angle = (axis_angle.square().sum(dim=-1) + 1e-16).sqrt()[:, None, None]
    x, y, z = axis_angle.unbind(dim=-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).reshape(-1, 3, 3)
    half = torch.sin(angle / 2) / angle
    turn: torch.Tensor = torch.sin(angle) / angle * cross + 2 * half * half * (cross @ cross)
    return turn


def load_head(path: Path, masks: Path | None = None) -> HeadModel:
    """Loads a FLAME-format head, pickle or npz.

    Args:
        path: FLAME's generic_model.pkl, or a file with the same keys. With 400 components, expression is 300 to 350.
        masks: FLAME_masks.pkl, or an npz or JSON of vertex ids with ``face`` and ``lips``. Without one, the
            head file's own ``face`` and ``lips`` are used; where it has none, the model gives vertices but no regions.

    Raises:
        InputError: Missing keys, wrong shapes, ids out of range, or no such file at all.
    """
    arrays, content = read_head(path)
    digest = hashlib.sha256(path.read_bytes())
    regions: dict[str, IdArray] = {}
    if masks is not None:
        digest.update(masks.read_bytes() if masks.is_file() else b"")
        content = read_dictionary(masks, "vertex masks: FLAME_masks.pkl, or an npz or JSON with face and lips")
        regions = read_masks(content, masks, len(arrays.template))
    elif "face" in content or "lips" in content:
        regions = read_masks(content, path, len(arrays.template))
    return HeadModel(path.stem, digest.hexdigest(), arrays, regions.get("face"), regions.get("lips"))


@cache
def open_head() -> HeadModel:
    """The open head shipped with the project: our own mesh in FLAME's format, with face and lip lists."""
    return load_head(Path(__file__).parent / "mini" / "open_head.npz")
