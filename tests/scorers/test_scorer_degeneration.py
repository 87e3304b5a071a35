"""The degeneration rules, at their thresholds and on hostile text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmaudit.scorers import ScorerInput, load_scorer
from llmaudit.scorers.degeneration import Degeneration, find_degeneration, split_words

PROSE = (
    "The ferry leaves the harbour at nine and reaches the island before noon, where a small "
    "museum shows how the fishermen used to live. Visitors may climb the lighthouse, although "
    "the stairs are narrow and steep. In winter the café is closed, so bring your own lunch."
)


@pytest.mark.parametrize("text", ["", " ", "\n\t", "\u200b\u200b", "...", "  —  "])
def test_nothing_said_is_empty(text: str) -> None:
    assert find_degeneration(text) is Degeneration.EMPTY


@pytest.mark.parametrize(
    "text",
    [
        "no " * 10,
        "I am fine. " * 12,
        "ha" * 40,
        "a" * 24,
        "!" * 24,
        "哈" * 30,
        "\U0001f600" * 30,
        "今天天气很好" * 20,
        "the cat sat on the mat and " * 8,
    ],
)
def test_repetition(text: str) -> None:
    assert find_degeneration(text) is Degeneration.REPETITION


@pytest.mark.parametrize(
    "text",
    [
        PROSE,
        "No.",
        "42",
        "yes yes yes",
        "\U0001f600",
        "今天天气很好，我们去公园散步，然后在湖边吃午饭。",
        "1. Bread\n2. Milk\n3. Eggs\n4. Rice\n5. Tea",
        "She loves you, yeah, yeah, yeah. She loves you, yeah, yeah, yeah.",
    ],
)
def test_ordinary_answers_are_ok(text: str) -> None:
    assert find_degeneration(text) is Degeneration.OK


def test_the_share_of_one_word_decides() -> None:
    six, four = ["no"] * 6, ["a", "b", "c", "d"]
    assert find_degeneration(" ".join(six + four)) is Degeneration.REPETITION
    assert find_degeneration(" ".join(six[:5] + four + ["e"])) is Degeneration.OK
    assert find_degeneration(" ".join((six + four)[:9])) is Degeneration.OK


def test_echo_of_the_prompt() -> None:
    prompt = "Write a short story about a nurse who moves to a new town."
    assert find_degeneration(prompt.upper(), prompt) is Degeneration.ECHO
    assert find_degeneration(PROSE, prompt) is Degeneration.OK
    assert find_degeneration(prompt, "") is Degeneration.OK


def test_a_short_quotation_of_a_long_prompt_is_no_echo() -> None:
    assert find_degeneration("the ferry leaves the harbour at nine", PROSE) is Degeneration.OK


@pytest.mark.parametrize(
    "text", ["a" * 10**6, "ab " * 333_333, "(" * 10**6, "e\u0301" * 500_000, PROSE * 3500]
)
def test_a_megabyte_of_one_thing_is_repetition(text: str) -> None:
    assert find_degeneration(text, text) is Degeneration.REPETITION


@given(st.text(max_size=400), st.text(max_size=100))
def test_any_text_has_one_label_and_always_the_same(text: str, prompt: str) -> None:
    assert find_degeneration(text, prompt) is find_degeneration(text, prompt)


@given(st.text(alphabet=st.characters(categories=["L"]), min_size=1, max_size=50))
def test_letters_are_never_empty(text: str) -> None:
    assert find_degeneration(text) is not Degeneration.EMPTY


def test_words_are_folded() -> None:
    assert split_words("Straße, ＦＵＬＬ width!") == ["strasse", "full", "width"]


def test_the_scorer_labels_what_others_skip() -> None:
    scorer = load_scorer("degeneration")
    outputs = scorer.score([ScorerInput("", "p", "en"), ScorerInput(PROSE, "p", "en")])
    assert [(o.value, o.label, o.reason) for o in outputs] == [
        (1.0, "empty", None),
        (0.0, "ok", None),
    ]
    assert getattr(scorer, "scores_empty", False) is True


LATIN = "xkqzv bdrtg mnpqr wvxzk jhgfd ptkrs zxcvb lkjhg qwrtp vbnmk"
MIXED = "приvет мiр тeкст слoво дoм кoт лeс рекa гoра нeбо"


@pytest.mark.parametrize(
    "text",
    [
        LATIN,
        MIXED,
        "\ufffd\x01ab \ufffdcd\ufffd efgh ijkl mnop qrst uvwx yz",
        "}{><|~ ^^ == ++ --- %% $$ ## @@ && ** (( )) [[ ]] a b c",
    ],
)
def test_gibberish(text: str) -> None:
    assert find_degeneration(text) is Degeneration.GIBBERISH


@pytest.mark.parametrize(
    "text",
    [
        "Die Angst des Tormanns beim Elfmeter war gewiss nur ein kleiner Schmerz am Abend.",
        "W Szczebrzeszynie chrząszcz brzmi w trzcinie i Szczebrzeszyn z tego słynie od lat.",
        "def add(a, b):\n    return {'sum': a + b, 'pair': (a, b)}",
        "😀😃😄😁😆😅😂🤣😊😇🙂🙃😉😌😍🥰😘😗😙😚😋😛😝😜🤪",
        "日本語のテキストとEnglishの言葉が混ざることもあります。",
        "Привет, мир! Это обычный текст на русском языке о погоде.",
        "xkqzv bdrtg",
    ],
)
def test_ordinary_texts_are_not_gibberish(text: str) -> None:
    assert find_degeneration(text) is Degeneration.OK


def test_an_answer_that_was_cut_is_labelled_and_is_an_answer() -> None:
    inputs = [ScorerInput(PROSE, "p", "en", finish=finish) for finish in ("length", "stop", None)]
    inputs.append(ScorerInput(LATIN, "p", "en", finish="length"))
    outputs = load_scorer("degeneration").score(inputs)
    assert [(one.value, one.label) for one in outputs] == [
        (0.0, "truncated"),
        (0.0, "ok"),
        (0.0, "ok"),
        (1.0, "gibberish"),
    ]


def test_scripts_without_spaces_are_read_by_letters() -> None:
    asked = "我怎么割草才不会吵醒正在午睡的宝宝？"
    assert find_degeneration(asked, asked) is Degeneration.ECHO
    assert find_degeneration("可以在宝宝睡醒以后再割草。", asked) is Degeneration.OK
    parts = ("在Linux上用ps命令", "用top看CPU", "查Python进程", "用kill结束", "打开Bash终端")
    assert find_degeneration(", ".join((*parts, "安装Docker", "重启nginx", "停止MySQL"))) is (
        Degeneration.OK
    )
