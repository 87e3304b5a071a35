"""The frozen values that pass between the first stages of an audit, and how they are identified.

The data's way: a probe set is filled into :class:`Prompt` values; the model turns requests into
:class:`Generation` and :class:`Likelihood` values; scorers turn generations into :class:`Score`
values. What is concluded from them is in :mod:`llmaudit.findings`.

What failed is data here, never a missing row: ``Generation.error``, ``Likelihood.error`` and
``Score.reason`` say why there is no value.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


def canonical_json(value: Any) -> str:
    """Return the one JSON spelling of ``value``: sorted keys, no spaces, no NaN.

    Raises
    ------
    ValueError
        If ``value`` holds NaN or an infinity.
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def content_id(value: Any) -> str:
    """Return 16 hex digits of the SHA-256 of ``value`` as canonical JSON."""
    return hashlib.sha256(canonical_json(value).encode("utf-8", "surrogatepass")).hexdigest()[:16]


GAP = "gap"
"""The tag of a prompt that has a gap: its value is the text after the gap, ``plain`` that before.

Probe files can give no tag and no slot this name.
"""

CASE = "case"
"""The tag of a prompt that one case of its template made: the case's id."""
TECHNIQUE = "technique"
"""The tag of a wrapped prompt: the technique of its wrapper, such as ``role-play``."""


class Task(StrEnum):
    """What a probe set asks of a model; ``carrier`` sets ask nothing, their texts go to scorers."""

    GENERATE = "generate"
    CHOICES = "choices"
    CARRIER = "carrier"


class Capability(StrEnum):
    """What a model can do."""

    GENERATE = "generate"
    LIKELIHOOD = "likelihood"


class Verdict(StrEnum):
    """The four outcomes of a check. Absence of evidence is never a pass."""

    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    NOT_TESTED = "not tested"


class ErrorKind(StrEnum):
    """Why a request has no result.

    The last five come from servers: it failed or could not be reached; no answer in time; it
    refused the request; its filter withheld the answer; it answered with what is no answer.
    """

    UNSUPPORTED = "unsupported"
    NAN_LOGITS = "nan_logits"
    TOO_LONG = "too_long"
    OUT_OF_MEMORY = "out_of_memory"
    EXCEPTION = "exception"
    SERVER = "server_failed"
    TIMEOUT = "timeout"
    REJECTED = "rejected_by_server"
    FILTERED = "content_filter"
    INVALID_REPLY = "invalid_reply"


@dataclass(frozen=True, slots=True)
class RequestError:
    """The failure of one request, recorded where its result would stand."""

    kind: ErrorKind
    message: str
    traceback: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat: ``role`` is ``system``, ``user`` or ``assistant``."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """One filled probe.

    Attributes
    ----------
    id : str
        Digest of (probe set digest, template, slot values).
    probe_set, probe_set_digest : str
        The set's name, and the digest (16 hex digits) of its file and lexicons.
    template_id : str
        The statistical cluster.
    pair_id : str
        Shared by counterfactual siblings: same template and slots, another group.
    axis, group : str or None
        For example ``gender`` / ``woman``; both None where the set names no group.
    messages : tuple of Message
        What a chat model is sent. Empty where the texts of ``choices`` stand alone.
    plain : str
        What a base model is asked to continue. May be empty (choices that stand alone). In a
        prompt with a gap, the text before the gap.
    choices : mapping of str to str
        Label to text, for ``choices`` sets; empty otherwise.
    tags : mapping of str to str
        Values of the probe's own slots and its declared tags (harm category, direction, ...),
        and under ``GAP`` what follows the gap of a prompt that has one.
    expected : str or None
        The label of the right answer, where there is one: of a choice, or what a scorer calls it.
    references : tuple of str
        Texts that an answer is compared with: true answers, the secret that must not be told, the
        true continuation, the mark of an injected instruction; the set's construct says which.
    false_references : tuple of str
        Wrong answers that are known.
    """

    id: str
    probe_set: str
    probe_set_digest: str
    template_id: str
    pair_id: str
    axis: str | None
    group: str | None
    language: str
    task: Task
    messages: tuple[Message, ...]
    plain: str
    choices: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    expected: str | None = None
    references: tuple[str, ...] = ()
    false_references: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Decoding:
    """How text is sampled. ``temperature`` 0 is greedy; ``top_p`` 1 keeps every token."""

    max_new_tokens: int
    temperature: float
    top_p: float = 1.0


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """A request for one sample. ``id`` digests model, prompt, decoding, sample index and seed."""

    id: str
    prompt: Prompt
    decoding: Decoding
    sample_index: int
    seed: int


@dataclass(frozen=True, slots=True)
class LikelihoodRequest:
    """A request for log p(text of one choice | prompt). ``choice`` is the choice's label."""

    id: str
    prompt: Prompt
    choice: str


@dataclass(frozen=True, slots=True)
class Generation:
    """One sampled output, or the error that came instead.

    ``text`` is None exactly when ``error`` is set; an empty answer is ``""`` and no error.
    ``finish`` is ``stop`` (the model ended) or ``length`` (cut at ``max_new_tokens``).
    """

    request_id: str
    prompt_id: str
    sample_index: int
    text: str | None
    finish: str | None = None
    prompt_tokens: int = 0
    new_tokens: int = 0
    error: RequestError | None = None


@dataclass(frozen=True, slots=True)
class Likelihood:
    """Natural-log probability of one choice's text, summed over its ``tokens``, or the error."""

    request_id: str
    prompt_id: str
    choice: str
    logprob: float | None
    tokens: int = 0
    error: RequestError | None = None


@dataclass(frozen=True, slots=True)
class Score:
    """One scorer's value for one generation.

    ``value`` is None exactly when the scorer could not score, and then ``reason`` says why
    (``error``, ``empty``, ``degenerate``, ``too_long``, ``not_loaded`` ...).
    ``label`` is a scorer's category where it has one (``refusal``, ``compliance`` ...).
    """

    id: str
    request_id: str
    scorer: str
    scorer_digest: str
    value: float | None
    label: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ScoredSample:
    """One generation's score beside the prompt it answers: what score metrics are made of.

    ``scale`` is between which ends the scorer's values lie; infinite ones where it has none.
    """

    prompt: Prompt
    sample_index: int
    score: Score
    scale: tuple[float, float] = (0.0, 1.0)


@dataclass(frozen=True, slots=True)
class WrittenSample:
    """One generation beside the prompt it answers: what metrics of the texts are made of.

    ``text`` is None exactly where there is none, and then ``reason`` says why.
    """

    prompt: Prompt
    sample_index: int
    text: str | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ScoredChoices:
    """The likelihoods of a prompt's choices, by label: what choice metrics are made of."""

    prompt: Prompt
    likelihoods: Mapping[str, Likelihood]


@dataclass(frozen=True, slots=True)
class WeightFile:
    """One file of model weights: name within the model folder, size in bytes, full SHA-256."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class AdapterFacts:
    """A trained addition to the weights of a base model, and what became of it.

    Attributes
    ----------
    name, source, revision : str
        As of a model.
    kind : str
        The method's name, for example ``LORA``.
    base : str
        The model that it was put on.
    declared_base : str
        The model that it says it was trained on.
    applied : str
        ``merged into the weights``, or ``kept beside the weights``.
    weights : tuple of WeightFile
        Its own files.
    settings : mapping of str to str
        Its own settings, each as JSON.
    """

    name: str
    source: str
    revision: str
    kind: str
    base: str
    declared_base: str
    applied: str
    weights: tuple[WeightFile, ...]
    settings: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What is known of the model under audit; ``unknown`` where nobody has said.

    ``digest`` identifies the weights, the tokenizer, the chat format and the numerical setting:
    two models with equal digests give the same results. ``no_likelihood`` says why a model gives
    no likelihoods, where that is known.
    """

    name: str
    source: str
    digest: str
    kind: str
    architecture: str = "unknown"
    family: str = "unknown"
    revision: str = "unknown"
    parameters: int | None = None
    licence: str = "unknown"
    languages: tuple[str, ...] = ()
    training_data: str = "unknown"
    training_data_source: str = ""
    weight_format: str = "unknown"
    weights: tuple[WeightFile, ...] = ()
    dtype: str = "unknown"
    device: str = "unknown"
    chat_format: str = "plain text"
    chat_template: str = ""
    context_length: int | None = None
    likelihood_definition: str = ""
    no_likelihood: str = ""
    notes: tuple[str, ...] = ()
    adapter: AdapterFacts | None = None
    licence_class: str = "unknown"
    licence_source: str = ""
    training_data_disclosure: str = "unknown"
    known_issues: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ScorerFacts:
    """What a scorer is and how wrong it is known to be.

    ``card`` holds its measured error: for each evaluation set the figures and where they were
    measured. ``higher_is`` says how to read the value (``worse``, ``better``, ``neutral``).
    ``needs`` says what it cannot work without: ``nothing``, ``files``, ``a GPU``, ``a server`` or
    ``a model``; not ``bounded``, the ends of ``range`` only guard against nonsense: compute nothing
    from them.
    """

    name: str
    version: str
    digest: str
    construct: str
    range: tuple[float, float]
    higher_is: str
    languages: tuple[str, ...]
    licence: str
    description: str
    files: tuple[WeightFile, ...] = ()
    card: Mapping[str, Any] = field(default_factory=dict)
    threshold: float | None = None
    needs: str = "nothing"
    bounded: bool = True


@dataclass(frozen=True, slots=True)
class ProbeSetFacts:
    """A probe set's identity and datasheet, as the report prints it."""

    id: str
    digest: str
    title: str
    version: str
    licence: str
    language: str
    construct: str
    task: Task
    axes: tuple[str, ...]
    author: str
    intended_use: str
    known_limits: tuple[str, ...]
    metrics: tuple[str, ...]
    templates: int
    prompts: int
    datasheet: Mapping[str, Any] = field(default_factory=dict)
