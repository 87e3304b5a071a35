"""The transparency notes of a run: what was audited, how, with what, and what nobody knows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from llmaudit.findings import Run
from llmaudit.records import AdapterFacts, ModelFacts, WeightFile
from llmaudit.transparency.folders import hide_folders
from llmaudit.transparency.limits import METHOD_LIMITS
from llmaudit.transparency.probing import lexicon_pairs, probe_set_pairs
from llmaudit.transparency.scoring import scorer_pairs

UNKNOWN = "unknown"
_GIB = 2**30


@dataclass(frozen=True, slots=True)
class Note:
    """One transparency note.

    Attributes
    ----------
    section : str
        The heading it stands under.
    name : str
        What it tells; empty where the note is a sentence of its own.
    text : str
        ``unknown`` where nobody has said.
    """

    section: str
    name: str
    text: str


def transparency_notes(run: Run) -> tuple[Note, ...]:
    """Return every note of ``run`` in the report's order; nothing in them depends on the clock."""
    sections: tuple[tuple[str, Iterator[tuple[str, str]]], ...] = (
        ("Model under audit", _model(run.model)),
        ("What the model was sent", _sent(run.model)),
        ("Probe sets", probe_set_pairs(run.probe_sets)),
        ("Groups and the words for them", lexicon_pairs(run.probe_sets)),
        ("Scorers and their measured error", scorer_pairs(run)),
        ("Decoding and seed", _decoding(run)),
        ("Thresholds", _thresholds(run)),
        ("Software and hardware", iter(sorted(run.environment.items(), key=_fold))),
        ("Missing data", _missing(run)),
        ("Limits of the method", (("", sentence) for sentence in METHOD_LIMITS)),
    )
    return tuple(
        Note(section, name, text or UNKNOWN) for section, pairs in sections for name, text in pairs
    )


def timing_notes(run: Run) -> tuple[Note, ...]:
    """Return when the run happened, where its files lie, and what it took."""
    timing = run.timing
    memory = timing.peak_memory_bytes
    pairs = [
        ("run directory", run.directory.rstrip("/\\").replace("\\", "/").rsplit("/", 1)[-1]),
        ("started", timing.started),
        ("finished", timing.finished),
        ("duration", f"{timing.seconds:.1f} s"),
        ("sessions", f"{timing.sessions} (more than one: the run was resumed)"),
        ("waivers had to be in force on", timing.judged_on),
        ("peak memory", UNKNOWN if memory is None else f"{memory / _GIB:.2f} GiB"),
        *((f"stage: {stage}", f"{took:.1f} s") for stage, took in timing.stage_seconds.items()),
    ]
    return tuple(Note("Timing", name, text or UNKNOWN) for name, text in pairs)


def _fold(pair: tuple[str, str]) -> str:
    return pair[0].casefold()


def _model(model: ModelFacts) -> Iterator[tuple[str, str]]:
    parameters, context = model.parameters, model.context_length
    yield "name", model.name
    yield "source", hide_folders(model.source)
    yield "revision", model.revision
    yield "digest", model.digest
    yield "kind", model.kind
    yield "architecture", model.architecture
    yield "family", model.family
    yield "parameters", UNKNOWN if parameters is None else f"{parameters:,}"
    yield "context length", UNKNOWN if context is None else f"{context:,} tokens"
    yield "languages", ", ".join(model.languages)
    yield "licence", model.licence
    yield "kind of licence", model.licence_class
    yield "source of that licence", hide_folders(model.licence_source)
    yield "training data", model.training_data
    yield "disclosure of training data", model.training_data_disclosure
    yield "source of that disclosure", hide_folders(model.training_data_source)
    for issue in model.known_issues:
        yield "known issue", hide_folders(issue)
    yield "weight format", model.weight_format
    yield "numerical setting", f"{model.dtype} on {model.device}"
    if not model.weights:
        yield "weights", UNKNOWN
    for file in model.weights:
        yield f"weights: {hide_folders(file.name)}", describe_file(file)
    if model.adapter:
        yield from _adapter(model.adapter)
    for note in model.notes:
        yield "note", hide_folders(note)


def _adapter(adapter: AdapterFacts) -> Iterator[tuple[str, str]]:
    yield "adapter", f"{adapter.name} ({adapter.kind}), {adapter.applied}"
    yield "adapter: source", hide_folders(adapter.source)
    yield "adapter: revision", adapter.revision
    yield "adapter: base model", hide_folders(adapter.base)
    yield "adapter: base model it names itself", hide_folders(adapter.declared_base)
    settings = (f"{name} {value}" for name, value in adapter.settings.items())
    yield "adapter: settings", hide_folders("; ".join(settings))


def describe_file(file: WeightFile) -> str:
    """Return a weight file's size and full SHA-256 in words."""
    return f"{file.size:,} bytes, SHA-256 {file.sha256}"


def _sent(model: ModelFacts) -> Iterator[tuple[str, str]]:
    yield "chat format", model.chat_format
    if model.chat_template:
        yield "chat template", model.chat_template
    yield (
        "definition of likelihood",
        (model.likelihood_definition or model.no_likelihood or "no likelihood was used"),
    )


def _decoding(run: Run) -> Iterator[tuple[str, str]]:
    config, suite = run.config, run.suite
    for name in ("temperature", "top_p"):
        value = config.get(name)
        yield name.replace("_", " "), str(suite.get(name, UNKNOWN) if value is None else value)
    for entry in suite.get("probe_sets", ()):
        if isinstance(entry, Mapping):
            yield f"samples and length: {entry.get('id', UNKNOWN)}", _samples(entry, config)
    yield "seed", str(config.get("seed", UNKNOWN))


def _thresholds(run: Run) -> Iterator[tuple[str, str]]:
    """Yield what shows that the thresholds were chosen before the results, and who waived what."""
    if run.lock is None:
        yield (
            "lock",
            "none: nothing in this run shows that its thresholds were fixed before its results "
            "were seen",
        )
    else:
        yield (
            "lock",
            f"{run.lock}: the thresholds were fixed before. The policy, the probe sets, the "
            f"scorers, the seed and the sample sizes were written into this lock before the first "
            f"request, and the run was held to it",
        )
    waived = [finding for finding in run.findings if finding.waiver is not None]
    for finding in waived:
        grant = finding.waiver
        if grant is not None:
            said = f"{finding.verdict.value}, waived by {grant.owner} until {grant.expires}"
            yield f"not counted: {finding.title}", f"{said}: {grant.reason}"


def _samples(entry: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    chosen = {
        name: entry.get(name, UNKNOWN) if config.get(name) is None else config[name]
        for name in ("samples", "max_new_tokens")
    }
    said = f"{chosen['samples']} per prompt, at most {chosen['max_new_tokens']} new tokens"
    limits = [limit for limit in (entry.get("limit"), config.get("limit")) if limit is not None]
    return f"{said}, at most {min(limits)} of its prompts" if limits else said


def _missing(run: Run) -> Iterator[tuple[str, str]]:
    counts = run.counts
    yield "requests", f"{counts.requests:,}"
    yield "generations", f"{counts.generations:,}"
    yield "likelihoods", f"{counts.likelihoods:,}"
    yield "empty answers", f"{counts.empty:,}"
    yield "degenerate answers", f"{counts.degenerate:,}"
    yield "refusals", f"{counts.refusals:,}"
    yield "could not be scored", f"{counts.unscored:,}"
    yield "unsupported by the model", f"{counts.unsupported:,}"
    yield "errors", f"{counts.errors:,}"
    for kind, count in sorted(counts.errors_by_kind.items()):
        yield f"errors: {kind.replace('_', ' ')}", f"{count:,}"
