"""What an audit is told to do: its own options, suites and policies. Unknown keys are errors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from llmaudit import resources
from llmaudit.budgets import Budget
from llmaudit.errors import UnknownNameError
from llmaudit.policies import Check, Coverage, FilePart, Identifier, Policy, Sentence
from llmaudit.yamlfile import load_yaml

__all__ = [
    "AuditConfig",
    "Check",
    "Coverage",
    "Policy",
    "Suite",
    "SuiteEntry",
    "as_plain",
    "list_shipped",
    "load_policy",
    "load_suite",
]


class SuiteEntry(FilePart):
    """One probe set of a suite: how many samples per prompt, and how long each may be.

    ``id`` is a shipped probe set, or the path of a ``.yaml`` file seen from the suite's folder.
    ``samples`` and ``max_new_tokens`` concern ``generate`` sets; ``choices`` sets ignore both.
    ``limit`` caps the prompts of this set, as ``--limit`` does those of every set.
    """

    id: Annotated[str, Field(pattern=r"^([a-z0-9][a-z0-9-]*|.+\.yaml)$", max_length=500)]
    samples: Annotated[int, Field(ge=1, le=1_000)] = 1
    max_new_tokens: Annotated[int, Field(ge=1, le=8_192)] = 48
    limit: Annotated[int, Field(ge=1)] | None = None


class Suite(FilePart):
    """A named list of probe sets, sample sizes and scorers (``probes/suites/``)."""

    format: Literal[1]
    id: Identifier
    title: Sentence
    version: Sentence
    description: Sentence
    covers: tuple[Sentence, ...]
    does_not_cover: tuple[Sentence, ...]
    probe_sets: Annotated[tuple[SuiteEntry, ...], Field(min_length=1)]
    scorers: Annotated[tuple[str, ...], Field(min_length=1)]
    temperature: Annotated[float, Field(ge=0, le=5)] = 1.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0

    @model_validator(mode="after")
    def _unique(self) -> Self:
        ids = [entry.id for entry in self.probe_sets]
        repeated = sorted({name for name in ids if ids.count(name) > 1})
        if repeated:
            raise ValueError(f"probe set named twice: {', '.join(repeated)}")
        return self


class AuditConfig(BaseModel):
    """Everything ``run_audit`` needs; what is None comes from the suite.

    ``samples``, ``max_new_tokens`` and ``temperature`` override the suite for every probe set.
    ``limit`` caps the prompts per probe set. ``batch_tokens`` is the token budget of one batch.
    ``base_url``, ``concurrency`` and ``request_timeout`` (seconds) concern models on servers.
    ``engine`` ``vllm`` divides layers over ``tensor_parallel`` GPUs.
    ``locked`` is a policy lock; a run that differs from it is refused.
    ``detoxify_checkpoint`` holds files, each as ``FILE`` or ``VARIANT=FILE``; ``detoxify_dtype``
    says how Detoxify's scorers multiply.
    ``scorer_cards`` are cards of checkpoints that score; ``judge`` is a model that scores by
    ``rubrics``, on the server ``judge_base_url`` if it is on one.
    ``until_settled`` asks in rounds, and only on where a check is open, within ``budget``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: Annotated[str, Field(min_length=1)]
    suite: str = "quick"
    policy: str = "default"
    scorers: tuple[str, ...] = ()
    detoxify_checkpoint: tuple[str, ...] = ()
    detoxify_dtype: Literal["float32", "bfloat16"] = "float32"
    scorer_cards: tuple[Path, ...] = ()
    judge: Annotated[str, Field(min_length=1)] | None = None
    judge_base_url: str | None = None
    rubrics: tuple[str, ...] = ()
    out: Path | None = None
    samples: Annotated[int, Field(ge=1, le=1_000)] | None = None
    max_new_tokens: Annotated[int, Field(ge=1, le=8_192)] | None = None
    temperature: Annotated[float, Field(ge=0, le=5)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    limit: Annotated[int, Field(ge=1)] | None = None
    device: str = "auto"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    batch_tokens: Annotated[int, Field(ge=64)] = 8_192
    quantize: Literal["8bit", "4bit"] | None = None
    adapter: Annotated[str, Field(min_length=1)] | None = None
    prompt_format: Literal["auto", "plain", "chat", "alpaca", "vicuna", "guanaco"] = "auto"
    allow_pickle: bool = False
    trust_remote_code: bool = False
    base_url: str | None = None
    concurrency: Annotated[int, Field(ge=1, le=256)] = 8
    request_timeout: Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)] = 300.0
    engine: Literal["transformers", "vllm"] = "transformers"
    tensor_parallel: Annotated[int, Field(ge=1, le=64)] = 1
    fresh: bool = False
    locked: Path | None = None
    until_settled: bool = False
    budget: Budget | None = None


_FileT = TypeVar("_FileT", bound=FilePart)


def _load_named(kind: str, folder: str, name_or_path: str, model: type[_FileT]) -> _FileT:
    """Load a shipped file by name, or any file by path; the two cannot be confused."""
    path = Path(name_or_path)
    if path.suffix in {".yaml", ".yml"}:
        return load_yaml(path, model)
    shipped = {file.stem: file for file in (resources.probes_dir() / folder).glob("*.yaml")}
    if name_or_path not in shipped:
        raise UnknownNameError(kind, name_or_path, shipped, "A path to a .yaml file works too.")
    return load_yaml(shipped[name_or_path], model)


def load_suite(name_or_path: str) -> Suite:
    """Return a shipped suite by name, or a suite file by its path.

    Raises
    ------
    UnknownNameError
        If no shipped suite has that name.
    InvalidFileError
        If the file breaks the format; every problem has its line.
    """
    suite = _load_named("suite", "suites", name_or_path, Suite)
    folder = Path(name_or_path).parent
    entries = tuple(
        entry.model_copy(update={"id": str(folder / entry.id)})
        if entry.id.endswith(".yaml")
        else entry
        for entry in suite.probe_sets
    )
    return suite.model_copy(update={"probe_sets": entries})


def load_policy(name_or_path: str) -> Policy:
    """Return a shipped policy by name, or a policy file by its path; raises as `load_suite`."""
    return _load_named("policy", "policies", name_or_path, Policy)


def list_shipped(folder: str) -> list[str]:
    """Return the sorted names of shipped ``suites`` or ``policies``."""
    return sorted(file.stem for file in (resources.probes_dir() / folder).glob("*.yaml"))


def as_plain(value: BaseModel) -> dict[str, Any]:
    """Return a configuration as JSON values."""
    return value.model_dump(mode="json", by_alias=True)
