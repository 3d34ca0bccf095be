"""Globs, the number of shards, and the files of each."""

from fnmatch import fnmatchcase
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.errors import InvalidSpec
from events.sharding import pattern, shard_count, slices
from events.spec import SHARDS_MAX, Input, JobSpec, Sharding


def job(*context: bool, glob: str = "", size: int = 0, count: int = 0) -> JobSpec:
    inputs = tuple(Input(source=f"file:///{at}", context=flag) for at, flag in enumerate(context))
    return JobSpec(
        engine="noop", inputs=inputs, sharding=Sharding(glob=glob, size=size, count=count)
    )


@pytest.mark.parametrize(
    ("glob", "yes", "no"),
    [
        ("", ["a", "a/b", ".hidden/.too"], []),
        ("**", ["a", "a/b/c", ".a"], []),
        ("*", ["a", ".hidden"], ["a/b"]),
        ("*.py", ["a.py", ".py", "..py"], ["a/b.py", "a.pyc", "apy"]),
        ("**/*.py", ["a.py", "x/a.py", "x/.y/z/a.py"], ["a.pyc", "x.py/a"]),
        ("data/**", ["data/a", "data/b/c", "data/.a"], ["data", "other/data/a", "database/a"]),
        ("./data/*", ["data/a"], ["data/b/c", "data"]),
        ("a/**/b", ["a/b", "a/x/b", "a/x/y/b"], ["a/xb", "ab", "a/b/c", "x/a/b"]),
        ("**/a/**/b*/c", ["a/b/c", "x/a/b1/x/b2/c", "a/a/x/b/c"], ["a/c", "a/b/x/c"]),
        ("a/**/**/b", ["a/b", "a/x/b"], ["a/b/x"]),
        ("a**b", ["ab", "axb"], ["a/b"]),
        ("?.txt", ["a.txt", "é.txt"], ["ab.txt", "/.txt", ".txt"]),
        ("*a*b*", ["ab", "xaxbx", "aab"], ["ba", "a/b"]),
        ("[abx-z].c", ["a.c", "y.c"], ["w.c", "-.c", "ab.c"]),
        ("[!a-c]", ["d", "."], ["b", "/"]),
        ("[]x]", ["]", "x"], ["a"]),
        ("[!]]", ["x"], ["]"]),
        ("[a", ["[a"], ["a"]),
        ("a+(b).c", ["a+(b).c"], ["aab.c", "a+(b)xc"]),
        ("*\n*", ["a\nb"], ["ab"]),
        ("[[&~|]*", ["[x", "&&", "~", "|"], ["x"]),
        ("[a^]", ["^", "a"], ["b"]),
    ],
)
def test_globs(glob: str, yes: list[str], no: list[str]) -> None:
    """A glob matches whole relative paths, and only `**` crosses a slash."""
    matcher = pattern(glob)

    assert [path for path in yes if not matcher.match(path)] == []
    assert [path for path in no if matcher.match(path)] == []


@pytest.mark.parametrize("glob", ["/abs/*", "../*", "a/../b", "a//b", "data/", ".", "./", "[z-a]"])
def test_bad_globs(glob: str) -> None:
    """A glob that could match nothing is refused with its path and a hint."""
    with pytest.raises(InvalidSpec) as caught:
        pattern(glob)

    assert caught.value.path == "$.sharding.glob"
    assert caught.value.hint


def test_hostile_globs() -> None:
    """A glob of many stars fails on a long path without trying every split."""
    assert not pattern("*a" * 50 + "b").match("a" * 2000)
    assert not pattern("**/a/" * 50 + "b").match("a/" * 500 + "c")


def reference(glob: list[str], path: list[str]) -> bool:
    if not glob or not path:
        return not glob and not path
    if glob[0] == "**":
        return len(glob) == 1 or reference(glob[1:], path) or reference(glob, path[1:])
    return fnmatchcase(path[0], glob[0]) and reference(glob[1:], path[1:])


@given(
    st.lists(st.one_of(st.just("**"), st.text("ab*?", min_size=1, max_size=5)), min_size=1),
    st.lists(st.text("ab", min_size=1, max_size=6), min_size=1, max_size=6),
)
def test_globs_equal_the_definition(glob: list[str], path: list[str]) -> None:
    """The atomic regular expression matches what a search of every split does."""
    assert bool(pattern("/".join(glob)).match("/".join(path))) == reference(glob, path)


@pytest.mark.parametrize(
    ("spec", "counts", "shards"),
    [
        (job(), [], 1),
        (job(False, False), [3, 4], 1),
        (job(False), [0], 1),
        (job(False, glob="*"), [7], 7),
        (job(False, size=3), [7], 3),
        (job(False, glob="*", size=3), [6], 2),
        (job(False, False, size=2), [3, 2], 3),
        (job(False, count=4), [10], 4),
        (job(False, count=4), [3], 3),
        (job(count=4), [], 4),
        (job(True, count=4), [9], 4),
        (job(True, False, size=2), [100, 4], 2),
        (job(False, size=1), [SHARDS_MAX], SHARDS_MAX),
    ],
)
def test_shard_count(spec: JobSpec, counts: list[int], shards: int) -> None:
    """Files that are no context make shards by size or count; without files count does."""
    assert shard_count(spec, counts) == shards


def test_too_many_shards() -> None:
    """One shard above the limit is refused, and the message says how many it would be."""
    with pytest.raises(InvalidSpec, match=r"size: this makes 100,001 shards") as caught:
        shard_count(job(False, size=1), [SHARDS_MAX + 1])

    assert caught.value.hint


@pytest.mark.parametrize("spec", [job(False, glob="*"), job(False, count=3), job(False, size=2)])
def test_nothing_to_shard(spec: JobSpec) -> None:
    """Sharding inputs that hold no file is refused, whatever the way of cutting."""
    with pytest.raises(InvalidSpec, match="no file"):
        shard_count(spec, [0])


def test_slices_without_sharding() -> None:
    """An unsharded job has one shard with every input whole."""
    assert slices(job(False, True), [3, 4], 0) == ((0, 0, 3), (1, 0, 4))


def test_slices_across_inputs() -> None:
    """A shard runs over the end of one input into the next, beside the whole context."""
    spec = job(False, True, False, size=2)

    found = [slices(spec, [3, 9, 2], shard) for shard in range(3)]

    assert found == [
        ((0, 0, 2), (1, 0, 9)),
        ((0, 2, 3), (1, 0, 9), (2, 0, 1)),
        ((1, 0, 9), (2, 1, 2)),
    ]


def test_slices_of_empty_shards() -> None:
    """Shards made by count alone hold the context and nothing else."""
    assert slices(job(True, count=3), [2], 2) == ((0, 0, 2),)
    assert slices(job(count=3), [], 2) == ()


def test_slices_of_no_shard() -> None:
    """A shard that the job does not have is a programming error."""
    with pytest.raises(IndexError):
        slices(job(count=3), [], 3)


@given(
    st.lists(st.tuples(st.integers(0, 30), st.booleans()), min_size=1, max_size=5),
    st.integers(1, 40),
    st.booleans(),
)
def test_slices_partition(inputs: list[tuple[int, bool]], number: int, by_count: bool) -> None:
    """The shards' files are all files once and in order; by count they differ by one at most."""
    counts = [count for count, _ in inputs]
    files = [
        (at, file)
        for at, (count, context) in enumerate(inputs)
        if not context
        for file in range(count)
    ]
    spec = job(
        *(context for _, context in inputs),
        size=0 if by_count else number,
        count=number if by_count else 0,
    )
    if not files:
        return
    shards = [slices(spec, counts, shard) for shard in range(shard_count(spec, counts))]
    runs = [
        [
            (at, file)
            for at, start, stop in shard
            if not inputs[at][1]
            for file in range(start, stop)
        ]
        for shard in shards
    ]
    sizes = [len(run) for run in runs]

    assert [file for run in runs for file in run] == files
    assert all(sizes)
    assert max(sizes) - min(sizes) <= 1 if by_count else set(sizes[:-1]) <= {number}
    assert all(left < right for shard in shards for left, right in pairwise(shard))
    assert all(
        (at, 0, count) in shard
        for shard in shards
        for at, (count, context) in enumerate(inputs)
        if context
    )
