"""Turns a GGUF file into a plain model folder that loads in a second, once, in the cache.

transformers reads GGUF files slowly and keeps their blocks quantised; the audit needs ordinary
float32 weights. The converted folder says where it comes from, and is checked against the hashes
of what was written each time it is used.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from llmaudit.errors import AuditError, ModelError
from llmaudit.fetching import build_folder, sha256_file
from llmaudit.resources import cache_dir

ORIGIN_FILE = "llmaudit-origin.json"
_FORMAT = 1
#: Keys of the same table that are no language models which go on from a text.
_NO_ARCHITECTURES = frozenset({"general", "t5", "tokenizer", "umt5"})


@dataclass(frozen=True)
class GgufOrigin:
    """Where a converted folder comes from.

    Attributes
    ----------
    format : int
        Version of this record and of the way of converting.
    gguf, gguf_sha256, gguf_size : str, str, int
        The file that was converted.
    quantisation : str
        The file's own name for its mix, for example ``Q4_1``; ``unknown`` where it has none.
    tensor_types : mapping of str to int
        How many tensors are stored in which type.
    name, licence, pre_tokenizer : str
        What the file says of its model; ``unknown`` where it says nothing.
    transformers : str
        The version that converted it.
    files : mapping of str to str
        SHA-256 of every file of the folder besides this record.
    """

    format: int
    gguf: str
    gguf_sha256: str
    gguf_size: int
    quantisation: str
    tensor_types: Mapping[str, int]
    name: str
    licence: str
    pre_tokenizer: str
    transformers: str
    files: Mapping[str, str]


def converted_folder(gguf: Path) -> Path:
    """Return where the cache keeps the converted form of a GGUF file, by content and version."""
    key = f"{sha256_file(gguf)[:12]}-transformers-{version('transformers')}-{_FORMAT}"
    return cache_dir() / "converted" / f"{gguf.stem}-{key}"


def convert_gguf(
    gguf: Path, target: Path | None = None, *, progress: Callable[[str], None] | None = None
) -> Path:
    """Return a folder with the weights of a GGUF file as float32 safetensors, made if need be.

    Parameters
    ----------
    gguf : Path
        The GGUF file.
    target : Path, optional
        Where the folder shall lie; :func:`converted_folder` by default.
    progress : callable, optional
        Is told what happens in a few words.

    Raises
    ------
    ModelError
        If the file is no GGUF file, or holds a model that transformers cannot read.
    UnavailableError
        If the folder cannot be written.
    """
    if not gguf.is_file():
        raise ModelError(f"{gguf} is not a file.")
    folder = converted_folder(gguf) if target is None else target
    digest = sha256_file(gguf)

    def build(built: Path) -> None:
        if progress is not None:
            progress(f"converting {gguf.name} to plain weights (once)")
        try:
            facts = _read_facts(gguf)
            _check_architecture(gguf, facts.pop("architecture"))
            _convert(gguf, built, str(facts["pre_tokenizer"]))
        except (AuditError, OSError):
            raise
        except Exception as error:
            raise ModelError(
                f"{gguf} cannot be converted: {error}. It may be damaged or of an architecture "
                f"that transformers cannot read from GGUF; use the model's safetensors instead."
            ) from error
        origin = GgufOrigin(
            format=_FORMAT,
            gguf=gguf.name,
            gguf_sha256=digest,
            gguf_size=gguf.stat().st_size,
            transformers=version("transformers"),
            files={file.name: sha256_file(file) for file in sorted(built.iterdir())},
            **facts,
        )
        (built / ORIGIN_FILE).write_text(json.dumps(asdict(origin), indent=1), "utf-8")

    return build_folder(folder, build=build, is_complete=lambda: _is_intact(folder, digest))


def read_origin(folder: Path) -> GgufOrigin | None:
    """Return where a converted folder comes from; None for a folder that was not converted."""
    try:
        stored = json.loads((folder / ORIGIN_FILE).read_text("utf-8"))
        return GgufOrigin(**stored) if stored["format"] == _FORMAT else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _is_intact(folder: Path, gguf_sha256: str) -> bool:
    """Say whether the folder was made from this GGUF file and holds exactly what was written."""
    origin = read_origin(folder)
    if origin is None or origin.gguf_sha256 != gguf_sha256:
        return False
    try:
        found = {file.name: sha256_file(file) for file in folder.iterdir()}
    except OSError:
        return False
    found.pop(ORIGIN_FILE, None)
    return found == origin.files


def known_architectures() -> tuple[str, ...]:
    """Return the architectures of language models that transformers reads from GGUF files."""
    from transformers.modeling_gguf_pytorch_utils import GGUF_SUPPORTED_ARCHITECTURES

    return tuple(sorted({str(name) for name in GGUF_SUPPORTED_ARCHITECTURES} - _NO_ARCHITECTURES))


def _check_architecture(gguf: Path, name: str) -> None:
    """Refuse an architecture that cannot be read, and name those that can."""
    known = known_architectures()
    if _letters(name) not in map(_letters, known):
        raise ModelError(
            f"{gguf} holds a model of the architecture {name!r:.60}, which cannot be read from "
            f"GGUF here. Those that can: {', '.join(known)}. Use the model's safetensors instead."
        )


def _letters(name: str) -> str:
    """Return a name without the marks that GGUF and transformers part its words with."""
    return name.replace("-", "").replace("_", "")


def _read_facts(gguf: Path) -> dict[str, Any]:
    """Read what the GGUF file says of itself."""
    from gguf import GGUFReader, LlamaFileType

    reader = GGUFReader(gguf)

    def field(key: str) -> Any:
        found = reader.get_field(key)
        return None if found is None else found.contents()

    kind = field("general.file_type")
    known = {item.value: item.name for item in LlamaFileType}
    return {
        "architecture": str(field("general.architecture") or "unknown"),
        "quantisation": known.get(kind, "unknown").removeprefix("MOSTLY_").removeprefix("ALL_"),
        "tensor_types": dict(Counter(tensor.tensor_type.name for tensor in reader.tensors)),
        "name": str(field("general.name") or "unknown"),
        "licence": str(field("general.license") or "unknown"),
        "pre_tokenizer": str(field("tokenizer.ggml.pre") or "unknown"),
    }


def _convert(gguf: Path, folder: Path, pre_tokenizer: str) -> None:
    """Let transformers read the file as float32 and write it as a plain folder."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    source: dict[str, Any] = {
        "pretrained_model_name_or_path": str(gguf.parent),
        "gguf_file": gguf.name,
        "local_files_only": True,
    }
    # The progress bars of the GGUF reader cannot be switched off.
    with contextlib.redirect_stderr(io.StringIO()):
        tokenizer = AutoTokenizer.from_pretrained(**source)
        _correct_pre_tokenizer(tokenizer, pre_tokenizer)
        tokenizer.save_pretrained(folder)
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            **source,
            dtype=torch.float32,
            quantization_config=GgufConfig(dequantize=True),
            output_loading_info=True,
        )
        model, loading = loaded
        missing = sorted(str(name) for name in loading["missing_keys"])
        if missing:
            raise ModelError(
                f"{gguf} lacks {len(missing)} of the weights of a {type(model).__name__}, "
                f"{missing[0]!r} among them: it is incomplete, or of another architecture."
            )
        model.save_pretrained(folder)
    _drop_machine_paths(folder / "config.json")


def _correct_pre_tokenizer(tokenizer: Any, name: str) -> None:
    """Split texts before the tokenizer's merges as the model was trained to.

    transformers gives every byte-level tokenizer from GGUF the splitting of GPT-2. SmolLM also
    parts every digit from what stands before it, which changes the tokens of white space there.
    """
    if name != "smollm":
        return
    from tokenizers import pre_tokenizers

    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )


def _drop_machine_paths(config: Path) -> None:
    """Remove from the configuration how the model was loaded here."""
    stored = json.loads(config.read_text("utf-8"))
    for key in ("_name_or_path", "quantization_config"):
        stored.pop(key, None)
    config.write_text(json.dumps(stored, indent=2, sort_keys=True) + "\n", "utf-8")
