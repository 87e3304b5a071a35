"""A classifier of the hub at work: texts to windows to batches to probabilities."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llmaudit.errors import ScorerError
from llmaudit.scorers.asked import CheckpointFiles
from llmaudit.scorers.hub_config import SEQUENCE, HubConfig

if TYPE_CHECKING:
    import torch

BATCH_TOKENS = 4096
MOST_WINDOWS = 256
#: The length of a window where neither card, configuration nor tokenizer names one.
_USUAL_LENGTH = 512
#: How far a row's outputs may move when it is padded, before padding is given up.
_TOLERANCE = 1e-4
_CLASSES = {
    SEQUENCE: "AutoModelForSequenceClassification",
    "tokens": "AutoModelForTokenClassification",
}
_VOCABULARIES = ("tokenizer.json", "vocab*", "*.model", "*.tiktoken")
_TRIED = "The quick brown fox jumps over the lazy dog and then it rests for a while in the sun."

Window = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """The score of one window, and the output that names it."""

    value: float
    output: int


class HubNetwork:
    """Network and tokenizer of a checkpoint, read from safetensors, no code of its own run.

    Parameters
    ----------
    files : CheckpointFiles
    config : HubConfig
    max_tokens : int or None
        The most tokens of one window, where the card says so.

    Raises
    ------
    ScorerError
        If it cannot be loaded, or weights are missing, which would be filled with random numbers.
    """

    def __init__(self, files: CheckpointFiles, config: HubConfig, max_tokens: int | None) -> None:
        self._config = config
        self._device = files.device
        self._tokenizer = _load_tokenizer(files)
        self._model = _load_network(files, config)
        self._opening, self._closing = _frame(self._tokenizer)
        self.length = _longest(self._model, self._tokenizer, max_tokens)
        room = self.length - len(self._opening) - len(self._closing)
        if room < 1:
            raise ScorerError(f"{files.origin}: a window of {self.length} tokens holds no text")
        self._room = room
        pad = self._tokenizer.pad_token_id
        self._pad = 0 if pad is None else int(pad)
        self._padded = pad is not None and self._agrees(apart=True)
        self._alone = not self._padded and not self._agrees(apart=False)

    def score(self, texts: Sequence[str]) -> list[Found | int]:
        """Return the highest-scoring window of every text; or how many windows, where too many.

        0 stands for a text without a token.
        """
        parts = [self._windows(text) for text in texts]
        kept = [
            (place, window)
            for place, windows in enumerate(parts)
            if len(windows) <= MOST_WINDOWS
            for window in windows
        ]
        best: list[Found | int] = [len(windows) for windows in parts]
        for (place, _), found in zip(kept, self._score_windows([w for _, w in kept]), strict=True):
            known = best[place]
            if isinstance(known, int) or _rank(found) > _rank(known):
                best[place] = found
        return best

    def _windows(self, text: str) -> list[Window]:
        """Return overlapping windows over a text's tokens; marks in the text are read as text."""
        encoded = self._tokenizer(text, add_special_tokens=False, split_special_tokens=True)
        ids = tuple(encoded["input_ids"])
        if len(ids) > self._room * MOST_WINDOWS:
            return [()] * (MOST_WINDOWS + 1)
        step = max(1, self._room - self._room // 4)
        starts = range(0, max(1, len(ids) - self._room // 4), step) if ids else ()
        return [(*self._opening, *ids[at : at + self._room], *self._closing) for at in starts]

    def _score_windows(self, windows: Sequence[Window]) -> list[Found]:
        found: list[Found] = [Found(math.nan, 0)] * len(windows)
        for chosen in self._batches(windows):
            rows = self._read([windows[place] for place in chosen])
            for place, one in zip(chosen, rows, strict=True):
                found[place] = one
        return found

    def _batches(self, windows: Sequence[Window]) -> Iterator[list[int]]:
        """Yield the places of windows that are read together, long ones first.

        They are of similar length; of equal length where padding changes what is computed; and one
        at a time where the network reads only that.
        """
        order = sorted(range(len(windows)), key=lambda place: -len(windows[place]))
        start = 0
        while start < len(order):
            width = len(windows[order[start]])
            chosen = order[start : start + max(1, BATCH_TOKENS // width)]
            if not self._padded:
                chosen = [place for place in chosen if len(windows[place]) == width]
            if self._alone:
                chosen = chosen[:1]
            yield chosen
            start += len(chosen)

    def _read(self, batch: Sequence[Window]) -> list[Found]:
        import torch

        logits = self._logits(batch)
        probabilities = logits.softmax(-1) if self._config.exclusive else logits.sigmoid()
        counted = probabilities[..., list(self._config.positive)]
        summed = self._config.exclusive
        values = counted.sum(-1).clamp(max=1.0) if summed else counted.amax(-1)
        if self._config.kind != SEQUENCE:
            values = values.masked_fill(~self._is_text(batch).to(values.device), 0.0)
            values, at = values.max(-1)
            probabilities = probabilities[torch.arange(len(batch), device=at.device), at]
        outputs = self._naming(probabilities)
        return [Found(*one) for one in zip(values.tolist(), outputs.tolist(), strict=True)]

    def _naming(self, probabilities: torch.Tensor) -> torch.Tensor:
        """Return the output that gives each row its label."""
        import torch

        if self._config.kind == SEQUENCE and self._config.exclusive:
            return probabilities.argmax(-1)
        positive = torch.tensor(self._config.positive, device=probabilities.device)
        return positive[probabilities[:, positive].argmax(-1)]

    def _is_text(self, batch: Sequence[Window]) -> torch.Tensor:
        """Return where the tokens of the texts stand in a padded batch."""
        import torch

        width = max(map(len, batch))
        marks = torch.zeros(len(batch), width, dtype=torch.bool)
        for row, window in enumerate(batch):
            marks[row, len(self._opening) : len(window) - len(self._closing)] = True
        return marks

    def _logits(self, batch: Sequence[Window]) -> torch.Tensor:
        import torch

        width = max(map(len, batch))
        ids = torch.tensor([[*one, *[self._pad] * (width - len(one))] for one in batch])
        mask = torch.tensor([[1] * len(one) + [0] * (width - len(one)) for one in batch])
        with torch.inference_mode():
            output = self._model(
                input_ids=ids.to(self._device), attention_mask=mask.to(self._device)
            )
        logits: torch.Tensor = output.logits.float()
        return logits

    def _agrees(self, *, apart: bool) -> bool:
        """Say whether a row gets the same numbers beside another one: tried, not assumed.

        The other is longer where ``apart``, so that the row is padded.
        """
        import torch

        whole = next(iter(self._windows(_TRIED)), ())
        body = whole[len(self._opening) : len(whole) - len(self._closing)]
        short = (*self._opening, *body[: max(1, len(body) // 3)], *self._closing)
        other = whole if apart else short[::-1]
        try:
            alone = self._logits([short])[0]
            beside = self._logits([short, other])[0]
        except (ValueError, RuntimeError, IndexError):
            return False
        if self._config.kind != SEQUENCE:
            beside = beside[: len(short)]
        return bool(torch.allclose(alone, beside, atol=_TOLERANCE, rtol=_TOLERANCE))


def _rank(found: Found) -> tuple[bool, float]:
    """Order windows by value; what is no number comes first, so that it is never hidden."""
    return math.isnan(found.value), found.value


def _load_tokenizer(files: CheckpointFiles) -> Any:
    from transformers import AutoTokenizer

    # Without them transformers makes a tokenizer that knows no word, and says nothing.
    if not any(found for name in _VOCABULARIES for found in files.folder.glob(name)):
        raise ScorerError(
            f"{files.origin} holds no vocabulary ({', '.join(_VOCABULARIES)}): its tokenizer's "
            f"files are missing"
        )
    try:
        return AutoTokenizer.from_pretrained(
            files.folder, local_files_only=True, trust_remote_code=False
        )
    except Exception as error:
        raise ScorerError(
            f"the tokenizer of {files.origin} cannot be loaded: {error}. Code that comes with a "
            f"scorer is never run."
        ) from error


def _load_network(files: CheckpointFiles, config: HubConfig) -> Any:
    """Load the network in float32 and evaluation mode."""
    import torch
    import transformers
    from transformers.utils import logging

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        loaded: Any = getattr(transformers, _CLASSES[config.kind]).from_pretrained(
            files.folder,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
            num_labels=len(config.labels),
            dtype=torch.float32,
        )
        network, report = loaded
        network = network.to(files.device).eval()
    except Exception as error:
        raise ScorerError(f"{files.origin} could not be loaded: {error}") from error
    missing = sorted(str(name) for name in report["missing_keys"])
    if missing:
        raise ScorerError(
            f"{files.origin} lacks {len(missing)} of the weights of a {type(network).__name__}, "
            f"{missing[0]!r} among them: its files are incomplete or of another architecture"
        )
    return network


def _frame(tokenizer: Any) -> tuple[Window, Window]:
    """Return the special tokens that the tokenizer puts before and after every text."""
    whole = tuple(tokenizer(_TRIED)["input_ids"])
    bare = tuple(tokenizer(_TRIED, add_special_tokens=False)["input_ids"])
    for start in range(len(whole) - len(bare) + 1):
        if bare and whole[start : start + len(bare)] == bare:
            return whole[:start], whole[start + len(bare) :]
    return (), ()


def _longest(model: Any, tokenizer: Any, given: int | None) -> int:
    """Return how many tokens one window holds, special ones included."""
    positions = getattr(model.config, "max_position_embeddings", None)
    limits = [given, int(tokenizer.model_max_length)]
    if isinstance(positions, int) and positions > 0:
        limits.append(positions - _unused_positions(model))
    elif given is None:
        limits.append(_USUAL_LENGTH)
    return min(limit for limit in limits if limit is not None)


def _unused_positions(model: Any) -> int:
    """Return how many rows of a position table no token uses: RoBERTa counts from its padding."""
    embeddings = getattr(model.base_model, "embeddings", None)
    padding = getattr(getattr(embeddings, "position_embeddings", None), "padding_idx", None)
    return 0 if padding is None else int(padding) + 1
