"""Answers as models write them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.fakes.judge import completion
from undercard.errors import JudgeUnheard
from undercard.gate.critic.answer import MOST_WORDS, Answer, one_line, read

SIZE = (200, 100)
REJECTS = {"verdict": "reject", "cause": "three arms", "region": {"left": 0.1, "top": 0.2, "right": 0.5, "bottom": 1}}


def said(content: object, finish: str = "stop") -> Answer:
    text = content if isinstance(content, str) else json.dumps(content)
    return read(completion({"role": "assistant", "content": text}, finish), SIZE)


def test_an_answer_says_whether_why_and_where() -> None:
    assert said({"verdict": "accept", "cause": "", "region": None}) == Answer(accepts=True)
    assert said(REJECTS) == Answer(accepts=False, cause="three arms", region=(20, 20, 80, 80))


@pytest.mark.parametrize(
    "around",
    ["%s", "```json\n%s\n```", "<think>{maybe} not</think>\n%s", "Here you are: %s — I hope that helps {you}."],
)
def test_what_models_write_around_the_answer_does_not_matter(around: str) -> None:
    assert not said(around.replace("%s", json.dumps(REJECTS))).accepts


def test_content_in_parts_is_put_together() -> None:
    text = json.dumps(REJECTS)
    parts = [{"type": "text", "text": text[:9]}, {"type": "text", "text": text[9:]}]

    assert read(completion({"role": "assistant", "content": parts}), SIZE).cause == "three arms"


@pytest.mark.parametrize(
    "region",
    [
        None,
        "left",
        [0.1, 0.2, 0.5, 1.0],
        {"left": 0.1, "top": 0.2, "right": 0.5},
        {"left": 120, "top": 40, "right": 400, "bottom": 90},
        {"left": 0.5, "top": 0.2, "right": 0.1, "bottom": 0.4},
        {"left": 0.1, "top": 0.2, "right": 0.5, "bottom": None},
    ],
)
def test_a_region_that_is_no_part_of_the_picture_is_left_out(region: object) -> None:
    assert said({**REJECTS, "region": region}) == Answer(accepts=False, cause="three arms")


def test_a_cause_is_one_line_that_steers_no_terminal() -> None:
    cause = said({**REJECTS, "cause": "three\n\x1b[31marms\u202e " + "and more " * 99}).cause

    assert "\n" not in cause
    assert "\x1b" not in cause
    assert len(cause) <= MOST_WORDS
    assert cause.startswith("three [31marms")


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (completion({"role": "assistant", "content": None, "refusal": "I cannot look at fights."}), "refuses to judge"),
        (completion({"role": "assistant", "content": ""}, "content_filter"), "filter"),
        (completion({"role": "assistant", "content": ""}, "length"), "cut off"),
        (completion({"role": "assistant", "content": '{"verdict": "rej'}, "length"), "no JSON"),
        (completion({"role": "assistant", "content": "It looks good to me."}), "no JSON"),
        (completion({"role": "assistant", "content": '{"verdict": "maybe", "cause": ""}'}), "'maybe'"),
        (completion({"role": "assistant", "content": '{"verdict": "reject", "cause": " "}'}), "not say why"),
        (completion({"role": "assistant", "content": '{"a": ' * 20_000}), "no JSON"),
        ({"choices": []}, "answers nothing"),
        ({"object": "error"}, "answers nothing"),
        ([], "answers nothing"),
        (None, "answers nothing"),
    ],
)
def test_what_cannot_be_read_is_unheard_and_says_why(told: object, words: str) -> None:
    with pytest.raises(JudgeUnheard, match=words):
        read(told, SIZE)


ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "choices",
                    "message",
                    "content",
                    "refusal",
                    "finish_reason",
                    "text",
                    "verdict",
                    "cause",
                    "region",
                    "left",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(ANYTHING, ANYTHING)
def test_whatever_is_answered_is_an_answer_or_unheard(told: object, content: object) -> None:
    for one in (told, completion({"content": content}), completion({"content": json.dumps(content)})):
        try:
            answer = read(one, SIZE)
        except JudgeUnheard:
            continue
        assert answer.accepts or answer.cause


@given(verdict=st.sampled_from(["accept", "reject"]), cause=st.text() | ANYTHING, region=ANYTHING)
def test_whatever_stands_beside_a_verdict_only_a_rejection_has_a_cause_and_none_is_without(
    verdict: str, cause: object, region: object
) -> None:
    told = {"verdict": verdict, "cause": cause, "region": region}
    if verdict == "reject" and not one_line(cause):
        with pytest.raises(JudgeUnheard, match="does not say why"):
            said(told)
        return

    answer = said(told)

    assert answer.accepts == (verdict == "accept")
    assert bool(answer.cause) != answer.accepts


SHARES = st.tuples(st.floats(-0.01, 1.01), st.floats(-0.01, 1.01)).map(sorted)


@given(SHARES, SHARES)
def test_a_region_that_is_a_place_lies_in_the_picture(across: list[float], down: list[float]) -> None:
    # Not narrower than a hundredth, whatever lies beyond the picture.
    across, down = [across[0], max(across[1], across[0] + 0.03)], [down[0], max(down[1], down[0] + 0.03)]
    assume(across[1] <= 1.01 and down[1] <= 1.01)

    region = said(
        {**REJECTS, "region": {"left": across[0], "right": across[1], "top": down[0], "bottom": down[1]}}
    ).region

    assert region is not None
    x, y, width, height = region
    assert 0 <= x < x + width <= SIZE[0]
    assert 0 <= y < y + height <= SIZE[1]
