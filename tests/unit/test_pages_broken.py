"""Pages in which an object is no JSON: that one is an error, where its end is certain, and all others come."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kubewatch import brackets, pages
from kubewatch.decode import decode_object
from kubewatch.errors import ApiError
from kubewatch.pages import Long, Odd, decode_page
from kubewatch.transport import parse_page
from kubewatch.turns import TURN

from .test_pages import SMALL, compact, custom, of_pod, of_web, typed

Form = Callable[[Iterable[bytes]], bytes]


def spaced(items: Iterable[bytes]) -> bytes:
    """A list as no server writes it, that has spaces in it and its items first."""
    return b'{ "items" :\n[ ' + b" ,\n".join(items) + b' ] , "kind": "PodList", "metadata": {"continue": "next"} }'


FORMS = [typed, custom, spaced]

# Between the brackets of an object called "x", its metadata intact.
BROKEN = [
    b'{"metadata":{"name":"x"},"spec":{"a":tru}}',
    b'{"metadata":{"name":"x"},"spec":{"a":1,}}',
    b'{"metadata":{"name":"x"},"spec":{,"a":1}}',
    b'{"metadata":{"name":"x"},"spec":{"a":[1,]}}',
    b'{"metadata":{"name":"x"},"spec":{"a":"\\q"}}',
    b'{"metadata":{"name":"x"},"spec":{"a":"\\u12"}}',
    b'{"metadata":{"name":"x"},"spec":{"a":"\x01\n"}}',
    b'{"metadata":{"name":"x"},"spec":{"a":01}}',
    b'{"metadata":{"name":"x"},"spec":{"a":1.}}',
    b'{"metadata":{"name":"x"},"spec":{"a" 1}}',
    b'{"metadata":{"name":"x"},"spec":{"a""b"}}',
    b'{"metadata":{"name":"x"},"spec" {"a":1}}',
    b'{"metadata":{"name":"x"},"spec"{"a":1}}',
    b'{"metadata":{"name":"x"},"spec":}',
    b'{"metadata":{"name":"x"},"spec"}',
    b'{"metadata":{"name":"x"},spec:1}',
    b'{"metadata":{"name":"x"} "spec":1}',
    b'{"metadata":{"name":"x"},"spec":\xff}',
    b'{"metadata":{"name":"x"},"spec":\x00}',
    b'{"metadata":{"name":"x"},"spec":[1 2 {} []]}',
    b'{"metadata":{"name":"x"},"spec":\'a\'}',
    b'{"metadata":{"name":"x"},"spec":{"a":NaN}}',
    b'{"metadata":{"name":"x"},"spec":"},{","a":}',
    b'{"metadata":{"name":"x"},"spec":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
]
# Where these end nobody can tell.
UNCERTAIN = [
    b'{"metadata":{"name":"x"},"spec":{"a":1}',
    b'{"metadata":{"name":"x"},"spec":{"a":1}}}',
    b'{"metadata":{"name":"x"},"spec":{"a":[1}]}',
    b'{"metadata":{"name":"x},"spec":{"a":1}}',
    b'{"metadata":{"name":x"},"spec":{"a":1}}',
    b'{"metadata":{"name":"x"},"spec":{"a":"\\"}}',
    b'{"metadata":{"name":"x"},"spec":1}{"metadata":{"name":"y"}}',
    b'{"metadata":{"name":"x"},"spec":1}"metadata"',
    b'{"metadata":{"name":"x"},"spec":1},',
    b'{"metadata":{"name":"x"},"spec":1}]',
    b"{",
    b'"',
    b"tru",
    b"",
]


@contextmanager
def stretch_of(size: int) -> Any:
    """As if `pages.STRETCH` were `size`."""
    whole, pages.STRETCH = pages.STRETCH, size
    try:
        yield
    finally:
        pages.STRETCH = whole


def taken(body: bytes, stretch: int = pages.STRETCH) -> list[Any]:
    """The JSON of each object, that of an error in an `Odd`."""
    with stretch_of(stretch):
        found = decode_page(body).decoded(decode_object, "v1", "Pod")
        return [obj.raw if isinstance(obj, Odd) else obj._raw for obj in found]


def odd_in(body: bytes, stretch: int = pages.STRETCH) -> list[bytes]:
    with stretch_of(stretch):
        return [obj.raw for obj in decode_page(body).decoded(decode_object, "v1", "Pod") if isinstance(obj, Odd)]


def around(broken: bytes, count: int) -> list[bytes]:
    return [*map(of_pod, range(count)), broken, *map(of_web, range(count))]


@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("count", [0, 1, 9])
@pytest.mark.parametrize("stretch", [SMALL, pages.STRETCH])
def test_an_object_that_is_no_json_is_one_error_and_the_objects_around_it_come(
    broken: bytes, form: Form, count: int, stretch: int
) -> None:
    items = around(broken, count)
    body = form(items)
    assert taken(body, stretch) == items
    assert odd_in(body, stretch) == [broken]
    with stretch_of(stretch):
        assert list(decode_page(body).items) == items
        assert decode_page(body).continue_ == "next"


@pytest.mark.parametrize("broken", UNCERTAIN)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("stretch", [SMALL, pages.STRETCH])
def test_a_list_fails_where_the_end_of_a_broken_object_is_not_certain(broken: bytes, form: Form, stretch: int) -> None:
    items = around(broken, 9)
    body = form(items)
    before: list[bytes] = []
    with stretch_of(stretch), pytest.raises(ApiError, match="no list") as raised:
        before.extend(parse_page(body, len(body), {}, "/api/v1/pods").items)
    assert "metadata" not in str(raised.value)  # not a word of what may be Secrets
    assert b",".join(items).startswith(b",".join(before))


@pytest.mark.parametrize("form", FORMS)
def test_several_broken_objects_are_several_errors(form: Form) -> None:
    items = [*BROKEN, *map(of_pod, range(900)), *BROKEN, *map(of_web, range(900)), *BROKEN]
    assert taken(form(items)) == items
    assert odd_in(form(items)) == BROKEN * 3


def test_two_objects_without_a_quote_do_not_take_away_the_one_between() -> None:
    """What is text and what is not changes places between the two, and their brackets still belong together."""
    one, other = b'{"metadata":{"name":"a},"spec":{}}', b'{"metadata":{"name":c"}}'
    for items in ([one, of_pod(1), other], [one, other], [other, of_pod(1), one], [other, b'{"":{"a":"b"}}', one]):
        with pytest.raises(msgspec.DecodeError):
            taken(typed(items))


def test_an_object_without_its_last_bracket_does_not_take_in_the_one_behind() -> None:
    one, other = b'{"metadata":{"name":"a"},"spec":{}', b'{"metadata":{"name":"c"}}}'
    for between in (b",", b" , ", b" "):
        with pytest.raises(msgspec.DecodeError):
            taken(typed([between.join((one, of_pod(1), other))]))


@pytest.mark.parametrize("form", FORMS)
def test_a_page_broken_elsewhere_is_none(form: Form) -> None:
    for was, becomes in ((b'"next"', b'"\\q"'), (b'"next"', b"nex"), (b'"next"', b""), (b'"next"', b'"next",')):
        for items in ([BROKEN[0]], around(BROKEN[0], 900)):
            with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
                taken(form(items).replace(was, becomes))


def test_a_list_that_ends_before_it_seems_to_is_not_mixed_up_where_an_object_is_broken() -> None:
    for behind in (b',"other":[{}]', b',"items":[{"metadata":{}}]', b',"\\u0069tems":[]'):
        with pytest.raises(msgspec.DecodeError):
            taken(typed(around(BROKEN[0], 900), rest=behind))


def test_other_threads_get_a_turn_while_a_broken_page_is_taken_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[None] = []
    monkeypatch.setattr(brackets, "give_way", lambda: turns.append(None))
    for form in (typed, spaced):
        turns.clear()
        body = form([BROKEN[0], *(of_pod(number) for number in range(20_000))])
        page = decode_page(body)
        assert isinstance(page.items, Long) == (form is typed)
        assert sum(1 for _ in page.items) == 20_001
        assert len(turns) == len(body) // TURN


# Any damage

scalars = st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["", "}]", '},{"metadata":{', "\\", '"'])
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab,"), inner, max_size=3),
    max_leaves=8,
)
labels = st.dictionaries(st.sampled_from("ab,"), st.sampled_from(["", "}]", "\\"]), max_size=3)
names = st.fixed_dictionaries({"name": st.sampled_from(["a", "b]}", 'c"},{'])}, optional={"labels": labels})
objects = st.fixed_dictionaries({"metadata": names}, optional={"spec": values, "items": st.lists(values, max_size=2)})
lists = st.lists(objects.map(compact), max_size=6)
junk = st.sampled_from(
    [b",", b":", b"tru", b"01", b"\\", b"\x01", b"\xff", b"-", b"'", b" ", b"[]", b'"" ', b'{"a":[]}']
)


def places(raw: bytes, behind: bytes) -> list[int]:
    """Where something may be put, `behind` one of these, that leaves texts and brackets of an object as they are."""
    outside, found = True, []
    for at, byte in enumerate(raw):
        if outside and at and raw[at - 1] in behind and byte not in b"{[":
            found.append(at)
        if byte == ord('"') and (outside or not _escaped(raw, at)):
            outside = not outside
    return found


def _escaped(raw: bytes, at: int) -> bool:
    return (at - len(raw[:at].rstrip(b"\\"))) % 2 == 1


def is_json(raw: bytes) -> bool:
    try:
        msgspec.json.decode(raw, type=msgspec.Raw)
    except msgspec.DecodeError:
        return False
    return True


@given(st.sampled_from(FORMS), lists, objects.map(compact), lists, st.sampled_from([SMALL, pages.STRETCH]), st.data())
def test_whatever_is_put_between_the_brackets_of_an_object_concerns_that_one_alone(
    form: Form, before: list[bytes], hit: bytes, behind: list[bytes], stretch: int, data: st.DataObject
) -> None:
    put = data.draw(junk)
    at = data.draw(st.sampled_from(places(hit, behind=b":" if put[:1] in b'{["' else b"{[,:")))
    broken = hit[:at] + put + hit[at:]
    assume(not is_json(broken))
    assert taken(form([*before, broken, *behind]), stretch) == [*before, broken, *behind]
    assert odd_in(form([*before, broken, *behind]), stretch) == [broken]


@given(st.sampled_from(FORMS), lists, st.sampled_from([16, SMALL, 400, pages.STRETCH]))
def test_a_page_that_is_json_is_never_looked_at_by_its_brackets_alone(
    form: Form, items: list[bytes], stretch: int
) -> None:
    assert taken(form(items), stretch) == items
    assert odd_in(form(items), stretch) == []


bites = st.sampled_from([b"", b'"', b"{", b"]", b"}", b"[", b",", b"\\", b"a", b'},{"metadata":{', b"}]"])


@given(st.sampled_from(FORMS), st.lists(objects.map(compact), min_size=3, max_size=6), st.data())
def test_no_damage_takes_away_an_object_that_is_left_whole(form: Form, items: list[bytes], data: st.DataObject) -> None:
    """Either the list fails, or each object that was not touched comes out: never less, whatever was done to two."""
    hit = list(items)
    for which in (0, len(items) - 1):
        at = data.draw(st.integers(0, len(hit[which])))
        hit[which] = hit[which][:at] + data.draw(bites) + hit[which][at + data.draw(st.integers(0, 2)) :]
    for stretch in (SMALL, pages.STRETCH):
        try:
            found = taken(form(hit), stretch)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        try:
            whole: Any = json.loads(form(hit))["items"]
        except ValueError:
            for item in items[1:-1]:
                assert found.count(item) >= items[1:-1].count(item)
        else:
            assert [json.loads(raw) for raw in found] == whole
