from __future__ import annotations

from pathlib import Path

import pytest

from undercard.domain.problems import where
from undercard.errors import BadInput, BadShotList
from undercard.shotlist import yaml_source


def read(folder: Path, text: str | bytes) -> yaml_source.Source:
    path = folder / "list.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return yaml_source.read(path)


def refused(folder: Path, text: str | bytes) -> str:
    """Return what reading *text* says, whether it stops there or goes on."""
    try:
        problems = read(folder, text).problems
    except BadShotList as exc:
        return str(exc)
    return str(BadShotList("list.yaml", problems)) if problems else ""


def test_every_value_has_the_line_it_stands_on(tmp_path: Path) -> None:
    source = read(tmp_path, "title: x\nshots:\n  - id: a\n    at: [1,\n      2]\n")

    assert source.lines["title",] == 1
    assert source.lines["shots", 0, "at"] == 4
    assert source.lines["shots", 0, "at", 1] == 5


def test_the_line_of_something_missing_is_that_of_what_surrounds_it(tmp_path: Path) -> None:
    source = read(tmp_path, "title: x\nshots:\n  - id: a\n")

    assert source.line(("shots", 0, "keyframes", 3)) == 3


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("no", "no"),
        ("on", "on"),
        ("1:30", "1:30"),
        ("12:30:45", "12:30:45"),
        ("2026-11-23", "2026-11-23"),
        ("0x10", "0x10"),
        ("1_000", "1_000"),
        (".inf", ".inf"),
        ("true", True),
        ("~", None),
        ("007", 7),
        ("-3", -3),
        ("2.5", 2.5),
        ("1e3", 1000.0),
        ("'24'", "24"),
        ('"true"', "true"),
    ],
)
def test_a_scalar_is_only_what_it_plainly_is(tmp_path: Path, written: str, meant: object) -> None:
    data = read(tmp_path, f"value: {written}\n").data

    assert data == {"value": meant}
    assert isinstance(data, dict)
    assert type(data["value"]) is type(meant)


def test_keys_stay_the_words_they_are(tmp_path: Path) -> None:
    assert read(tmp_path, "on: 1\nno: 2\n12: 3\n").data == {"on": 1, "no": 2, "12": 3}


def test_a_key_written_twice_names_the_key_and_both_lines(tmp_path: Path) -> None:
    message = refused(tmp_path, "title: a\nfps: 24\ntitle: b\n")

    assert "list.yaml:3" in message
    assert "'title' stands on line 1 and again on line 3" in message


def test_aliases_are_refused_wherever_they_stand(tmp_path: Path) -> None:
    bomb = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"

    message = refused(tmp_path, bomb)

    assert message.count("alias") >= 4
    assert "list.yaml:3" in message


def test_a_file_full_of_aliases_is_given_up_after_two_hundred(tmp_path: Path) -> None:
    with pytest.raises(BadShotList) as caught:
        read(tmp_path, "a: &a x\n" + "".join(f"b{number}: *a\n" for number in range(3000)))

    assert len(caught.value.problems) == yaml_source.MAX_REFUSED


def test_merge_keys_bring_nothing_in(tmp_path: Path) -> None:
    assert "alias *base" in refused(tmp_path, "a: &base {x: 1}\nb:\n  <<: *base\n")


def test_tags_are_refused(tmp_path: Path) -> None:
    message = refused(tmp_path, "title: !!python/object/apply:os.system [ls]\nn: !!int 3\n")

    assert "list.yaml:1" in message
    assert "list.yaml:2" in message


def test_all_refusals_are_told_at_once(tmp_path: Path) -> None:
    source = read(tmp_path, "a: &x 1\nb: *x\nc: !t 2\na: 3\n")

    assert [problem.line for problem in source.problems] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"  \n\n", "empty"),
        (b"title: \xff\xfe\n", "not UTF-8"),
        (b"a: 1\n\nb: \xe9t\xe9\n", "list.yaml:3"),
        (b"title: [1, 2\nshots: x\n", "not YAML"),
        (b"title: 'open\n", "not YAML"),
        (b"a:\n\t- b\n", "list.yaml:2"),
        (b"title: a\x07b\n", "not YAML"),
        (b"title: a\n---\ntitle: b\n", "second document"),
        (b"%YAML 9.9\nx", "not YAML"),
        (b"? [a, b]\n: c\n", "a key that is no plain word"),
        (b"n: 1e999\n", "too large"),
        (b"n: " + b"9" * 5000 + b"\n", "too large"),
        (b"a: " + b"[" * 60_000, "nested deeper"),
        (b"a: " + b"{b: " * 5000, "nested deeper"),
        (b"a: [" + b"1," * 250_001 + b"]", "more than 250,000 values"),
    ],
)
def test_a_file_that_is_no_plain_yaml_is_a_clear_error(tmp_path: Path, content: bytes, said: str) -> None:
    assert said in refused(tmp_path, content)


def test_a_file_over_the_limit_is_refused_without_being_parsed(tmp_path: Path) -> None:
    content = b"#" * (yaml_source.MAX_BYTES + 1)

    assert "larger than 1,048,576 bytes" in refused(tmp_path, content)


def test_a_file_of_exactly_the_limit_is_read(tmp_path: Path) -> None:
    content = b"a: 1\n#" + b"x" * (yaml_source.MAX_BYTES - 6)

    assert read(tmp_path, content).data == {"a": 1}


def test_a_byte_order_mark_is_no_part_of_the_file(tmp_path: Path) -> None:
    assert read(tmp_path, b"\xef\xbb\xbftitle: x\n").data == {"title": "x"}


@pytest.mark.parametrize("name", ["absent.yaml", ".", "a\0b.yaml"])
def test_a_path_that_is_no_file_is_said_to_be_none(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match="shot list"):
        yaml_source.read(tmp_path / name)


def test_where_reads_like_a_path_through_the_file() -> None:
    assert where(("shots", "jab", "keyframes", 1, "at")) == "shots › jab › keyframes[1] › at"
