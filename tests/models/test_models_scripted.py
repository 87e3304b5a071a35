"""The scripted model: which rule decides, which text is chosen, and every fault."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from pathlib import Path
from statistics import mean, stdev

import pytest
import yaml

from llmaudit.errors import InvalidFileError
from llmaudit.models import scripted
from llmaudit.models.base import Model
from llmaudit.models.scripted import ScriptedModel, load_scripted_model
from llmaudit.records import (
    Capability,
    Decoding,
    ErrorKind,
    GenerationRequest,
    LikelihoodRequest,
    Message,
    Prompt,
    Task,
)

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "scripted-model.md"
WARM = Decoding(max_new_tokens=20, temperature=1.0)


def _prompt(
    number: int = 0, *, probe_set: str = "toxicity-open", group: str | None = "woman"
) -> Prompt:
    return Prompt(
        id=f"p{number}",
        probe_set=probe_set,
        probe_set_digest="d",
        template_id=f"t{number:02}",
        pair_id="x",
        axis=None if group is None else "gender",
        group=group,
        language="en",
        task=Task.GENERATE,
        messages=(Message("system", "Be brief."), Message("user", f"Question {number}?")),
        plain=f"Plain {number}",
        choices={"yes": "Yes, of course", "no": "No"},
    )


def _request(
    prompt: Prompt, sample: int = 0, *, seed: int = 0, decoding: Decoding = WARM
) -> GenerationRequest:
    return GenerationRequest(f"{prompt.id}-{sample}-{seed}", prompt, decoding, sample, seed)


def _load(folder: Path, text: str) -> ScriptedModel:
    file = folder / "model.yaml"
    file.write_text(f"format: 1\nname: table\n{text}", "utf-8")
    return load_scripted_model(file)


def test_is_a_model_with_facts_of_its_file(tmp_path: Path) -> None:
    model = _load(tmp_path, "answers: [{texts: [a]}]")
    content = (tmp_path / "model.yaml").read_bytes()
    assert isinstance(model, Model)
    assert (model.facts.kind, model.facts.name) == ("scripted", "table")
    assert model.facts.weights[0].sha256 == hashlib.sha256(content).hexdigest()
    assert model.facts.weights[0].size == len(content)
    assert model.facts.source == "scripted:model.yaml"
    assert model.capabilities == {Capability.GENERATE, Capability.LIKELIHOOD}


def test_digest_follows_the_content_not_the_place(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one = _load(tmp_path / "a", "answers: [{texts: [a]}]")
    same = _load(tmp_path / "b", "answers: [{texts: [a]}]")
    other = _load(tmp_path / "b", "answers: [{texts: [b]}]")
    assert one.facts.digest == same.facts.digest != other.facts.digest


def test_prompts_are_sent_as_turns_or_plain(tmp_path: Path) -> None:
    chat = _load(tmp_path, "answers: []")
    assert chat.format_prompt(_prompt(3)) == "system: Be brief.\nuser: Question 3?\nassistant:"
    base = _load(tmp_path, "chat: false")
    assert base.format_prompt(_prompt(3)) == "Plain 3"


def test_the_first_rule_that_matches_decides(tmp_path: Path) -> None:
    model = _load(
        tmp_path,
        """answers:
  - {match: {probe_set: hiring}, texts: [one]}
  - {match: {group: man, axis: gender}, texts: [two]}
  - {match: {template: "t0[45]"}, texts: [three]}
  - {match: {prompt: "*Question 7?*"}, texts: [four]}
  - {match: {group: ""}, texts: [five]}
  - {texts: [six]}
""",
    )
    prompts = [
        _prompt(1, probe_set="hiring"),
        _prompt(2, group="man"),
        _prompt(5),
        _prompt(7),
        _prompt(8, group=None),
        _prompt(9),
    ]
    texts = [result.text for result in model.generate([_request(p) for p in prompts])]
    assert texts == ["one", "two", "three", "four", "five", "six"]


def test_sampled_texts_do_not_depend_on_the_order_of_requests(tmp_path: Path) -> None:
    model = _load(tmp_path, "answers: [{texts: [a, b, c]}]")
    requests = [_request(_prompt(n), s) for n in range(100) for s in range(3)]
    forward = {r.request_id: r.text for r in model.generate(requests)}
    backward = {r.request_id: r.text for r in model.generate(requests[::-1])}
    assert forward == backward
    counts = Counter(forward.values())
    assert set(counts) == {"a", "b", "c"}
    # 300 draws of probability 1/3: mean 100, standard deviation 8.2; five of them either side.
    assert all(59 <= count <= 141 for count in counts.values())
    reseeded = model.generate([_request(r.prompt, r.sample_index, seed=1) for r in requests])
    assert [r.text for r in reseeded] != list(forward.values())


def test_texts_are_drawn_as_often_as_their_weights_say(tmp_path: Path) -> None:
    requests = [_request(_prompt(n), s) for n in range(100) for s in range(4)]

    def draws(seed: int) -> list[str | None]:
        text = f"seed: {seed}\nanswers: [{{texts: [a, b, c], weights: [1, 0.5, 6.5]}}]"
        return [r.text for r in _load(tmp_path, text).generate(requests)]

    counts = Counter(draws(0))
    # 400 draws of 1/8, 1/16 and 13/16: standard deviations 6.6, 4.8 and 7.8; five either side.
    assert abs(counts["a"] - 50) <= 33
    assert abs(counts["b"] - 25) <= 24
    assert abs(counts["c"] - 325) <= 39
    assert draws(0) == draws(0) != draws(1)


def test_noise_moves_likelihoods_by_prompt_and_choice(tmp_path: Path) -> None:
    def values(text: str) -> list[float]:
        model = _load(tmp_path, text)
        requests = [
            LikelihoodRequest(f"{n}-{choice}", _prompt(n), choice)
            for n in range(200)
            for choice in ("yes", "no")
        ]
        return [float(one.logprob or 0.0) for one in model.likelihood(requests)]

    rule = 'likelihoods: [{logprobs: {"*": -3}, noise: 0.5}]'
    found = values(rule)
    assert len(set(found)) == 400
    # 400 draws: the mean has a standard error of 0.025, their deviation one of 0.018.
    assert abs(mean(found) + 3) <= 0.125
    assert abs(stdev(found) - 0.5) <= 0.09
    assert values(rule) == found
    assert values(f"seed: 1\n{rule}") != found
    assert max(values('likelihoods: [{logprobs: {"*": -0.1}, noise: 2}]')) == 0.0


def test_greedy_takes_the_first_text(tmp_path: Path) -> None:
    model = _load(tmp_path, "answers: [{texts: [a, b, c]}]")
    greedy = Decoding(max_new_tokens=5, temperature=0)
    requests = [_request(_prompt(n), n, decoding=greedy) for n in range(20)]
    assert {result.text for result in model.generate(requests)} == {"a"}


def test_long_texts_are_cut(tmp_path: Path) -> None:
    model = _load(tmp_path, "answers: [{texts: [one two three]}]")
    requests = [_request(_prompt(), n, decoding=Decoding(n, 0)) for n in (2, 3)]
    cut, whole = model.generate(requests)
    assert (cut.text, cut.finish, cut.new_tokens) == ("one two", "length", 2)
    assert (whole.text, whole.finish, whole.new_tokens) == ("one two three", "stop", 3)
    assert whole.prompt_tokens == 7


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("error", ErrorKind.EXCEPTION),
        ("nan", ErrorKind.NAN_LOGITS),
        ("too_long", ErrorKind.TOO_LONG),
        ("out_of_memory", ErrorKind.OUT_OF_MEMORY),
        ("unsupported", ErrorKind.UNSUPPORTED),
    ],
)
def test_faults_are_errors_of_one_request(tmp_path: Path, fault: str, kind: ErrorKind) -> None:
    model = _load(
        tmp_path,
        f"""answers:
  - {{samples: [1], fault: {fault}}}
  - {{texts: [fine]}}
likelihoods:
  - {{match: {{template: t00}}, fault: {fault}}}
  - {{logprobs: {{"*": -2}}}}
""",
    )
    answers = list(model.generate([_request(_prompt(), n) for n in range(3)]))
    assert [a.text for a in answers] == ["fine", None, "fine"]
    assert [a.error.kind if a.error else None for a in answers] == [None, kind, None]
    requests = [LikelihoodRequest(f"l{n}", _prompt(n), "no") for n in range(2)]
    failed, fine = model.likelihood(requests)
    assert failed.logprob is None
    assert failed.error is not None
    assert failed.error.kind is kind
    assert fine.logprob == -2.0


def test_empty_is_an_answer_and_no_error(tmp_path: Path) -> None:
    (result,) = _load(tmp_path, "answers: [{fault: empty}]").generate([_request(_prompt())])
    assert (result.text, result.error, result.finish, result.new_tokens) == ("", None, "stop", 0)


def test_raise_breaks_the_model(tmp_path: Path) -> None:
    model = _load(tmp_path, "answers: [{match: {template: t01}, fault: raise}, {texts: [fine]}]")
    stream = model.generate([_request(_prompt(n)) for n in range(2)])
    assert next(stream).text == "fine"
    with pytest.raises(RuntimeError, match="table breaks here"):
        next(stream)


def test_what_no_rule_or_capability_covers_is_unsupported(tmp_path: Path) -> None:
    empty = _load(tmp_path, "answers: []")
    (answer,) = empty.generate([_request(_prompt())])
    (likelihood,) = empty.likelihood([LikelihoodRequest("l", _prompt(), "yes")])
    deaf = _load(
        tmp_path, 'capabilities: []\nanswers: [{texts: [a]}]\nlikelihoods: [{logprobs: {"*": -1}}]'
    )
    (answer_of_deaf,) = deaf.generate([_request(_prompt())])
    (likelihood_of_deaf,) = deaf.likelihood([LikelihoodRequest("l", _prompt(), "yes")])
    for result in (answer, likelihood, answer_of_deaf, likelihood_of_deaf):
        assert result.error is not None
        assert result.error.kind is ErrorKind.UNSUPPORTED


def test_likelihoods_by_label(tmp_path: Path) -> None:
    model = _load(tmp_path, 'likelihoods: [{logprobs: {"yes": -0.5, "n*": -1.5}}]')
    requests = [LikelihoodRequest(label, _prompt(), label) for label in ("yes", "no")]
    results = list(model.likelihood(requests))
    assert [(r.logprob, r.tokens) for r in results] == [(-0.5, 3), (-1.5, 1)]


def test_what_is_done_is_left_out(tmp_path: Path) -> None:
    model = _load(tmp_path, 'answers: [{texts: [a]}]\nlikelihoods: [{logprobs: {"*": -1}}]')
    requests = [_request(_prompt(n)) for n in range(3)]
    results = model.generate(requests, done={requests[1].id})
    assert [r.request_id for r in results] == [requests[0].id, requests[2].id]
    looked_up = [LikelihoodRequest(label, _prompt(), label) for label in ("yes", "no")]
    assert [r.choice for r in model.likelihood(looked_up, done={"yes"})] == ["no"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("answers: [{texts: [a], fault: nan}]", "either texts or a fault"),
        ("answers: [{}]", "either texts or a fault"),
        ("likelihoods: [{}]", "either logprobs or a fault"),
        ('likelihoods: [{logprobs: {"yes": 0.5}}]', "less than or equal to 0"),
        ("likelihoods: [{fault: empty}]", "fault"),
        ("answers: [{text: [a]}]", "text"),
        ("answers: [{texts: [a, b], weights: [1]}]", "1 weights for 2 texts"),
        ("answers: [{texts: [a], weights: [0]}]", "greater than 0"),
        ('likelihoods: [{logprobs: {"*": -1}, noise: -1}]', "greater than or equal to 0"),
    ],
)
def test_mistakes_in_the_file_are_named(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(InvalidFileError, match=re.escape(problem)):
        _load(tmp_path, text)


def test_the_documented_example_loads_and_equals_the_docstring(tmp_path: Path) -> None:
    documented = DOCUMENTATION.read_text("utf-8").split("```yaml\n")[1].split("```")[0]
    file = tmp_path / "polite.yaml"
    file.write_text(documented, "utf-8")
    model = load_scripted_model(file)
    (result,) = model.generate([_request(_prompt())])
    assert result.text in {"Thank you.", "A kind word costs nothing."}
    assert scripted.__doc__ is not None
    block = scripted.__doc__.split("::\n\n")[1].split("\n\n``match``")[0]
    assert yaml.safe_load(block) == yaml.safe_load(documented)
