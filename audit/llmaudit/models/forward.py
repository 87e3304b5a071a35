"""One forward pass of a transformers causal model, with only the needed rows at the output head."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from llmaudit.errors import ModelError

if TYPE_CHECKING:
    import torch


#: Positions that reach the output head at once when only single probabilities are read.
HEAD_ROWS = 128
#: Tokens of the branch that a tree is tried with.
_BRANCH = 7


class CausalNetwork:
    """A loaded causal network and what must be known to call it.

    Parameters
    ----------
    network : transformers.PreTrainedModel
        In evaluation mode.
    stop_ids : frozenset of int
        Tokens that end a generation.

    Attributes
    ----------
    vocabulary : int
        Numbers per position that the output head gives.
    caches : bool
        True where it can go on from a cache that it is given. Without, every token costs a pass
        over the whole text.
    attention_only : bool
        True where a layer remembers keys and values only. Then rows may be padded on the left and
        share a prefix; a recurrent state would take up the padding, and few go on from a state
        with more than one token.
    window : int or None
        The fewest tokens that a layer of the network looks back on; None without such a layer.
    stretch : int or None
        Tokens beyond which a pass reads all its positions otherwise (LongRoPE); None for most. A
        longer text then shares no prefix and no batch with shorter ones.

    Raises
    ------
    ModelError
        If the network has no output head of its own.
    """

    def __init__(self, network: Any, *, stop_ids: frozenset[int]) -> None:
        from llmaudit.models.cache import describe_layers

        accepted = inspect.signature(network.forward).parameters
        head = network.get_output_embeddings()
        if head is None:
            raise ModelError(
                f"{type(network).__name__} cannot be audited by this version: it has no output "
                f"head of the usual form."
            )
        self.network = network
        self.stop_ids = stop_ids
        first = next(network.parameters())
        self.device, self.dtype = first.device, first.dtype
        self.vocabulary = int(head.weight.shape[0])
        self._takes_positions = "position_ids" in accepted
        self._takes_use = "use_cache" in accepted
        self.caches = "past_key_values" in accepted
        self.attention_only, self.window = False, None
        if self.caches:
            self.attention_only, self.window = describe_layers(network.config)
            self.caches = self.attention_only or self._remembers_in_cache()
        self.stretch = _find_stretch(network.config)

    def logits_at(
        self,
        input_ids: torch.Tensor,
        rows: torch.Tensor,
        columns: torch.Tensor,
        *,
        mask: torch.Tensor | None = None,
        positions: torch.Tensor | None = None,
        cache: Any = None,
    ) -> torch.Tensor:
        """Run the network and return the logits at the given positions only.

        Parameters
        ----------
        input_ids : Tensor of int64, shape (batch, length)
        rows, columns : Tensor of int64, shape (n,)
            The positions to read.
        mask : Tensor of int64, shape (batch, cached + length), optional
            1 for real tokens. None when no real token can see a padded one.
        positions : Tensor of int64, shape (batch, length), optional
            Given to architectures that take them.
        cache : transformers Cache, optional
            Filled in place.

        Returns
        -------
        Tensor of float, shape (n, vocabulary)
        """
        with head_sees(self.network, rows, columns) as reached:
            logits = self._run(input_ids, mask, positions, cache)
        return logits[0] if reached else logits[rows, columns]

    def _run(
        self,
        input_ids: torch.Tensor,
        mask: torch.Tensor | None = None,
        positions: torch.Tensor | None = None,
        cache: Any = None,
    ) -> torch.Tensor:
        """Run the whole network once and return what comes out of it."""
        extra: dict[str, Any] = {}
        if positions is not None and self._takes_positions:
            extra["position_ids"] = positions
        if cache is not None:
            extra["past_key_values"] = cache
        if self._takes_use:
            extra["use_cache"] = cache is not None
        output = self.network(input_ids=input_ids, attention_mask=mask, **extra)
        logits: torch.Tensor = output.logits
        return logits

    def logprobs_at(
        self,
        input_ids: torch.Tensor,
        rows: torch.Tensor,
        columns: torch.Tensor,
        which: Sequence[int],
        targets: Sequence[int],
        *,
        mask: torch.Tensor | None = None,
        positions: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Run the network and return ln p(token) at the given positions.

        A few positions at a time reach the output head, so that no more than ``HEAD_ROWS`` times
        the vocabulary is ever held: unless the architecture does something after its head.

        Parameters
        ----------
        input_ids, rows, columns, mask, positions
            As for :meth:`logits_at`.
        which, targets : sequence of int, length m
            For each token asked for, the index of its position among ``rows`` and ``columns``.

        Returns
        -------
        Tensor of float64, shape (m,)
        """
        import torch

        index = torch.tensor(which, device=self.device)
        target = torch.tensor(targets, device=self.device)
        result = torch.empty(len(targets), dtype=torch.float64, device=self.device)
        if not self.plain_head:
            logits = self.logits_at(input_ids, rows, columns, mask=mask, positions=positions)
            return _chosen(logits.float(), index, target) - _totals(logits)[index]
        with head_sees(self.network, rows, columns, first_only=True) as reached:
            self._run(input_ids, mask, positions)
        head, hidden = self.network.get_output_embeddings(), reached[0]
        for start in range(0, len(hidden), HEAD_ROWS):
            states = hidden[start : start + HEAD_ROWS]
            logits = head(states).to(self.device)
            wanted = (index >= start) & (index < start + len(states))
            place, tokens = index[wanted] - start, target[wanted]
            chosen = _exact_logits(head, states, place, tokens)
            if chosen is None:
                chosen = _chosen(logits, place, tokens)
            result[wanted] = (chosen.to(self.device) - _totals(logits)[place]).clamp(max=0)
        return result

    def probe(self) -> torch.Tensor:
        """Return the logits of a short text, and of the token after it: a sample of its work."""
        import torch
        from transformers.cache_utils import DynamicCache

        with torch.inference_mode():
            tokens = torch.arange(5, device=self.device).unsqueeze(0) % self.vocabulary
            cache = DynamicCache(config=self.network.config) if self.caches else None
            parts = [self._run(tokens[:, :4], cache=cache), self._run(tokens[:, 4:], cache=cache)]
            return torch.cat([part[0] for part in parts])

    @cached_property
    def plain_head(self) -> bool:
        """Whether the logits are what the output head gives, with nothing done to them after."""
        import torch

        first = torch.zeros(1, dtype=torch.long, device=self.device)
        with (
            torch.inference_mode(),
            head_sees(self.network, first, first, first_only=True) as reached,
        ):
            logits = self._run(first.unsqueeze(0))
            return bool(reached) and torch.equal(
                logits.flatten(), self.network.get_output_embeddings()(reached[0]).flatten()
            )

    @cached_property
    def takes_trees(self) -> bool:
        """Whether a mask and positions of our own can make one row of a batch hold many texts.

        That is tried: a token is read once behind another branch of seven tokens, which it must
        not see, and once alone. Slopes over distance and windows of some architectures come from
        elsewhere than the mask, and there it fails.
        """
        import torch

        if not (self.attention_only and self._takes_positions and self.plain_head):
            return False
        size = _BRANCH + 2
        step = max(1, self.vocabulary // size)
        tokens = torch.arange(size, device=self.device).unsqueeze(0) * step
        depths = torch.tensor([[*range(_BRANCH + 1), 1]], device=self.device)
        seen = torch.ones(size, size, dtype=torch.bool, device=self.device).tril()
        seen[-1, 1:-1] = False
        places = torch.tensor([[0, 0], [_BRANCH, _BRANCH + 1]], device=self.device)
        alone = tokens[:, [0, size - 1]]
        with torch.inference_mode():
            try:
                tree = self.logits_at(
                    tokens, *places, mask=self.added_mask(seen.unsqueeze(0)), positions=depths
                )
                branch = self.logits_at(tokens[:, :-1], *places[:, :1])
                leaf = self.logits_at(alone, places[0, :1], places[0, :1] + 1)
            except (RuntimeError, ValueError, TypeError, IndexError):
                return False
            plain = torch.cat([branch, leaf]).float()
        return self._is_close(tree, plain)

    def _remembers_in_cache(self) -> bool:
        """Try whether a cache holds all that was read: some networks keep states in themselves.

        Another text is read before the first one is gone on with.
        """
        import torch
        from transformers.cache_utils import DynamicCache

        step = max(1, self.vocabulary // (_BRANCH + 1))
        text = torch.arange(_BRANCH, device=self.device).unsqueeze(0) * step
        first = torch.zeros(1, dtype=torch.long, device=self.device)
        with torch.inference_mode():
            whole = self.logits_at(text, first, first + _BRANCH - 1).float()
            cache = DynamicCache(config=self.network.config)
            self.logits_at(text[:, :-1], first, first, cache=cache)
            other = DynamicCache(config=self.network.config)
            self.logits_at(text[:, 1:], first, first, cache=other)
            place = torch.full_like(first, _BRANCH - 1).unsqueeze(0)
            last = self.logits_at(text[:, -1:], first, first, positions=place, cache=cache)
        return self._is_close(last, whole)

    def _is_close(self, found: torch.Tensor, plain: torch.Tensor) -> bool:
        """Say whether logits are those of a plain pass, as nearly as the number format allows."""
        import torch

        off = (found.float() - plain).abs().amax()
        exact = self.dtype == torch.float32
        return bool(off <= (1e-4 if exact else 0.05) * plain.std().clamp(min=1))

    def added_mask(self, seen: torch.Tensor) -> torch.Tensor:
        """Return a mask that is added to attention, shape (batch, 1, length, length).

        Parameters
        ----------
        seen : Tensor of bool, shape (batch, length, length)
            True where a position (second axis) sees another (third axis).
        """
        import torch

        mask = torch.zeros(seen.shape, dtype=self.dtype, device=self.device)
        return mask.masked_fill_(~seen, torch.finfo(self.dtype).min).unsqueeze(1)

    def pad(self, sequences: Sequence[Sequence[int]], *, left: bool) -> torch.Tensor:
        """Return token ids as one tensor; see :func:`pad_rows`."""
        return pad_rows(sequences, self.device, left=left)


def _find_stretch(config: Any) -> int | None:
    """Return the most tokens that are read with the short factors of LongRoPE; None without it."""
    rope = getattr(config.get_text_config(decoder=True), "rope_parameters", None) or {}
    kinds = [rope, *(part for part in rope.values() if isinstance(part, dict))]
    lengths = [
        int(one["original_max_position_embeddings"])
        for one in kinds
        if one.get("rope_type") == "longrope"
    ]
    return min(lengths, default=None)


def _totals(logits: torch.Tensor) -> torch.Tensor:
    """Return ln of the sum of exp over the vocabulary, in float64."""
    return logits.float().logsumexp(dim=1).double()


def _chosen(logits: torch.Tensor, place: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    return logits[place, tokens].double()


def _exact_logits(
    head: Any, states: torch.Tensor, place: torch.Tensor, tokens: torch.Tensor
) -> torch.Tensor | None:
    """Return single logits in float32 where the head would round them to 16 bits; else None.

    Logits of bfloat16 lie up to 0.125 apart. The sum over a vocabulary averages that out, a single
    logit does not, and the log-odds of two choices of one token are made of nothing else.
    """
    import torch

    if states.dtype == torch.float32 or type(head) is not torch.nn.Linear:
        return None
    exact = (states[place].float() * head.weight[tokens].float()).sum(dim=1)
    return (exact if head.bias is None else exact + head.bias[tokens].float()).double()


@contextmanager
def head_sees(
    network: Any, rows: torch.Tensor, columns: torch.Tensor, *, first_only: bool = False
) -> Iterator[list[torch.Tensor]]:
    """Let only hidden states [rows, columns] reach the output head, as one row of positions.

    A vocabulary is far wider than a hidden state, so the head is a large part of the work
    and its output nearly all of the memory. Whatever the architecture does after its head
    (scaling, soft caps) still happens, because its own forward runs on. The hidden states are
    put into the list that is given when the head is reached; with ``first_only`` the head sees
    the first of them alone.
    """
    reached: list[torch.Tensor] = []

    def gather(_module: Any, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        here = inputs[0].device  # of a network divided over devices, the last one
        reached.append(inputs[0][rows.to(here), columns.to(here)])
        seen = reached[0][:1] if first_only else reached[0]
        return (seen.unsqueeze(0), *inputs[1:])

    handle = network.get_output_embeddings().register_forward_pre_hook(gather)
    try:
        yield reached
    finally:
        handle.remove()


def pad_rows(sequences: Sequence[Sequence[int]], device: Any, *, left: bool) -> torch.Tensor:
    """Return token ids as one tensor, shape (len(sequences), longest), padded on one side.

    A row is padded with its own first token: what a masked position holds has no weight, but
    no weight times NaN is NaN, so a foreign token with a broken embedding would spoil the row.
    """
    import torch

    width = max(len(sequence) for sequence in sequences)
    padded = []
    for sequence in sequences:
        filling = [sequence[0]] * (width - len(sequence))
        padded.append([*filling, *sequence] if left else [*sequence, *filling])
    return torch.tensor(padded, dtype=torch.long, device=device)
