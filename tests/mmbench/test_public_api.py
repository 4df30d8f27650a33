"""The front door is light: nothing heavy is loaded before it is needed."""

import subprocess
import sys
import time

import mmbench

HEAVY = ("torch", "transformers", "scipy", "pandas", "soundfile", "lightning", "pydantic", "rich")


def _modules_after(code: str) -> set[str]:
    shown = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(' '.join(sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(shown.stdout.split())


def test_import_loads_nothing_heavy() -> None:
    assert not _modules_after("import mmbench") & set(HEAVY)


def test_every_public_name_resolves_and_is_listed() -> None:
    for name in mmbench.__all__:
        assert getattr(mmbench, name) is not None
    assert set(dir(mmbench)) == set(mmbench.__all__)
    assert len(mmbench.__all__) <= 12


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(mmbench, "no_such_name")


def test_help_answers_quickly() -> None:
    """The target is 0.3 s; the best of several tries tells the program from a busy machine."""
    tries = []
    for _ in range(5):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "mmbench.cli", "--help"], capture_output=True, check=True)
        tries.append(time.perf_counter() - start)
    assert min(tries) < 0.3


def test_help_and_validate_never_load_torch() -> None:
    for arguments in (["evaluate", "--help"], ["validate", "submissions/nearest_text"], ["list"]):
        code = f"import sys; sys.argv = ['mmbench', *{arguments!r}]\nfrom mmbench.cli import main\n"
        code += "try:\n    main()\nexcept SystemExit: pass\n"
        assert not _modules_after(code) & {"torch", "transformers"}, arguments
