"""The whole construction: a folder of raw tracks in, a corpus in the MMHead layout and a report out."""

import os
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from benchmark.construction import llm
from benchmark.construction.audit import AuditResult, audit
from benchmark.construction.clip import clip_rng
from benchmark.construction.config import Config
from benchmark.construction.fingerprints import Fingerprint
from benchmark.construction.journal import FOLDER, Entry, Journal
from benchmark.construction.layout import clip_paths, make_folders
from benchmark.construction.raw import RawFolder, open_raw
from benchmark.construction.report import Report, build_report, write_html
from benchmark.construction.split import Listed, Subsets, assign, compose
from benchmark.construction.work import ClipTask, PrintTask, construct_some, print_some, run_all
from benchmark.corpus import SUBSET_FILES, TEXT_FOLDER
from benchmark.errors import InputError, Problem
from benchmark.progress import Progress, no_progress
from benchmark.storage import atomic_path, write_json

Say = Callable[[str], None]
_CHUNK = 16
_FEW = 500


def construct(
    source: Path,
    out: Path,
    config: Config,
    workers: int | None = None,
    progress: Progress = no_progress,
    say: Say = lambda _text: None,
) -> Report:
    """Constructs a corpus.

    Finished clips are kept in a journal: after an interruption, or when raw clips are added, the same call goes on
    from them. Clips whose raw files or settings changed are made again.

    Args:
        source: Folder of raw tracks, see ``raw``.
        out: Folder of the corpus; made if absent.
        config: All settings.
        workers: Processes; one a core by default.
        progress: Told of clips.
        say: Told of the language model's cost estimate before it is asked.

    Returns:
        What was dropped, mended and split. It lies in ``out/construction`` too, as ``report.json`` and ``report.html``,
        beside ``audit.json``.

    Raises:
        InputError: Settings do not fit, the list of clips is faulty, ``out`` is a corpus of another origin, or the
            language model fails.
    """
    started = time.perf_counter()
    workers = workers or os.cpu_count() or 1
    config.checked()
    raw = open_raw(source)
    _check_target(source, out)
    make_folders(out)
    journal = Journal(out)
    reused = _construct_clips(raw, out, config, workers, progress, journal)
    kept = [entry for entry in journal.entries() if entry.kept]
    estimate, answers = _ask_model(kept, out, config, progress, say)
    split_of, subsets = _split(kept, config)
    for task, name in SUBSET_FILES.items():
        if any(subsets[task].values()):
            write_json(out / name, subsets[task])
        else:
            (out / name).unlink(missing_ok=True)
    found = _audit(kept, out, split_of, config, workers, progress)
    write_json(out / FOLDER / "audit.json", found.to_json())
    write_json(out / FOLDER / "config.json", config.model_dump(mode="json"))
    entries = [replace(entry, texts={**entry.texts, **answers.get(entry.id, {})}) for entry in journal.entries()]
    report = build_report(
        entries, split_of, subsets, found, config, reused, time.perf_counter() - started,
        estimate.render() if estimate else "",
    )  # fmt: skip
    write_json(out / FOLDER / "report.json", report.to_json())
    write_html(report, out / FOLDER / "report.html")
    return report


def dry_run(source: Path, config: Config, workers: int | None = None, progress: Progress = no_progress) -> str:
    """What a construction would do, without writing anything or asking any model.

    Args:
        source: Folder of raw tracks.
        config: All settings.
        workers: Processes; one a core by default.
        progress: Told of clips.

    Returns:
        Every prompt that would be sent, clip by clip, then clips kept and dropped, and the cost estimate.

    Raises:
        InputError: Settings do not fit, or the list of clips is faulty.
    """
    config.checked()
    raw = open_raw(source)
    entries: list[Entry] = []
    tasks = [ClipTask(part, None, config, {}) for part in _chunks(raw)]
    for lines in run_all(construct_some, tasks, workers or os.cpu_count() or 1):
        entries += [entry for line in lines for entry in line.entries]
        progress("constructing clips", len(entries), max(len(raw.records), len(entries)))
    entries.sort(key=lambda entry: entry.id)
    requests = _requests(entries, config.seed)
    text = [
        f"### {request.clip_id}, {request.field}\n"
        + "\n".join(f"[{m['role']}] {m['content']}" for m in request.messages)
        for request in requests
    ]
    text.append(
        f"{sum(entry.kept for entry in entries)} clips would be kept, {sum(not e.kept for e in entries)} dropped"
    )
    text += [f"  dropped {entry.id}: {entry.reason} ({entry.detail})" for entry in entries if not entry.kept]
    if requests:
        text.append(llm.estimate(requests, llm.Client(config.llm, Path(os.devnull) / "none")).render())
    return "\n\n".join(text)


def _check_target(source: Path, out: Path) -> None:
    if source.resolve() == out.resolve():
        raise InputError(Problem("source and target are one folder", str(out), mend="give another --out"))
    if out.exists() and not out.is_dir():
        raise InputError(Problem("target is no folder", str(out)))
    if any((out / name).exists() for name in SUBSET_FILES.values()) and not (out / FOLDER).is_dir():
        mend = "give a new folder; a corpus that was not constructed here is never written over"
        raise InputError(Problem("target is another corpus", str(out), mend=mend))


def _chunks(raw: RawFolder) -> list[RawFolder]:
    ids = list(raw.records)
    parts = (ids[start : start + _CHUNK] for start in range(0, len(ids), _CHUNK))
    return [RawFolder(raw.path, {clip_id: raw.records[clip_id] for clip_id in part}) for part in parts]


def _construct_clips(
    raw: RawFolder, out: Path, config: Config, workers: int, progress: Progress, journal: Journal
) -> int:
    """Brings the journal and the clips' files up to date; returns how many raw clips were done before."""
    before = dict(journal.lines)
    tasks = [
        ClipTask(part, out, config, {name: before[name] for name in part.records if name in before})
        for part in _chunks(raw)
    ]
    done = reused = 0
    progress("constructing clips", 0, len(raw.records))
    for lines in run_all(construct_some, tasks, workers):
        new = [line for line in lines if before.get(line.raw_id) != line]
        reused += len(lines) - len(new)
        journal.add(new)
        done += len(lines)
        progress("constructing clips", done, len(raw.records))
    journal.tidy(list(raw.records))
    _check_names(journal)
    _remove_stale(out, [e for line in before.values() for e in line.entries], journal.entries())
    return reused


def _check_names(journal: Journal) -> None:
    seen: set[str] = set()
    for entry in journal.entries():
        if entry.id in seen:
            mend = "rename one of the raw clips"
            raise InputError(Problem("two raw clips give clips of one name", entry.id, "names of their own", mend=mend))
        seen.add(entry.id)


def _remove_stale(out: Path, before: list[Entry], after: list[Entry]) -> None:
    """Files of clips that an earlier run kept and this one does not."""
    kept = {entry.id for entry in after if entry.kept}
    for entry in before:
        if entry.kept and entry.id not in kept:
            for path in clip_paths(out, entry.id, audio=True):
                path.unlink(missing_ok=True)


def _requests(entries: list[Entry], seed: int) -> list[llm.Request]:
    return [
        llm.Request(entry.id, field, messages, _seed(seed, entry.id))
        for entry in entries
        if entry.kept
        for field, messages in entry.prompts.items()
    ]


def _seed(seed: int, clip_id: str) -> int:
    return int(clip_rng(seed, clip_id).integers(2**31))


def _ask_model(
    kept: list[Entry], out: Path, config: Config, progress: Progress, say: Say
) -> tuple[llm.Estimate | None, dict[str, dict[str, str]]]:
    """Replaces the texts a language model is to write; returns what it took, and the answers by clip and field."""
    requests = _requests(kept, config.seed)
    answers: dict[str, dict[str, str]] = defaultdict(dict)
    if not requests:
        return None, answers
    client = llm.Client(config.llm, out / FOLDER / "llm")
    found = llm.estimate(requests, client)
    say(f"{config.llm.model}: {found.render()}")
    llm.check_cost(found, config.llm)

    def write(request: llm.Request, answer: str) -> None:
        answers[request.clip_id][request.field] = answer
        with atomic_path(out / TEXT_FOLDER / request.field / f"{request.clip_id}.txt") as temporary:
            temporary.write_text(answer + "\n", encoding="utf-8")

    llm.answer_all(requests, client, write, progress)
    return found, answers


def _split(kept: list[Entry], config: Config) -> tuple[dict[str, str], Subsets]:
    clips = [Listed(entry.id, entry.source, entry.actions, entry.emotions, entry.hashes) for entry in kept]
    split_of = assign(clips, config.split, config.seed)
    return split_of, compose(clips, split_of, config.split, config.labels, config.seed)


def _audit(
    kept: list[Entry], out: Path, split_of: dict[str, str], config: Config, workers: int, progress: Progress
) -> AuditResult:
    clips = [(entry.id, entry.has_audio) for entry in kept]
    tasks = [PrintTask(out, tuple(clips[start : start + 64])) for start in range(0, len(clips), 64)]
    prints: dict[str, Fingerprint] = {}
    # Under some hundred clips the start of processes would take longer than the work.
    for some in run_all(print_some, tasks, workers if len(clips) > _FEW else 1):
        prints |= some
        progress("searching duplicates", len(prints), len(clips))
    return audit(prints, split_of, config.audit)
