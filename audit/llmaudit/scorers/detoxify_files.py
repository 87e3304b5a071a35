"""Finds Detoxify's checkpoints and the files of their base models, and checks what it finds."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from llmaudit.errors import ScorerError
from llmaudit.fetching import sha256_file
from llmaudit.resources import cache_dir
from llmaudit.scorers.detoxify_variants import OPTION, VARIANTS, Base, Variant

FOLDER_VARIABLE = "LLMAUDIT_DETOXIFY_DIR"
SIDECAR = ".sha256"
"""Ending of a file beside a checkpoint that holds its SHA-256, as ``sha256sum`` writes it."""

_HASH_DIGITS = 64
_TOKENIZER_FILES = (
    "added_tokens.json", "merges.txt", "sentencepiece.bpe.model", "special_tokens_map.json",
    "spiece.model", "tokenizer.json", "tokenizer_config.json", "vocab.json", "vocab.txt",
)  # fmt: skip
_VOCABULARIES = {
    "tokenizer.json", "vocab.txt", "vocab.json", "spiece.model", "sentencepiece.bpe.model"
}  # fmt: skip


def find_checkpoint(
    variant: Variant, given: Path | None = None, progress: Callable[[str], None] | None = None
) -> Path:
    """Return the checkpoint's file: the given one, the offline folder's, the cache's, or fetched.

    Raises
    ------
    ScorerError
        If it is nowhere and cannot be downloaded, with what to put where; or if it has the name
        of a published file and another content.
    """
    found = given or _local_checkpoint(variant)
    if found is None:
        found = cache_dir() / "detoxify" / variant.file
        _download(variant, found, progress)
    if not found.is_file():
        raise ScorerError(f"detoxify checkpoint {found} is not a file: give the path of one")
    check_pins(found)
    return found


def _local_checkpoint(variant: Variant) -> Path | None:
    """Return where the published file lies on this machine, if it does."""
    folders = (offline_folder(), cache_dir() / "detoxify")
    files = (folder / variant.file for folder in folders if folder is not None)
    return next((file for file in files if file.is_file()), None)


def offline_folder() -> Path | None:
    """Return the folder that ``LLMAUDIT_DETOXIFY_DIR`` names, if it is set."""
    named = os.environ.get(FOLDER_VARIABLE)
    return Path(named).expanduser() if named else None


def check_pins(path: Path) -> None:
    """Refuse a file that is not what its published name, or the note beside it, says.

    Raises
    ------
    ScorerError
        With both hashes.
    """
    for pin, source in _pins(path):
        found = sha256_file(path)
        if not found.startswith(pin):
            raise ScorerError(
                f"{path} is refused: its SHA-256 is {found}, but {source} {pin}. It is damaged or "
                f"another file. Fetch it again; a checkpoint of your own needs another name than "
                f"the published ones, and is given by {OPTION}."
            )


def _pins(path: Path) -> Iterator[tuple[str, str]]:
    for variant in VARIANTS.values():
        if path.name == variant.file:
            yield variant.pin, f"that of the published {variant.file} begins with"
    note = path.with_name(path.name + SIDECAR)
    if note.is_file():
        word = next(iter(note.read_text("utf-8", "replace").split()), "")
        whole = len(word) == _HASH_DIGITS
        yield word.lower() if whole else "nothing that is a SHA-256", f"{note} says"


def _download(variant: Variant, target: Path, progress: Callable[[str], None] | None) -> None:
    """Fetch a published checkpoint and note its hash beside it, so that a change will show."""
    from torch.hub import download_url_to_file

    if progress is not None:
        progress(f"fetching {variant.file} from {variant.url}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        download_url_to_file(
            variant.url, str(target), hash_prefix=variant.pin, progress=progress is not None
        )
        note = target.with_name(target.name + SIDECAR)
        note.write_text(f"{sha256_file(target)}  {target.name}\n", encoding="utf-8")
    except (OSError, RuntimeError) as error:
        raise ScorerError(
            f"the detoxify checkpoint {variant.file} is not on this machine and cannot be fetched "
            f"({error}). {_remedy(variant)}"
        ) from error


def _remedy(variant: Variant) -> str:
    return (
        f"Download {variant.url} elsewhere, put it into a folder together with a folder "
        f"{variant.base.name}/ that holds config.json and the tokenizer files of "
        f"{variant.base.name}, and set {FOLDER_VARIABLE} to that folder; or give the file by "
        f"{OPTION}, with the folder {variant.base.name}/ beside it."
    )


def describe_files(variant: Variant) -> dict[str, str]:
    """Return what a variant needs and where it lies, as words by what they are about.

    Nothing is fetched, loaded or hashed.
    """
    checkpoint, base = _local_checkpoint(variant), _local_base(variant.base, None)
    known = "of the file's hash, as others have told it" if variant.sha256 else "in the file's name"
    told = {
        "checkpoint": f"{variant.file}: {checkpoint or 'not on this machine'}",
        "from": variant.url,
        "SHA-256": f"{variant.pin} ({known})",
        "base": f"configuration and tokenizer of {variant.base.name}: "
        f"{base or 'not on this machine'}",
        "revision": variant.base.revision,
    }
    if checkpoint is None or base is None:
        told["remedy"] = _remedy(variant)
    return told


def find_base_files(variant: Variant, checkpoint: Path, given: Path | None = None) -> Path:
    """Return a folder with configuration and tokenizer of the variant's base model.

    The given folder, one of the base's name beside the checkpoint or in the offline folder, the
    checkpoint's own or the offline folder itself; else the model hub's pinned revision.

    Raises
    ------
    ScorerError
        If the given folder does not hold them, or they are nowhere and cannot be fetched.
    """
    if given is not None:
        if not _holds_base(given):
            raise ScorerError(
                f"{given} holds no config.json and tokenizer files: give the folder of "
                f"{variant.base.name}'s"
            )
        return given
    return _local_base(variant.base, checkpoint) or _fetch_base(variant.base, checkpoint)


def _local_base(base: Base, checkpoint: Path | None) -> Path | None:
    folders = [checkpoint.parent] if checkpoint is not None else []
    if (offline := offline_folder()) is not None:
        folders.append(offline)
    candidates = [*(folder / base.name for folder in folders), *folders]
    found = next((folder for folder in candidates if _holds_base(folder)), None)
    return found or _in_hub_cache(base)


def _holds_base(folder: Path) -> bool:
    names = {file.name for file in base_files(folder)}
    return "config.json" in names and bool(names & _VOCABULARIES)


def base_files(folder: Path) -> list[Path]:
    """Return the files of a base model on which scores depend, by name."""
    files = (folder / name for name in ("config.json", *_TOKENIZER_FILES))
    return [file for file in files if file.is_file()]


def _in_hub_cache(base: Base) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(base.name, "config.json", revision=base.revision)
    folder = Path(found).parent if isinstance(found, str) else None
    return folder if folder is not None and _holds_base(folder) else None


def _fetch_base(base: Base, checkpoint: Path) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(
            snapshot_download(
                base.name,
                revision=base.revision,
                allow_patterns=["config.json", *_TOKENIZER_FILES],
            )
        )
    except (OSError, ValueError) as error:
        raise ScorerError(
            f"detoxify needs config.json and the tokenizer files of {base.name} (revision "
            f"{base.revision}), which are neither in the model hub's cache nor can be fetched "
            f"({error}). Put them into a folder {base.name}/ beside {checkpoint}, or into the "
            f"folder that {FOLDER_VARIABLE} names."
        ) from error
