import torch
from torch import Tensor

from benchmark.head import open_head
from reference_models.parts.quantiser import LearnedCodebook, RunningCodebook
from reference_models.vqvae import PRESETS, VQVAE, Config
from tests.reference_models.toy import toy_clips, toy_context

SMALL = Config(codes=16, code_width=8, width=16, depth=2)


def tokenizer(config: Config = SMALL) -> tuple[VQVAE, Tensor]:
    torch.manual_seed(0)
    clips = toy_clips(12)
    network = VQVAE(config, toy_context(clips))
    network.fit(clips)
    for _ in range(3):
        network.losses(clips.batch(range(12)))
    return network.eval(), clips.frames


def test_every_motion_token_is_four_frames_and_decodes_to_four() -> None:
    network, _ = tokenizer()
    batch = toy_clips(frames=[9, 12, 17]).batch([0, 1, 2])
    assert batch.motion is not None
    tokens = network.encode(batch.motion, batch.frames)
    assert tokens.shape == (3, 5)
    assert network.decode(tokens, batch.frames).shape == (3, 20, 56)


def test_padding_never_changes_tokens_or_motion() -> None:
    network, _ = tokenizer()
    clips = toy_clips(frames=[9, 24, 14])
    together = clips.batch([0, 1, 2])
    assert together.motion is not None
    tokens = network.encode(together.motion, together.frames)
    motions = network.decode(tokens, together.frames)
    for row in range(3):
        alone = clips.batch([row])
        assert alone.motion is not None
        own = network.encode(alone.motion, alone.frames)
        assert torch.equal(own[0], tokens[row, : own.shape[1]])
        frames = int(alone.frames)
        made = network.decode(own, alone.frames)[0, :frames]
        torch.testing.assert_close(made, motions[row, :frames], atol=1e-5, rtol=1e-4)


def test_what_lies_beyond_the_end_changes_no_loss() -> None:
    network, _ = tokenizer()
    batch = toy_clips(frames=[9, 24]).batch([0, 1])
    assert batch.motion is not None
    before = network.losses(batch)["loss"]
    batch.motion[0, 9:] = 100.0
    torch.testing.assert_close(network.losses(batch)["loss"], before)


def test_loss_falls_on_a_toy_set() -> None:
    torch.manual_seed(0)
    clips = toy_clips(4)
    network = VQVAE(Config(codes=64, code_width=8, width=16, depth=1), toy_context(clips))
    network.fit(clips)
    optimizer = torch.optim.Adam(network.parameters(), 5e-3)
    values = []
    for _ in range(80):
        losses = network.losses(clips.batch(range(4)))
        optimizer.zero_grad()
        losses["loss"].backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        values.append(float(losses["motion"].detach()))
    assert values[-1] < 0.7 * values[3]


def test_every_preset_does_one_step() -> None:
    clips = toy_clips(3)
    for presets in PRESETS.values():
        for recipe in presets.values():
            network = VQVAE(recipe.config, toy_context(clips))
            network.fit(clips)
            network.losses(clips.batch([0, 1, 2]))["loss"].backward()  # type: ignore[no-untyped-call]
            gradients = [value.grad for value in network.parameters() if value.requires_grad]
            assert any(gradient is not None and bool(gradient.abs().sum() > 0) for gradient in gradients)


def test_codes_out_of_use_start_anew_at_latents() -> None:
    torch.manual_seed(0)
    book = RunningCodebook(4, 2)
    mask = torch.ones(1, 64, dtype=torch.bool)
    book(torch.randn(1, 64, 2), mask)
    book.codebook[1:] = 100.0
    book.total[1:] = 100.0 * book.count[1:, None]
    for _ in range(600):
        quantised = book(torch.randn(1, 64, 2), mask)
    assert len(quantised.tokens.unique()) == 4


def test_running_codes_survive_being_saved_and_loaded() -> None:
    torch.manual_seed(0)
    mask = torch.ones(2, 8, dtype=torch.bool)
    data = [torch.randn(2, 8, 3) for _ in range(6)]
    unbroken, stopped = RunningCodebook(5, 3), RunningCodebook(5, 3)
    for step, latents in enumerate(data):
        torch.manual_seed(step)
        unbroken(latents, mask)
        if step == 3:
            resumed = RunningCodebook(5, 3)
            resumed.load_state_dict(stopped.state_dict())
            stopped = resumed
        torch.manual_seed(step)
        stopped(latents, mask)
    assert torch.equal(unbroken.codebook, stopped.codebook)


def test_masked_latents_move_no_code() -> None:
    torch.manual_seed(0)
    mask = torch.tensor([[True] * 4 + [False] * 4])
    books = [RunningCodebook(3, 2) for _ in range(2)]
    for junk, book in zip((0.0, 50.0), books, strict=True):
        torch.manual_seed(1)
        for step in range(5):
            latents = torch.linspace(step, step + 1, 16).reshape(1, 8, 2).clone()
            latents[:, 4:] = junk
            book(latents, mask)
    assert torch.equal(books[0].codebook, books[1].codebook)


def test_gradients_pass_straight_through_the_quantiser() -> None:
    torch.manual_seed(0)
    for book in (RunningCodebook(4, 3), LearnedCodebook(4, 3)):
        latents = torch.randn(1, 6, 3, requires_grad=True)
        book(latents, torch.ones(1, 6, dtype=torch.bool)).latents.sum().backward()
        assert latents.grad is not None
        assert torch.equal(latents.grad, torch.ones_like(latents))


def test_a_learned_code_is_pulled_to_its_latents() -> None:
    torch.manual_seed(0)
    book = LearnedCodebook(4, 3)
    mask = torch.ones(1, 6, dtype=torch.bool)
    book(torch.randn(1, 6, 3), mask)  # begins the codes
    quantised = book(torch.ones(1, 6, 3), mask)
    quantised.codebook.sum().backward()
    assert book.codebook.grad is not None
    used = int(quantised.tokens[0, 0])
    assert float(book.codebook.grad[used].abs().sum()) > 0
    assert float(book.codebook.grad.abs().sum()) == float(book.codebook.grad[used].abs().sum())


def test_coordinates_of_vertices_measure_vertex_errors() -> None:
    """Expression components that hardly move a vertex weigh less than those that open the mouth."""
    clips = toy_clips(12)
    network = VQVAE(Config(space="vertices"), toy_context(clips))
    network.fit(clips)
    head = open_head()
    motion = torch.zeros(1, 56)
    errors, coordinates = [], []
    for dimension in (0, 45, 53):
        moved = motion.clone()
        moved[0, dimension] = 0.02 if dimension >= 50 else 0.2
        vertices = head.vertices(moved, head.face_ids) - head.vertices(motion, head.face_ids)
        errors.append(float(vertices.square().mean()))
        coordinates.append(float((network.normaliser(moved) - network.normaliser(motion)).square().mean()))
    assert sorted(range(3), key=errors.__getitem__) == sorted(range(3), key=coordinates.__getitem__)


def test_normalisation_is_undone_exactly() -> None:
    network, _ = tokenizer()
    motion = toy_clips(3, seed=5).motion
    assert motion is not None
    torch.testing.assert_close(network.normaliser.inverse(network.normaliser(motion)), motion, atol=1e-5, rtol=1e-4)
