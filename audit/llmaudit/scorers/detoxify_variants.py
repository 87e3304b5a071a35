"""Detoxify's variants: what each of them is made of, and the names of the scorers for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmaudit.errors import UnknownNameError, UsageError

OPTION = "--detoxify-checkpoint"
MAIN_LABEL = "toxicity"
DTYPES = ("float32", "bfloat16")
"""The number formats in which the matrix products can be made."""

_WIKIPEDIA = {
    "id": "Jigsaw Toxic Comment Classification Challenge (Wikipedia comments)",
    "licence": "CC0-1.0, the text CC-BY-SA-3.0",
}
_CIVIL = {
    "id": "Jigsaw Unintended Bias in Toxicity Classification (Civil Comments)",
    "licence": "CC0-1.0",
}
_TRANSLATED = {
    "id": "both, translated by machine into French, Spanish, Italian, Portuguese, Turkish, Russian",
    "licence": "as of the originals",
}

_RELEASES = "https://github.com/unitaryai/detoxify/releases/download/"
_ORIGINAL = ("toxicity", "severe_toxicity", "obscene", "threat", "insult", "identity_attack")
_UNBIASED = (*_ORIGINAL, "sexual_explicit")


@dataclass(frozen=True, slots=True)
class Base:
    """The published model that a checkpoint was trained from: its kind and its revision."""

    name: str
    kind: str
    revision: str


@dataclass(frozen=True, slots=True)
class Variant:
    """One released checkpoint: its file, where it is published, its base, languages and labels.

    ``sha256`` is the published file's where somebody has told it; else the eight digits in the
    file's name, which the project made of it, are all that is known. ``size`` is in bytes.
    """

    file: str
    release: str
    base: Base
    languages: tuple[str, ...]
    labels: tuple[str, ...]
    sha256: str = ""
    size: int = 0

    @property
    def training(self) -> tuple[Mapping[str, str], ...]:
        """The public sets that it was trained on, as its makers name them, with their licences."""
        if len(self.languages) > 1:
            return (_WIKIPEDIA, _CIVIL, _TRANSLATED)
        return (_WIKIPEDIA,) if self.labels == _ORIGINAL else (_WIKIPEDIA, _CIVIL)

    @property
    def url(self) -> str:
        """Where the checkpoint is published."""
        return f"{_RELEASES}{self.release}/{self.file}"

    @property
    def pin(self) -> str:
        """What the SHA-256 of the file begins with: all of it, or the digits of its name."""
        return self.sha256 or Path(self.file).stem.rpartition("-")[2]


_BERT = Base("bert-base-uncased", "Bert", "86b5e0934494bd15c9632b12f734a8a67f723594")
_ROBERTA = Base("roberta-base", "Roberta", "e2da8e2f811d1448a5b465c236feacd80ffbac7b")
_XLMR = Base("xlm-roberta-base", "XLMRoberta", "e73636d4f797dec63c3081bb6ed5c7b0bb3f2089")
_ALBERT = Base("albert-base-v2", "Albert", "8e2f239c5f8a2c0f253781ca60135db913e5c80c")

VARIANTS: Mapping[str, Variant] = {
    "original": Variant(
        "toxic_original-c1212f89.ckpt", "v0.1-alpha", _BERT, ("en",), _ORIGINAL,
        "c1212f89ac23307ab33932ce29dc446a6e030fb3f384a500890bbe662b7b544a", 438_021_897,
    ),
    "unbiased": Variant(
        "toxic_debiased-c7548aa0.ckpt", "v0.3-alpha", _ROBERTA, ("en",), _UNBIASED,
        "c7548aa09468726af4cfdd0959912467784de4a076786913ada9f0f21b68f60d", 498_707_273,
    ),
    "multilingual": Variant(
        "multilingual_debiased-0b549669.ckpt", "v0.4-alpha", _XLMR,
        ("en", "fr", "es", "it", "pt", "tr", "ru"), _UNBIASED,
    ),
    "original-small": Variant(
        "original-albert-0e1d6498.ckpt", "v0.1.2", _ALBERT, ("en",), _ORIGINAL
    ),
    "unbiased-small": Variant(
        "unbiased-albert-c8519128.ckpt", "v0.1.2", _ALBERT, ("en",), _UNBIASED
    ),
}  # fmt: skip
"""Every variant of the detoxify library, by its name there; where the pins come from is in
docs/scorers.md."""


def find_variant(name: str) -> Variant:
    """Return a variant by its name.

    Raises
    ------
    UnknownNameError
        If detoxify has no such variant.
    """
    if name not in VARIANTS:
        raise UnknownNameError("detoxify variant", name, VARIANTS)
    return VARIANTS[name]


def scorer_name(variant: str, label: str = MAIN_LABEL) -> str:
    """Return the name of a scorer.

    Examples
    --------
    >>> scorer_name("original"), scorer_name("unbiased", "identity_attack")
    ('detoxify', 'detoxify:unbiased#identity_attack')
    """
    name = "detoxify" if variant == "original" else f"detoxify:{variant}"
    return name if label == MAIN_LABEL else f"{name}#{label}"


def all_names() -> dict[str, tuple[str, str]]:
    """Return the variant and the class of every scorer by its name, other classes last."""
    pairs = [(name, label) for name, one in VARIANTS.items() for label in one.labels]
    pairs.sort(key=lambda pair: pair[1] != MAIN_LABEL)
    return {scorer_name(*pair): pair for pair in pairs}


def variant_of(scorer: str) -> str | None:
    """Return which variant a scorer's name means; None for a scorer that is not Detoxify's.

    Examples
    --------
    >>> variant_of("detoxify"), variant_of("detoxify:unbiased#threat"), variant_of("toxicity")
    ('original', 'unbiased', None)
    """
    kind, _, variant = scorer.partition("#")[0].partition(":")
    return (variant or "original") if kind == "detoxify" else None


def assign_checkpoints(given: Sequence[str], scorers: Iterable[str]) -> dict[str, Path]:
    """Return which of the scorers reads which of the given checkpoint files.

    Parameters
    ----------
    given : sequence of str
        ``FILE`` or ``VARIANT=FILE``. A file without a variant is for the one whose published name
        it has, else for the only one that is asked for.
    scorers : iterable of str
        Those that are asked for.

    Raises
    ------
    UsageError
        If a file is not there, or it cannot be told which scorer is to read it.
    """
    variants = {name: variant for name in scorers if (variant := variant_of(name)) is not None}
    files: dict[str, Path] = {}
    for one in given:
        variant, path = _split_checkpoint(one, set(variants.values()))
        if variant in files:
            raise UsageError(f"{OPTION}: two files for {variant}: {files[variant]} and {path}")
        files[variant] = path
    return {name: files[variant] for name, variant in variants.items() if variant in files}


def detoxify_options(
    scorers: Iterable[str], checkpoints: Sequence[str], dtype: str = "float32"
) -> dict[str, dict[str, Any]]:
    """Return the options by which each of Detoxify's scorers is loaded, where it has any.

    Parameters
    ----------
    scorers : iterable of str
        Those that are asked for.
    checkpoints : sequence of str
        See :func:`assign_checkpoints`.
    dtype : str
        One of ``DTYPES``.
    """
    names = list(scorers)
    found: dict[str, dict[str, Any]] = {
        name: {"checkpoint": path} for name, path in assign_checkpoints(checkpoints, names).items()
    }
    if dtype != DTYPES[0]:
        for name in names:
            if variant_of(name) is not None:
                found.setdefault(name, {})["dtype"] = dtype
    return found


def _split_checkpoint(given: str, asked: set[str]) -> tuple[str, Path]:
    """Return the variant that a checkpoint is for, and its path."""
    named, equals, rest = given.partition("=")
    variant, file = (named, rest) if equals and named in VARIANTS else ("", given)
    path = Path(file).expanduser()
    if not path.is_file():
        raise UsageError(f"{OPTION}: {path} is not a file")
    published = [name for name, one in VARIANTS.items() if one.file == path.name]
    variant = variant or next(iter(published), "") or (next(iter(asked)) if len(asked) == 1 else "")
    if not variant:
        raise UsageError(
            f"{OPTION}: which variant is {path}? Give it as VARIANT=FILE, with one of "
            f"{', '.join(VARIANTS)}, and the scorer with --scorer"
        )
    if variant not in asked:
        raise UsageError(
            f"{OPTION}: {path} is for {variant}, and no scorer that is asked for reads it. Add "
            f"--scorer {scorer_name(variant)}"
        )
    return variant, path
