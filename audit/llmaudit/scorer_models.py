"""Scorers that are models: finds their checkpoints, cards and rubrics, and loads them.

They are loaded once the audited model has answered; what can be told without their weights is
checked before it is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from llmaudit.asked_models import AskedByScorer
from llmaudit.config import AuditConfig
from llmaudit.errors import ModelError, ScorerError, UnavailableError, UsageError
from llmaudit.models.loading import PREFIXES, LoadOptions, find_loader, find_prefix, load_model
from llmaudit.models.openai_address import find_address
from llmaudit.models.placement import choose_device
from llmaudit.models.sources import find_source
from llmaudit.scorers import Scorer, check_scorer_name
from llmaudit.scorers.asked import CheckpointFiles
from llmaudit.scorers.named import GUARD, JUDGE, ScorerName, family_of, parse_name

if TYPE_CHECKING:
    from llmaudit.scorers.rubrics import FoundRubric
    from llmaudit.scorers.scorer_cards import FoundCard

_Tell = Callable[[str], None]

DEFAULT_RUBRICS = ("toxicity", "refusal")
"""What a judge is asked where no rubric is named."""


@dataclass(frozen=True)
class ScorerOptions:
    """What the scorers of a run are made of, besides their names.

    Attributes
    ----------
    cards : tuple of Path
        Cards of checkpoints and guards.
    judge : str or None
        The judge model: whatever names a model.
    judge_base_url : str or None
        The server of a judge that is on one.
    rubrics : tuple of str
        Names or files; ``DEFAULT_RUBRICS`` where there is a judge and none is named.
    device, dtype, batch_tokens
        As of a model.
    """

    cards: tuple[Path, ...] = ()
    judge: str | None = None
    judge_base_url: str | None = None
    rubrics: tuple[str, ...] = ()
    device: str = "auto"
    dtype: str = "auto"
    batch_tokens: int = 8192


def scorer_options(config: AuditConfig) -> ScorerOptions:
    """Return what of a run's configuration concerns the scorers that are models."""
    return ScorerOptions(
        cards=config.scorer_cards,
        judge=config.judge,
        judge_base_url=config.judge_base_url,
        rubrics=config.rubrics,
        device=config.device,
        dtype=config.dtype,
        batch_tokens=config.batch_tokens,
    )


class ScorerLoader:
    """Loads every scorer of a run by its name, the models among them once each.

    Parameters
    ----------
    options : ScorerOptions

    Raises
    ------
    UsageError
        If a card or rubric breaks its format, or rubrics are named without a judge.
    """

    def __init__(self, options: ScorerOptions | None = None) -> None:
        self._options = options or ScorerOptions()
        self._cards = _read_cards(self._options.cards)
        self._rubrics = _read_rubrics(self._options)
        self._models: dict[tuple[str, str], AskedByScorer] = {}
        if self._options.judge_base_url is not None:
            find_address(self._options.judge_base_url, {})  # no password may reach the store

    @property
    def judge_names(self) -> tuple[str, ...]:
        """The scorers that the judge makes, one per rubric."""
        return tuple(f"{JUDGE}:{name}" for name in self._rubrics)

    def add_judge(self, config: AuditConfig) -> AuditConfig:
        """Return the configuration with the judge's scorers among those that were asked for."""
        named = (*config.scorers, *self.judge_names)
        return config.model_copy(update={"scorers": tuple(dict.fromkeys(named))})

    def check_names(self, names: Sequence[str]) -> None:
        """Refuse a name that no scorer has, and a card that is about none of them.

        Raises
        ------
        UsageError
        """
        for name in names:
            check_scorer_name(name)
        taken = [parse_name(name) for name in dict.fromkeys(names) if family_of(name)]
        _refuse_equal_names(taken)
        self._refuse_unused_cards(taken)

    def check(self, names: Iterable[str], tell: _Tell | None = None) -> None:
        """Refuse what cannot be loaded, as far as that can be told without loading weights.

        Checkpoints of the hub are fetched for that.

        Raises
        ------
        UsageError, ScorerError, UnavailableError, ModelError
        """
        for name in names:
            self._check_one(parse_name(name), tell)

    def load(self, name: str, progress: _Tell | None = None) -> Scorer:
        """Return a checkpoint, guard or judge, loaded and ready.

        Raises
        ------
        AuditError
            As the exception tree says.
        """
        parsed = parse_name(name)
        try:
            return self._load_parsed(parsed, progress)
        except ModelError as error:
            raise ScorerError(f"scorer {parsed.public}: {error}") from error

    def _load_parsed(self, name: ScorerName, progress: _Tell | None) -> Scorer:
        from llmaudit.scorers.guard import GuardScorer
        from llmaudit.scorers.hub import HubScorer
        from llmaudit.scorers.judge import JudgeScorer

        if name.family == JUDGE:
            rubric, judge = self._judge_of(name)
            return JudgeScorer(rubric, self._ask(judge, self._judge_options(), progress))
        files = self._files(name, progress)
        card = self._card(name, files)
        if card is not None and card.card.kind == "guard":
            options = self._guard_options(name, card)
            return GuardScorer(name, card, self._ask(name.source, options, progress))
        if files is None or name.family == GUARD:
            raise _no_guard_card(name)
        return HubScorer(name, files, card)

    def _check_one(self, name: ScorerName, tell: _Tell | None) -> None:
        from llmaudit.scorers.hub import check_hub

        if name.family == JUDGE:
            _, judge = self._judge_of(name)
            self._check_model(judge, self._judge_options(), tell)
            return
        files = self._files(name, tell)
        card = self._card(name, files)
        if card is not None and card.card.kind == "guard":
            if files is None:
                self._check_model(name.source, self._guard_options(name, card), tell)
            return
        if files is None or name.family == GUARD:
            raise _no_guard_card(name)
        check_hub(name, files, card)

    def _check_model(self, model: str, options: LoadOptions, tell: _Tell | None) -> None:
        """Find a model's weights; a model without any is loaded at once, so a server is asked."""
        prefix = find_prefix(model)
        if prefix is None:
            find_source(model, progress=tell)
        elif prefix in PREFIXES:
            self._ask(model, options, tell)
        else:
            find_loader(prefix)

    def _judge_of(self, name: ScorerName) -> tuple[FoundRubric, str]:
        if self._options.judge is None:
            raise UsageError(f"scorer {name.public} needs a judge model: name one with --judge")
        if name.source not in self._rubrics:
            raise UsageError(
                f"scorer {name.public}: no rubric {name.source!r} was given; this run has "
                f"{', '.join(self._rubrics)}. Name it with --rubric."
            )
        return self._rubrics[name.source], self._options.judge

    def _files(self, name: ScorerName, tell: _Tell | None) -> CheckpointFiles | None:
        """Return the checkpoint's files; None for a guard that is no folder and no hub id."""
        if name.family == GUARD and find_prefix(name.source) is not None:
            return None
        return find_checkpoint(name, self._options.device, tell)

    def _card(self, name: ScorerName, files: CheckpointFiles | None) -> FoundCard | None:
        from llmaudit.scorers.scorer_cards import find_card

        return find_card(name.source, files.folder if files else None, self._cards)

    def _refuse_unused_cards(self, names: Sequence[ScorerName]) -> None:
        unused = sorted(set(self._cards) - {one.source for one in names})
        if unused:
            asked = ", ".join(f"hf:{one}" for one in unused)
            raise UsageError(
                f"--scorer-card: no scorer of this run is what the card is about. Add --scorer "
                f"{asked}, or leave the card out."
            )

    def _judge_options(self) -> LoadOptions:
        return replace(
            self._plain_options(self._options.judge or ""), base_url=self._options.judge_base_url
        )

    def _guard_options(self, name: ScorerName, card: FoundCard) -> LoadOptions:
        return replace(
            self._plain_options(name.source),
            chat_template=card.card.template or "",
            template_variables=card.card.template_variables,
        )

    def _plain_options(self, model: str) -> LoadOptions:
        """Return how a scorer's model is loaded: nothing of its own code, no pickles."""
        options = self._options
        if find_prefix(model) is not None:
            return LoadOptions(batch_tokens=options.batch_tokens)
        return LoadOptions(
            device=options.device, dtype=options.dtype, batch_tokens=options.batch_tokens
        )

    def _ask(self, model: str, options: LoadOptions, tell: _Tell | None) -> AskedByScorer:
        key = (model, repr(options))
        if key not in self._models:
            self._models[key] = AskedByScorer(load_model(model, options, progress=tell))
        return self._models[key]


def find_checkpoint(name: ScorerName, device: str, tell: _Tell | None = None) -> CheckpointFiles:
    """Return the files of a checkpoint, fetched if need be; safetensors only.

    Raises
    ------
    ScorerError
        If it is nowhere, cannot be fetched, or has no weights that can be read safely.
    """
    folder = Path(name.source).expanduser()
    if name.is_folder and not folder.is_dir():
        raise ScorerError(
            f"scorer {name.public}: there is no folder {name.source}, and it is no hub id: write "
            f"hf:ORG/NAME or hf:./folder"
        )
    try:
        source = find_source(str(folder) if name.is_folder else name.source, progress=tell)
    except UnavailableError as error:
        raise ScorerError(
            f"scorer {name.public} is not on this machine and cannot be fetched from the model "
            f"hub. Run `hf download {name.source}` where it can be reached, copy the cache here "
            f"and set HF_HOME to it, or name a folder with its files: {name.family}:./folder"
        ) from error
    except ModelError as error:
        said = str(error).partition(", or allow them")[0].rstrip(".")
        raise ScorerError(f"scorer {name.public}: {said}.") from error
    return CheckpointFiles(
        source.folder, source.origin, source.revision, source.weights, choose_device(device)
    )


def uses_model(name: str) -> bool:
    """Say whether a scorer is a model of its own, loaded after the audited one has answered."""
    return family_of(name) is not None


def public_name(name: str) -> str:
    """Return the name that a scorer's scores are stored under: never a whole path."""
    return parse_name(name).public if family_of(name) else name


def _read_cards(paths: Sequence[Path]) -> Mapping[str, FoundCard]:
    if not paths:
        return {}
    from llmaudit.scorers.scorer_cards import load_given_cards

    return load_given_cards(paths)


def _read_rubrics(options: ScorerOptions) -> Mapping[str, FoundRubric]:
    if options.judge is None:
        if options.rubrics or options.judge_base_url:
            raise UsageError("--rubric and --judge-base-url go with --judge MODEL")
        return {}
    from llmaudit.scorers.rubrics import load_rubrics

    return load_rubrics(options.rubrics or DEFAULT_RUBRICS)


def _refuse_equal_names(names: Sequence[ScorerName]) -> None:
    """Refuse two scorers whose scores would be stored under one name."""
    found: dict[str, ScorerName] = {}
    for one in names:
        if one.public in found:
            raise UsageError(
                f"{found[one.public].source} and {one.source} would both be called {one.public}: "
                f"rename one of the folders"
            )
        found[one.public] = one


def _no_guard_card(name: ScorerName) -> ScorerError:
    return ScorerError(
        f"scorer {name.public} needs a card of kind guard that says which family it is: give one "
        f"with --scorer-card whose 'model' is {name.source!r}, see docs/scorers.md"
    )
