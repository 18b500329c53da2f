"""Pages of a list, from bytes: cut up a stretch at a time, and always into what a plain JSON parser sees in them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import cycle
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kubewatch import pages
from kubewatch.decode import decode_object
from kubewatch.objects import Object
from kubewatch.pages import Arriving, Odd, Page, decode_page
from kubewatch.turns import TURN

Json = dict[str, Any]

SMALL = 64  # bytes in a stretch: so that small pages are long ones


def compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


def typed(items: Iterable[bytes], continue_: str = "next", rest: bytes = b"") -> bytes:
    """A list as Go writes one of a built-in kind: its metadata first."""
    meta = b'{"resourceVersion":"9","continue":%s,"remainingItemCount":3}' % compact(continue_)
    head = b'{"kind":"PodList","apiVersion":"v1","metadata":%s,"items":[' % meta
    return b"".join((head, b",".join(items), b"]", rest, b"}\n"))


def custom(items: Iterable[bytes], continue_: str = "next", rest: bytes = b"") -> bytes:
    """A list as Go writes one of a custom resource: its members in order of the alphabet."""
    tail = b',"kind":"WebList","metadata":{"continue":%s,"remainingItemCount":3,"resourceVersion":"9"}}\n'
    return b'{"apiVersion":"example.com/v1","items":[' + b",".join(items) + b"]" + rest + tail % compact(continue_)


def of_pod(number: int) -> bytes:
    nested = [{"metadata": {"name": "data"}}, {"metadata": {"name": "logs"}, "spec": {"text": '},{"metadata":{'}}]
    return compact({"metadata": {"name": f"pod-{number}"}, "spec": {"templates": nested, "n": [1.5, None, True]}})


def of_web(number: int) -> bytes:
    owners = [{"apiVersion": "example.com/v1", "kind": "Web", "metadata": {}}] * 2
    meta = {"name": f"web-{number}", "ownerReferences": owners}
    return compact({"apiVersion": "example.com/v1", "kind": "Web", "metadata": meta, "spec": {"text": "[]}]"}})


def test_a_page_gives_its_items_their_kind_and_the_way_on() -> None:
    for page in (decode_page(typed(map(of_pod, range(2)))), decode_page(json.dumps(json.loads(typed([]))).encode())):
        assert (page.kind, page.api_version, page.resource_version) == ("Pod", "v1", "9")
        assert (page.continue_, page.remaining) == ("next", 3)
    assert list(decode_page(typed(map(of_pod, range(2)))).items) == [of_pod(0), of_pod(1)]


def test_a_page_without_items_is_an_empty_page() -> None:
    assert decode_page(b'{"metadata": {}, "items": null}').items == []
    assert decode_page(b'{"metadata": {"continue": ""}, "items": []}').continue_ == ""


@pytest.mark.parametrize("filler", [b"", b" " * pages.STRETCH])
def test_a_single_object_is_no_empty_list(filler: bytes) -> None:
    with pytest.raises(msgspec.ValidationError, match="items"):
        decode_page(b'{"kind": "Pod", "metadata": {"name": "web"}' + filler + b"}")


@pytest.mark.parametrize("form", [typed, custom])
@pytest.mark.parametrize("of", [of_pod, of_web])
def test_a_long_page_is_cut_up_as_it_is_read(form: Any, of: Any) -> None:
    items = [of(number) for number in range(2000)]
    page = decode_page(form(items))
    assert (page.resource_version, page.continue_, page.remaining) == ("9", "next", 3)
    assert not isinstance(page.items, list)
    assert list(page.items) == items


def test_an_item_longer_than_a_stretch_is_one_item() -> None:
    long = compact({"metadata": {"name": "long"}, "parts": [{"metadata": {"n": n}} for n in range(9000)]})
    items = [of_pod(1), long, of_pod(2), long]
    page = decode_page(typed(items))
    assert not isinstance(page.items, list)
    assert list(page.items) == items


def test_an_odd_item_is_one_error_and_the_items_around_it_come() -> None:
    odd = b'{"metadata":{"name":5}}'
    for items in ([of_pod(1), odd, of_pod(2)], [*map(of_pod, range(900)), odd, odd, *map(of_pod, range(900))]):
        found = list(decode_page(typed(items)).decoded(decode_object, "v1", "Pod"))
        assert [obj.raw if isinstance(obj, Odd) else obj._raw for obj in found] == items
        assert [index for index, obj in enumerate(found) if isinstance(obj, Odd)] == [
            index for index, item in enumerate(items) if item == odd
        ]


def test_items_much_shorter_than_the_one_before_are_found() -> None:
    items = [of_pod(1), of_pod(2) + b" " * 9000, of_pod(3), of_pod(4), of_pod(5) + b" " * 90_000, of_pod(6)] * 3
    found = list(decode_page(typed(items)).decoded(decode_object, "v1", "Pod"))
    assert [msgspec.json.decode(obj._raw) for obj in found if isinstance(obj, Object)] == list(map(json.loads, items))


def test_other_threads_get_a_turn_while_a_long_page_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[None] = []
    monkeypatch.setattr(pages, "give_way", lambda: turns.append(None))
    body = typed([of_pod(number) for number in range(20_000)])
    assert sum(1 for _ in decode_page(body).decoded(decode_object, "v1", "Pod")) == 20_000
    assert len(turns) == len(body) // TURN


def test_a_page_that_breaks_off_inside_is_an_error_behind_the_items_before() -> None:
    items = [of_pod(number) for number in range(2000)]
    body = typed([*items[:1000], b'{"metadata":{"name":}', *items[1000:]])
    seen: list[bytes] = []
    with pytest.raises(msgspec.DecodeError):
        seen.extend(decode_page(body).items)
    assert seen == items[:1000]


def test_members_that_come_twice_are_never_mixed_up() -> None:
    """JSON does not forbid it, and the last one counts; where that is known too late, the page is refused."""
    items = [of_pod(number) for number in range(2000)]
    other = b',"other":[{}]'
    assert list(decode_page(typed(items, rest=other)).items) == items
    assert list(decode_page(custom(items, rest=other)).items) == items
    again = b',"items":[' + of_pod(7) + b"]"
    assert list(decode_page(typed(items[:3], rest=again)).items) == [of_pod(7)]
    for rest in (again, again + other, b',"metadata":{"continue":"another"}' + other):
        with pytest.raises(msgspec.DecodeError, match="twice"):
            list(decode_page(typed(items, rest=rest)).items)


@pytest.mark.parametrize("items", [[], [b"null"], [b'"}],"', b"[]"], [b'{"metadata":{}}', b"7", b'{"metadata":{}}']])
def test_a_list_that_ends_before_it_seems_to_is_whole_also_where_its_items_are_no_objects(items: list[bytes]) -> None:
    padding = [{"metadata": {"name": "x" * pages.STRETCH}}]
    page = decode_page(typed(items, rest=b',"other":' + compact(padding * 2)))
    assert (page.kind, page.continue_) == ("Pod", "next")
    assert list(page.items) == items


# Against json.loads

scalars = st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["", "}]", '},{"metadata":{', "\\", '"'])
words = st.sampled_from(["metadata", "items", "kind", "apiVersion", "name", "continue", ""])
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3), max_leaves=8
)
objects = st.fixed_dictionaries(
    {"metadata": st.fixed_dictionaries({"name": st.sampled_from(["a", "b]}", 'c"},{'])}, optional={"labels": values})},
    optional={"spec": values, "items": st.lists(values, max_size=2)},
)
lists = st.lists(st.tuples(st.booleans(), objects), max_size=8)
metas = st.fixed_dictionaries(
    {}, optional={"resourceVersion": st.just("9"), "continue": st.sampled_from(["", "n", "]}", "\\", '"items":['])}
)
member = st.one_of(
    st.tuples(st.just("items"), lists),
    st.tuples(st.just("metadata"), metas),
    st.tuples(st.just("kind"), st.sampled_from(["PodList", "Pod", '}]"'])),
    st.tuples(st.sampled_from(["other", "status"]), values),
)
some = st.lists(member, max_size=2)
usual = st.permutations(["metadata", "items"]).flatmap(
    lambda names: st.tuples(*(st.tuples(st.just(name), {"metadata": metas, "items": lists}[name]) for name in names))
)
members = st.tuples(some, usual, some).map(lambda parts: [*parts[0], *parts[1], *parts[2]])


def written(members: list[tuple[str, Any]], spaced: int) -> bytes:
    """A page with its members in this order, even where they come twice."""
    separators = ((",", ":"), (", ", ": "), (",", ": "))[spaced]

    def text(name: str, value: Any) -> str:
        if name == "items":
            return "[" + separators[0].join(json.dumps(v, separators=separators, sort_keys=s) for s, v in value) + "]"
        return json.dumps(value, separators=separators)

    return (
        "{" + separators[0].join(json.dumps(name) + separators[1] + text(name, value) for name, value in members) + "}"
    ).encode()


def cut(body: bytes, stretch: int) -> tuple[Page, list[Any]]:
    """The page and its items, which come to the same on both ways."""
    whole, pages.STRETCH = pages.STRETCH, stretch
    try:
        page = decode_page(body)
        try:
            items = [json.loads(item) for item in page.items]
        except msgspec.DecodeError:
            with pytest.raises(msgspec.DecodeError):
                list(decode_page(body).decoded(loaded, "", ""))
            raise
        assert list(decode_page(body).decoded(loaded, "", "")) == items
        return page, items
    finally:
        pages.STRETCH = whole


def loaded(raw: bytes, api_version: str, kind: str) -> Any:
    return json.loads(raw)


@given(members, st.integers(0, 2), st.sampled_from([16, SMALL, 400]))
@example([("metadata", {}), ("items", [(False, {"metadata": {"items": []}})] * 9), ("items", [])], 0, SMALL)
@example([("metadata", {}), ("items", [(False, {"metadata": {}})]), ("other", [{}])], 0, 16)
@example([("metadata", {}), ("items", []), ("other", [{"metadata": {}}])], 0, 16)
def test_a_page_is_cut_up_into_what_a_json_parser_sees_or_refused(
    members: list[tuple[str, Any]], spaced: int, stretch: int
) -> None:
    body = written(members, spaced)
    expected: Json = json.loads(body)
    names = [name for name, _ in members]
    try:
        page, items = cut(body, stretch)
    except msgspec.DecodeError:
        if len(set(names)) == len(names):
            raise
        return  # a member is there twice, which was known too late
    assert items == expected["items"]
    meta = expected["metadata"]
    assert page.continue_ == meta.get("continue", "")
    assert page.resource_version == meta.get("resourceVersion", "")
    assert page.kind == expected.get("kind", "").removesuffix("List")


@given(
    st.sampled_from([typed, custom]),
    st.lists(objects.map(compact), min_size=2, max_size=8),
    st.data(),
)
def test_a_damaged_page_is_refused_or_one_of_its_objects_is_or_it_is_still_a_page(
    form: Any, items: list[bytes], data: st.DataObject
) -> None:
    body = form(items)
    at = data.draw(st.integers(0, len(body) - 1))
    length = data.draw(st.integers(0, 9))
    damaged = body[:at] + data.draw(st.sampled_from([b"", b'"', b"{", b"]", b"}", b",", b"\\"])) + body[at + length :]
    try:
        expected: Any = json.loads(damaged)
    except ValueError:
        with pytest.raises((msgspec.DecodeError, ValueError)):  # of the page, or of one object as json reads it
            cut(damaged, SMALL)
        return
    try:
        assert cut(damaged, SMALL)[1] == (expected["items"] or [])
    except msgspec.DecodeError:
        with pytest.raises(msgspec.DecodeError):
            cut(damaged, len(damaged))  # in one call, too: it is JSON, but no list


@given(
    st.sampled_from([typed, custom]),
    st.lists(objects.map(compact), max_size=8),
    st.lists(st.integers(1, 90), min_size=1, max_size=9),
    st.sampled_from([16, SMALL, 400]),
)
def test_a_page_is_the_same_however_it_arrives(form: Any, items: list[bytes], sizes: list[int], stretch: int) -> None:
    body, whole = form(items), pages.STRETCH
    pages.STRETCH = stretch
    try:
        arriving = Arriving()
        at = 0
        for size in cycle(sizes):
            if at >= len(body):
                break
            arriving.feed(body[at : at + size])
            at += size
        page = arriving.page()
        assert list(page.items) == items
        assert (page.kind, page.continue_, page.remaining) == (decode_page(body).kind, "next", 3)
    finally:
        pages.STRETCH = whole


@pytest.mark.parametrize("size", [1, 2, 5, 11, 12, 13, 100, 4_096, 16_000, 1_000_000])
def test_a_long_page_is_cut_up_while_it_arrives(size: int) -> None:
    items = [
        compact({"metadata": {"name": f"web-{number}"}, "data": "x" * (100 + number % 7)})
        for number in range(9000 if size > 20 else 600)
    ]
    body = typed(items)
    arriving = Arriving()
    for at in range(0, len(body), size):
        arriving.feed(body[at : at + size])
        assert arriving._size < pages.STRETCH + size
    assert arriving._pieces == items[:-1]
    assert arriving.received() == body
    assert list(arriving.page().items) == items


def test_an_item_that_comes_in_many_blocks_is_put_together_once() -> None:
    long = compact({"metadata": {"name": "long"}, "data": "x" * 30_000_000})
    arriving = Arriving()
    body = typed([of_web(1), long, of_web(2)])
    for at in range(0, len(body), 65_536):
        arriving.feed(body[at : at + 65_536])
        assert not arriving._blocks or len(arriving._blocks[-1]) <= 65_536
    assert list(arriving.page().items) == [of_web(1), long, of_web(2)]


def test_neither_a_page_nor_an_odd_item_shows_what_is_in_it() -> None:
    odd = Odd(b"hunter2", ValueError())
    assert (repr(odd), odd.__rich_repr__()) == ("<Odd>", [])
    assert repr(decode_page(b'{"kind":"SecretList","metadata":{},"items":[{"data":{"a":"hunter2"}}]}')) == "<Page>"
