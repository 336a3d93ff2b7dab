"""Whatever is done and asked, a backend answers as the exact reference does."""

import itertools
import math
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from backends import BACKENDS, KEPT, parameters
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tuneclip.vectors.collection import Collection, Origin, Row
from tuneclip.vectors.exact import ExactCollection

ORIGIN = Origin("tiny", "0123456789abcdef", 3)
QUICK = settings(deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))

FAST = (Phase.explicit, Phase.generate)  # a database is too slow to shrink with


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


TEXTS = ("", "a", "A", "ab", "a%b", "a_b", "a\\b", "it's", '"q"', "ß", "SS", "é\n", "a😀b", "\\", "%")
NUMBERS = (0, -0.0, 1, -1, 0.5, 2**53 + 1, 10**30, 1e300, 5e-324, float("nan"), -0.5, 300, 1e22, -3, 2)
texts = st.sampled_from(TEXTS)
values = st.none() | st.booleans() | st.sampled_from(NUMBERS) | texts | st.text(max_size=5) | st.floats()
rows = st.builds(
    Row,
    id=st.sampled_from([*(f"find {n}" for n in range(6)), "it's", "ü/x.jpg"]),
    vector=st.lists(st.integers(-3, 3), min_size=3, max_size=3).filter(any).map(np.array),
    path=texts,
    metadata=st.dictionaries(
        st.sampled_from(["ware", "period.start", "Has note", "_x", "id", "ünï"]), values, max_size=4
    ),
    captions=st.lists(texts, max_size=3).map(tuple),
    content=st.sampled_from(["k1", "k2"]),
    seen=st.integers(0, 1),
)
ODD_ROWS = [
    Row(
        id=text,
        vector=np.array([1, 0, 0]),
        path="",
        metadata={
            "ware": TEXTS[-number] if number % 3 else None,
            "period.start": NUMBERS[number] if number % 4 else None,
            "whole": (True, False, None)[number % 3],
            "mixed": (text, NUMBERS[number], True, None)[number % 4],
            "void": None,
        },
        captions=(text, TEXTS[number - 1])[: number % 3],
        seen=number % 2,
    )
    for number, text in enumerate(TEXTS)
]
KINDS = {"ware": "text", "`period`.start": "number", "whole": "boolean", "void": "text", "id": "text", "seen": "number"}
KINDS |= {"text": "text", "caption": "text"}
literals = {
    "text": texts.map(quoted),
    "number": st.sampled_from([repr(n) for n in NUMBERS if not math.isnan(n)]),
    "boolean": st.sampled_from(["true", "false"]),
}
PATTERN = ("%", "_", "\\", "a", "A", "b", "ß", "😀")
patterns = st.lists(st.sampled_from(PATTERN), max_size=4).map("".join)
signs = {"boolean": ["=", "!="]}


@st.composite
def leaves(draw: st.DrawFn) -> str:
    """One condition on one field of `ODD_ROWS`."""
    name = draw(st.sampled_from([*KINDS, "mixed"]))
    kind = KINDS.get(name) or draw(st.sampled_from(list(literals)))
    form = draw(st.sampled_from(["null", "sign", "sign", "in", "like"]))
    negation = draw(st.sampled_from(["", "not "]))
    if form == "null":
        return f"{name} is {negation}null"
    if form == "like" and kind == "text":
        return f"{name} {negation}{draw(st.sampled_from(['like', 'ilike']))} '{draw(patterns)}'"
    if form == "in":
        return f"{name} {negation}in ({', '.join(draw(st.lists(literals[kind], min_size=1, max_size=3)))})"
    return f"{name} {draw(st.sampled_from(signs.get(kind, ['=', '!=', '<', '<=', '>', '>='])))} {draw(literals[kind])}"


def joined(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(parts, parts).map(lambda pair: f"({pair[0]}) and ({pair[1]})") | st.tuples(parts, parts).map(
        lambda pair: f"not ({pair[0]}) or {pair[1]}"
    )


conditions = leaves() | st.recursive(leaves(), joined, max_leaves=4)


def same(reference: Collection, other: Collection) -> None:
    """The two hold the same rows."""
    mine, theirs = ({row.id: row for batch in c.iterate(4) for row in batch} for c in (reference, other))
    assert mine.keys() == theirs.keys()
    for key, row in mine.items():
        found = theirs[key]
        np.testing.assert_allclose(found.vector, row.vector, atol=1e-6)
        assert (found.path, dict(found.metadata), found.captions) == (row.path, dict(row.metadata), row.captions)
        assert (found.content, found.seen) == (row.content, row.seen)
    assert reference.contents() == other.contents()
    assert (reference.count(), reference.fields()) == (other.count(), other.fields())


@pytest.fixture(params=parameters(KEPT))
def opened(request: pytest.FixtureRequest):
    """Opens the collection of a folder; and how thinly to test."""
    backend = BACKENDS[request.param]
    return lambda root: backend.open(root, request, ORIGIN), backend.thin


@pytest.fixture(scope="module", params=parameters(KEPT))
def odd(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    """The reference and a backend with the same odd rows; and how thinly to test."""
    root = tmp_path_factory.mktemp("store")
    collections = [ExactCollection("finds", ORIGIN, root), BACKENDS[request.param].open(root, request, ORIGIN)]
    for collection in collections:
        collection.upsert(ODD_ROWS)
    return collections, BACKENDS[request.param].thin


def test_any_order_of_operations_leaves_the_same_rows(opened):
    backend, thin = opened

    class Operations(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.root = Path(tempfile.mkdtemp())
            self.reference, self.other = ExactCollection("finds", ORIGIN, self.root), backend(self.root)

        def both(self, name: str, *arguments: object) -> list:
            return [getattr(c, name)(*arguments) for c in (self.reference, self.other)]

        @rule(rows=st.lists(rows, max_size=6))
        def upsert(self, rows):
            self.both("upsert", rows)

        @rule(ids=st.lists(rows.map(lambda row: row.id), max_size=4))
        def delete(self, ids):
            self.both("delete", ids)

        @rule(ids=st.lists(rows.map(lambda row: row.id), max_size=4), seen=st.integers(0, 1))
        def mark(self, ids, seen):
            self.both("update_seen", ids, seen)

        @rule()
        def reopen(self):
            self.other.optimize()
            self.other = backend(self.root)

        @rule(row=rows, k=st.integers(1, 10), exclude=st.booleans())
        def search(self, row, k, exclude):
            mine, theirs = (c.nearest(row.vector, k, exclude_seen=exclude) for c in (self.reference, self.other))
            assert [hit.score for hit in theirs] == pytest.approx([hit.score for hit in mine], abs=1e-6)

        @invariant()
        def hold_the_same(self):
            same(self.reference, self.other)

        def teardown(self):
            shutil.rmtree(self.root)

    examples = max(2, 12 // thin)
    quick = settings(QUICK, max_examples=examples, stateful_step_count=10, phases=FAST)
    run_state_machine_as_test(Operations, settings=quick)


def check(collections: list[Collection], where: str) -> None:
    reference, *others = collections
    picked = sorted(hit.id for hit in reference.nearest([1, 1, 1], 99, where=where))
    for other in others:
        assert sorted(hit.id for hit in other.nearest([1, 1, 1], 99, where=where)) == picked, where
        assert other.count(where) == len(picked), where


def test_every_operator_picks_the_same_rows(odd):
    collections, thin = odd
    signs = ("=", "!=", "<", "<=", ">", ">=")
    asked = [f"ware {sign} {quoted(text)}" for sign in signs for text in TEXTS]
    asked += [f"`period`.start {sign} {n}" for sign in signs for n in NUMBERS if not math.isnan(n)]
    for letters in itertools.product(["", *PATTERN], repeat=2):
        asked += [f"ware like '{''.join(letters)}'", f"ware not ilike '{''.join(letters)}'"]
    for where in asked[::thin]:
        check(collections, where)


def test_every_filter_picks_the_same_rows(odd):
    collections, thin = odd

    @settings(QUICK, max_examples=100 // thin, phases=FAST)
    @given(where=conditions)
    @example("`period`.start not in (0) or `period`.start not in (1)")
    @example("not (ware = 'a') or ware = 'a'")
    def picks_the_same(where: str) -> None:
        check(collections, where)

    picks_the_same()
