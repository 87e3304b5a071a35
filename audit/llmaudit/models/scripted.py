"""A model that answers from a table and fails where it is told to: for tests and for users' CI.

``--model scripted:FILE`` loads it from a YAML file::

    format: 1
    name: polite                      # how reports call it
    chat: true                        # false: prompted with the plain text, like a base model
    seed: 0                           # another seed, other draws
    capabilities: [generate, likelihood]
    answers:                          # the first rule that matches a request decides
      - match: {probe_set: "toxicity-*", group: woman}
        texts: ["Thank you.", "A kind word costs nothing."]
        weights: [9, 1]               # nine times as often the first
      - match: {prompt: "*bank robbery*"}
        samples: [0]                  # only for these sample indexes
        fault: nan
      - texts: ["I would rather not say."]
    likelihoods:
      - match: {probe_set: hiring-decisions, axis: gender}
        logprobs: {"yes": -0.5, "no": -1.5}
        noise: 0.3                    # standard deviation of what is added to each
      - logprobs: {"*": -2.0}

``match`` holds ``fnmatch`` patterns for the prompt's ``probe_set``, ``template``, ``axis``,
``group`` (both empty where the probe set names none) and for the text itself as it is sent
(``prompt``); all that are given must match. One of several texts is drawn by (script's seed, run's
seed, prompt id, sample index), so that it does not depend on the order of requests, each as often
as its weight says; at temperature 0 it is always the first. ``logprobs`` maps patterns of choice
labels to natural logarithms; ``noise`` adds a normal draw by (script's seed, prompt id, choice) to
each, and what comes out above 0 is 0. So a disparity of a known size can be planted. A request that
no rule matches comes back as ``unsupported``. The faults:

=================  =============================================================================
``empty``          an empty answer, which is no error (answers only)
``error``          an error of kind ``exception``
``nan``            an error of kind ``nan_logits``
``too_long``       an error of kind ``too_long``
``out_of_memory``  an error of kind ``out_of_memory``
``unsupported``    an error of kind ``unsupported``
``raise``          the model itself breaks: a ``RuntimeError`` is raised instead of a result
=================  =============================================================================
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from fnmatch import fnmatchcase
from itertools import accumulate
from pathlib import Path
from statistics import NormalDist
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from llmaudit.models.base import failed_generation, failed_likelihood, is_chat
from llmaudit.records import (
    Capability,
    ErrorKind,
    Generation,
    GenerationRequest,
    Likelihood,
    LikelihoodRequest,
    ModelFacts,
    Prompt,
    RequestError,
    WeightFile,
    content_id,
)
from llmaudit.yamlfile import load_yaml

LIKELIHOOD_DEFINITION = "Scripted: read from a table; one token per word of the choice's text."
_KINDS = {
    "error": ErrorKind.EXCEPTION,
    "nan": ErrorKind.NAN_LOGITS,
    "too_long": ErrorKind.TOO_LONG,
    "out_of_memory": ErrorKind.OUT_OF_MEMORY,
    "unsupported": ErrorKind.UNSUPPORTED,
}
Fault = Literal["error", "nan", "too_long", "out_of_memory", "unsupported", "raise"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Match(_Strict):
    """Patterns that a request's prompt must all match."""

    probe_set: str = "*"
    template: str = "*"
    axis: str = "*"
    group: str = "*"
    prompt: str = "*"

    def accepts(self, prompt: Prompt, sent: str) -> bool:
        """Say whether ``prompt``, sent as the text ``sent``, matches every pattern."""
        pairs = (
            (prompt.probe_set, self.probe_set),
            (prompt.template_id, self.template),
            (prompt.axis or "", self.axis),
            (prompt.group or "", self.group),
            (sent, self.prompt),
        )
        return all(fnmatchcase(text, pattern) for text, pattern in pairs)


class AnswerRule(_Strict):
    """What to answer, or how to fail, where ``match`` accepts the prompt."""

    match: Match = Match()
    samples: tuple[Annotated[int, Field(ge=0)], ...] | None = None
    texts: tuple[str, ...] = ()
    weights: tuple[Annotated[float, Field(gt=0, allow_inf_nan=False)], ...] = ()
    fault: Fault | Literal["empty"] | None = None

    @model_validator(mode="after")
    def _check_one(self) -> AnswerRule:
        if bool(self.texts) == (self.fault is not None):
            raise ValueError("give either texts or a fault")
        if self.weights and len(self.weights) != len(self.texts):
            raise ValueError(f"{len(self.weights)} weights for {len(self.texts)} texts")
        return self

    def choose(self, draw: float) -> str:
        """Return the text that a uniform draw from [0, 1) falls on."""
        weights = self.weights or (1.0,) * len(self.texts)
        reached = list(accumulate(weights))
        return self.texts[bisect_right(reached, draw * reached[-1], hi=len(reached) - 1)]


class LikelihoodRule(_Strict):
    """What log-probabilities to give, or how to fail, where ``match`` accepts the prompt."""

    match: Match = Match()
    logprobs: dict[str, Annotated[float, Field(le=0, allow_inf_nan=False)]] = {}
    noise: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    fault: Fault | None = None

    @model_validator(mode="after")
    def _check_one(self) -> LikelihoodRule:
        if bool(self.logprobs) == (self.fault is not None):
            raise ValueError("give either logprobs or a fault")
        return self

    def logprob(self, label: str) -> float | None:
        """Return the log-probability of the first pattern that matches the label."""
        return next(
            (v for pattern, v in self.logprobs.items() if fnmatchcase(label, pattern)), None
        )


class Script(_Strict):
    """The whole table."""

    format: Literal[1]
    name: Annotated[str, Field(min_length=1)]
    chat: bool = True
    seed: Annotated[int, Field(ge=0)] = 0
    capabilities: tuple[Capability, ...] = (Capability.GENERATE, Capability.LIKELIHOOD)
    answers: tuple[AnswerRule, ...] = ()
    likelihoods: tuple[LikelihoodRule, ...] = ()


class ScriptedModel:
    """A model under audit whose every result stands in a table.

    Parameters
    ----------
    script : Script
        The table.
    facts : ModelFacts
        What the report says of it; :func:`load_scripted_model` makes them from the file.
    """

    def __init__(self, script: Script, facts: ModelFacts) -> None:
        self.facts = facts
        self.capabilities = frozenset(script.capabilities)
        self._script = script

    def format_prompt(self, prompt: Prompt) -> str:
        """Return the turns as ``role: content`` lines, or the plain text."""
        if not is_chat(prompt, chat_model=self._script.chat):
            return prompt.plain
        turns = (f"{message.role}: {message.content}\n" for message in prompt.messages)
        return f"{''.join(turns)}assistant:"

    def generate(
        self, requests: Sequence[GenerationRequest], *, done: AbstractSet[str] = frozenset()
    ) -> Iterator[Generation]:
        """Answer every request that is not done, in order."""
        for request in requests:
            if request.id not in done:
                yield self._answer(request)

    def likelihood(
        self, requests: Sequence[LikelihoodRequest], *, done: AbstractSet[str] = frozenset()
    ) -> Iterator[Likelihood]:
        """Look up every request that is not done, in order."""
        for request in requests:
            if request.id not in done:
                yield self._look_up(request)

    def _answer(self, request: GenerationRequest) -> Generation:
        sent = self.format_prompt(request.prompt)
        rule = self._answer_rule(request, sent)
        if rule is None or Capability.GENERATE not in self.capabilities:
            return failed_generation(request, self._fail("unsupported"))
        if rule.fault is not None and rule.fault != "empty":
            return failed_generation(request, self._fail(rule.fault))
        words = self._choose(rule, request).split(" ") if rule.texts else []
        limit = request.decoding.max_new_tokens
        return Generation(
            request_id=request.id,
            prompt_id=request.prompt.id,
            sample_index=request.sample_index,
            text=" ".join(words[:limit]),
            finish="stop" if len(words) <= limit else "length",
            prompt_tokens=len(sent.split()),
            new_tokens=min(len(words), limit),
        )

    def _choose(self, rule: AnswerRule, request: GenerationRequest) -> str:
        """Choose a text by seeds, prompt and sample index; the first when decoding is greedy."""
        if request.decoding.temperature == 0:
            return rule.texts[0]
        key = (self._script.seed, request.seed, request.prompt.id, request.sample_index)
        return rule.choose(_draw(*key))

    def _answer_rule(self, request: GenerationRequest, sent: str) -> AnswerRule | None:
        for rule in self._script.answers:
            wanted = rule.samples is None or request.sample_index in rule.samples
            if wanted and rule.match.accepts(request.prompt, sent):
                return rule
        return None

    def _look_up(self, request: LikelihoodRequest) -> Likelihood:
        sent = self.format_prompt(request.prompt)
        matching = (r for r in self._script.likelihoods if r.match.accepts(request.prompt, sent))
        rule = next(matching, None)
        if rule is not None and rule.fault is not None:
            return failed_likelihood(request, self._fail(rule.fault))
        value = rule.logprob(request.choice) if rule is not None else None
        if value is not None and rule is not None and rule.noise:
            draw = _draw(self._script.seed, request.prompt.id, request.choice)
            value = min(0.0, value + rule.noise * NormalDist().inv_cdf(draw))
        if value is None or Capability.LIKELIHOOD not in self.capabilities:
            return failed_likelihood(request, self._fail("unsupported"))
        return Likelihood(
            request_id=request.id,
            prompt_id=request.prompt.id,
            choice=request.choice,
            logprob=value,
            tokens=max(1, len(request.prompt.choices[request.choice].split())),
        )

    def _fail(self, fault: Fault) -> RequestError:
        if fault == "raise":
            raise RuntimeError(f"{self.facts.name} breaks here, as its script says")
        message = f"{self.facts.name}: {fault}, as its script says"
        return RequestError(kind=_KINDS[fault], message=message)


def load_scripted_model(path: Path) -> ScriptedModel:
    """Read a scripted model from its YAML file.

    Raises
    ------
    llmaudit.errors.InvalidFileError
        If the file breaks its format.
    """
    script = load_yaml(path, Script)
    content = path.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    facts = ModelFacts(
        name=script.name,
        source=f"scripted:{path.name}",
        digest=content_id({"kind": "scripted", "sha256": sha256}),
        kind="scripted",
        architecture="table",
        family="scripted",
        revision=sha256[:12],
        licence="not applicable",
        training_data="none: every answer stands in the file",
        weight_format="YAML",
        weights=(WeightFile(name=path.name, size=len(content), sha256=sha256),),
        dtype="not applicable",
        device="not applicable",
        chat_format="role: content lines" if script.chat else "plain text",
        likelihood_definition=LIKELIHOOD_DEFINITION,
        notes=("A scripted model: its results say nothing about any language model.",),
    )
    return ScriptedModel(script, facts)


def _draw(*key: int | str) -> float:
    """Return a number strictly between 0 and 1 that depends on the key alone."""
    digest = hashlib.sha256(":".join(map(str, key)).encode()).digest()
    return (int.from_bytes(digest[:6], "big") + 0.5) / 2**48
