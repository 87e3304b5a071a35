"""From prompts to the tokens of a network that reads both ways, with the special tokens around."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from llmaudit.models.base import join_choice
from llmaudit.models.masked_pairs import shared_positions
from llmaudit.models.prefixes import common_length
from llmaudit.models.serving import reject
from llmaudit.records import GAP, ErrorKind, Prompt

#: Any text: what a tokenizer puts around it is what it puts around every text.
_PROBE_TEXT = "a"


@dataclass(frozen=True, slots=True)
class ChosenText:
    """One choice as tokens, its context before it, and the positions that its likelihood sums."""

    ids: tuple[int, ...]
    positions: tuple[int, ...]


def special_frame(tokenizer: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the special tokens that a tokenizer puts before and after a text."""
    whole = tuple(tokenizer(_PROBE_TEXT)["input_ids"])
    bare = tuple(tokenizer(_PROBE_TEXT, add_special_tokens=False)["input_ids"])
    for start in range(len(whole) - len(bare) + 1):
        if whole[start : start + len(bare)] == bare:
            return whole[:start], whole[start + len(bare) :]
    return (), ()


class FramedEncoder:
    """A tokenizer whose texts stand between given special tokens.

    Parameters
    ----------
    tokenizer : transformers.PreTrainedTokenizerBase
    opening, closing : tuple of int
        What stands before and after every text.
    """

    def __init__(
        self, tokenizer: Any, opening: tuple[int, ...], closing: tuple[int, ...] = ()
    ) -> None:
        self._tokenizer = tokenizer
        self._mask_id = tokenizer.mask_token_id
        self.opening = opening
        self.closing = closing

    def format_prompt(self, prompt: Prompt) -> str:
        """Return the plain text, with the mask token where the prompt has a gap."""
        if GAP not in prompt.tags:
            return prompt.plain
        before = join_choice(prompt.plain, str(self._tokenizer.mask_token), chat=False)
        return before + prompt.tags[GAP]

    def prompt_ids(self, prompt: Prompt) -> tuple[int, ...]:
        """Return the tokens of a prompt."""
        return self._frame(self._bare(self.format_prompt(prompt)))

    def gap_of(self, prompt: Prompt) -> tuple[tuple[int, ...], int]:
        """Return the tokens of a prompt and the position of its gap.

        Raises
        ------
        Rejected
            If the prompt has no gap, or its own words hold the mask token.
        """
        if GAP not in prompt.tags:
            message = "the prompt has no gap, and this kind of model can only fill gaps"
            raise reject(ErrorKind.UNSUPPORTED, message)
        ids = self.prompt_ids(prompt)
        if ids.count(self._mask_id) != 1:
            message = (
                f"{ids.count(self._mask_id)} mask tokens ({self._tokenizer.mask_token}) in the "
                f"prompt, where the gap is one"
            )
            raise reject(ErrorKind.UNSUPPORTED, message)
        return ids, ids.index(self._mask_id)

    def choices_of(self, prompt: Prompt, *, shared: bool) -> dict[str, ChosenText]:
        """Return each choice of a prompt, by label, with the positions that are its own.

        Context and choice are tokenised as one text; where the tokenizer joins the end of the
        context and the start of a choice, every choice begins before that token. With ``shared``,
        of two texts that stand alone only the tokens count that both have.
        """
        context = prompt.plain
        wholes = {
            label: self._bare(join_choice(context, choice, chat=False))
            for label, choice in prompt.choices.items()
        }
        if context:
            split = common_length([self._bare(context), *wholes.values()])
            places = {label: tuple(range(split, len(ids))) for label, ids in wholes.items()}
        elif shared and len(wholes) == 2:
            places = dict(zip(wholes, shared_positions(*wholes.values()), strict=True))
        else:
            places = {label: tuple(range(len(ids))) for label, ids in wholes.items()}
        before = len(self.opening)
        return {
            label: ChosenText(self._frame(ids), tuple(before + at for at in places[label]))
            for label, ids in wholes.items()
        }

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of sampled tokens as it is: no special tokens, no spaces tidied."""
        text: str = self._tokenizer.decode(
            list(tokens), skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return text

    def decode_filling(self, tokens: Sequence[int]) -> str:
        """Return the text of what fills a gap, without space around it.

        It is decoded behind another token, so that a piece that goes on a word is written as it
        reads and not with its vocabulary's sign for that.
        """
        text: str = self._tokenizer.decode(
            [self._mask_id, *tokens], clean_up_tokenization_spaces=False
        )
        return text.removeprefix(str(self._tokenizer.mask_token)).strip()

    def _bare(self, text: str) -> tuple[int, ...]:
        return tuple(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def _frame(self, ids: tuple[int, ...]) -> tuple[int, ...]:
        return self.opening + ids + self.closing
