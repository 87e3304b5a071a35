"""A kind of model of our own: a Markov chain over the words of a text."""

import math
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from itertools import pairwise
from pathlib import Path

from llmaudit.errors import UsageError
from llmaudit.models.loading import LoadOptions
from llmaudit.records import (
    Capability,
    Generation,
    GenerationRequest,
    Likelihood,
    LikelihoodRequest,
    ModelFacts,
    Prompt,
    content_id,
)


def load(
    rest: str, options: LoadOptions, progress: Callable[[str], None] | None = None
) -> "MarkovModel":
    """Make the model from a text file: what ``--model markov:FILE`` calls with ``FILE``."""
    path = Path(rest)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"markov: {path} cannot be read: {error}. Name a text file.") from error
    if len(text.split()) < 2:
        raise UsageError(f"markov: {path} has fewer than two words. Name a longer text.")
    return MarkovModel(path.stem, text)


class MarkovModel:
    """Continues a prompt by words that follow each other in a text."""

    capabilities = frozenset({Capability.GENERATE, Capability.LIKELIHOOD})

    def __init__(self, name: str, text: str) -> None:
        words = text.split()
        self._vocabulary = sorted(set(words))
        self._following: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for word, following in pairwise(words):
            self._following[word][following] += 1
        self.facts = ModelFacts(
            name=name,
            source=f"markov:{name}",
            digest=content_id({"kind": "markov", "version": 1, "text": text}),
            kind="markov",
            architecture="first-order Markov chain over words",
            parameters=sum(len(counts) for counts in self._following.values()),
            training_data=f"{len(words)} words of {name}",
            likelihood_definition="Sum of log p(word | word before it), with add-one smoothing.",
        )

    def format_prompt(self, prompt: Prompt) -> str:
        """Return the text to continue: this model knows no chat."""
        return prompt.plain

    def generate(
        self, requests: Sequence[GenerationRequest], *, done: AbstractSet[str] = frozenset()
    ) -> Iterator[Generation]:
        """Yield one sample for every request that is not done."""
        for request in requests:
            if request.id not in done:
                yield self._sample(request)

    def likelihood(
        self, requests: Sequence[LikelihoodRequest], *, done: AbstractSet[str] = frozenset()
    ) -> Iterator[Likelihood]:
        """Yield the log-probability of one choice for every request that is not done."""
        for request in requests:
            if request.id not in done:
                words = request.prompt.choices[request.choice].split()
                before = [*self.format_prompt(request.prompt).split()[-1:], *words]
                pairs = pairwise(before)
                yield Likelihood(
                    request_id=request.id,
                    prompt_id=request.prompt.id,
                    choice=request.choice,
                    logprob=sum(self._logprob(*pair) for pair in pairs),
                    tokens=len(words),
                )

    def _sample(self, request: GenerationRequest) -> Generation:
        """Draw from a generator of the request's own, so that the order never matters."""
        draw = random.Random(f"{request.seed}:{request.prompt.id}:{request.sample_index}")  # noqa: S311
        sent = self.format_prompt(request.prompt).split()
        words = sent[-1:]
        while len(words) <= request.decoding.max_new_tokens:
            counts = self._following.get(words[-1]) if words else None
            words.append(
                self._choose(counts, request.decoding.temperature, draw)
                if counts
                else draw.choice(self._vocabulary)
            )
        new = words[-request.decoding.max_new_tokens :]
        return Generation(
            request_id=request.id,
            prompt_id=request.prompt.id,
            sample_index=request.sample_index,
            text=" ".join(new),
            finish="length",
            prompt_tokens=len(sent),
            new_tokens=len(new),
        )

    @staticmethod
    def _choose(counts: Counter[str], temperature: float, draw: random.Random) -> str:
        if temperature == 0:
            return max(sorted(counts), key=counts.__getitem__)
        words = sorted(counts)
        weights = [counts[word] ** (1 / temperature) for word in words]
        return draw.choices(words, weights)[0]

    def _logprob(self, before: str, word: str) -> float:
        counts = self._following.get(before, Counter())
        return math.log((counts[word] + 1) / (counts.total() + len(self._vocabulary) + 1))
