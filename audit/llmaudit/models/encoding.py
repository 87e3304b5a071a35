"""From prompts to the tokens a causal model reads, with nothing lost between prompt and choice."""

from __future__ import annotations

from typing import Any

from llmaudit.models.base import is_chat, join_choice
from llmaudit.models.prefixes import common_length
from llmaudit.models.serving import reject
from llmaudit.records import ErrorKind, Prompt

#: Any text: what a tokenizer puts before it is what it puts before every text.
_PROBE_TEXT = "a"


class PromptEncoder:
    """A model's tokenizer and chat template.

    Parameters
    ----------
    tokenizer : transformers.PreTrainedTokenizerBase
    chat_model : bool
        Whether prompts with turns go through the tokenizer's chat template.
    """

    def __init__(self, tokenizer: Any, *, chat_model: bool) -> None:
        self._tokenizer = tokenizer
        self._chat_model = chat_model
        self._opening = self._find_opening()
        self._answer_gap = self._find_answer_gap() if chat_model else ""

    def _find_opening(self) -> tuple[int, ...]:
        """Return the special tokens that the tokenizer puts before a plain text.

        What some put after it is left out: a prompt that the model shall go on from has no end.
        """
        whole = self._tokenizer(_PROBE_TEXT)["input_ids"]
        bare = self._tokenizer(_PROBE_TEXT, add_special_tokens=False)["input_ids"]
        for start in range(len(whole) - len(bare) + 1):
            if whole[start : start + len(bare)] == bare:
                return tuple(whole[:start])
        return ()

    def _find_answer_gap(self) -> str:
        """Return the white space that the chat template puts between its opening and an answer.

        Some formats open an answer with a colon or a bracket and write a space before the answer's
        words; a choice is put where the answer would stand.
        """
        turns = [{"role": "user", "content": _PROBE_TEXT}]
        answered = [*turns, {"role": "assistant", "content": _PROBE_TEXT}]
        try:
            render = self._tokenizer.apply_chat_template
            opening: str = render(turns, tokenize=False, add_generation_prompt=True)
            whole: str = render(answered, tokenize=False)
        except Exception:
            return ""  # A template that refuses these turns says so again for every prompt.
        gap, answer, _ = whole.removeprefix(opening).partition(_PROBE_TEXT)
        return gap if whole.startswith(opening) and answer and not gap.strip() else ""

    def format_prompt(self, prompt: Prompt) -> str:
        """Return the text that enters the tokenizer: the filled chat template, or plain text."""
        if not is_chat(prompt, chat_model=self._chat_model):
            return prompt.plain
        turns = [{"role": turn.role, "content": turn.content} for turn in prompt.messages]
        text: str = self._tokenizer.apply_chat_template(
            turns, tokenize=False, add_generation_prompt=True
        )
        return text

    @property
    def special_tokens(self) -> tuple[str, ...]:
        """What the tokenizer reads as one token of its own wherever it stands in a text."""
        added = self._tokenizer.added_tokens_decoder.values()
        return tuple(sorted({str(token.content) for token in added if str(token.content).strip()}))

    def prompt_ids(self, prompt: Prompt) -> tuple[int, ...]:
        """Return the tokens of a prompt, at least one."""
        return self._encode(prompt, self.format_prompt(prompt)) or self._start()

    def choice_ids(self, prompt: Prompt) -> dict[str, tuple[tuple[int, ...], tuple[int, ...]]]:
        """Return for each choice of a prompt, by label, its context and its continuation.

        Context and choice are tokenised as one text. Where the tokenizer joins the end of the
        context and the start of a choice into one token, the continuation of every choice of the
        prompt begins before that token, so that all are about the same context and no character
        of the text is lost.

        Raises
        ------
        Rejected
            If the tokenizer has no token to put before a text that stands alone.
        """
        chat = is_chat(prompt, chat_model=self._chat_model)
        context = self.format_prompt(prompt)
        wholes = {
            label: self._encode(prompt, self._join(context, choice, chat=chat))
            for label, choice in prompt.choices.items()
        }
        if context:
            split = common_length([self._encode(prompt, context), *wholes.values()])
        else:
            split = len(self._opening)
        if split:
            return {label: (ids[:split], ids[split:]) for label, ids in wholes.items()}
        return {label: (self._start(), ids) for label, ids in wholes.items()}

    def _join(self, context: str, choice: str, *, chat: bool) -> str:
        return join_choice(context + self._answer_gap if chat else context, choice, chat=chat)

    def decode(self, tokens: list[int]) -> str:
        """Return the text of sampled tokens as it is: no special tokens, no spaces tidied."""
        text: str = self._tokenizer.decode(
            tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return text

    def _encode(self, prompt: Prompt, text: str) -> tuple[int, ...]:
        """Tokenise; a chat template has written its special tokens itself."""
        ids = tuple(self._tokenizer(text, add_special_tokens=False)["input_ids"])
        return ids if is_chat(prompt, chat_model=self._chat_model) else self._opening + ids

    def _start(self) -> tuple[int, ...]:
        """Return what precedes a text that stands alone, where the tokenizer puts nothing."""
        for start in (self._tokenizer.bos_token_id, self._tokenizer.eos_token_id):
            if start is not None:
                return (int(start),)
        message = "the tokenizer has neither a beginning-of-text nor an end-of-text token"
        raise reject(ErrorKind.UNSUPPORTED, f"{message} to put before a text that stands alone")
