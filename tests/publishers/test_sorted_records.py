"""Sorting more than memory should hold."""

import os
from random import Random

import pytest

from publishers import sorted_records
from publishers.sorted_records import BATCH_BYTES, SortedRecords


@pytest.mark.parametrize("size_bytes", [0, 1, 40, 1000])
@pytest.mark.parametrize("batches", [0.1, 3.5])
def test_records_come_sorted(batches: float, size_bytes: int) -> None:
    """Held in memory or put aside, all records come, from the least on, and as they were."""
    chance = Random(7)
    count = int(batches * BATCH_BYTES / (size_bytes + 48)) if size_bytes > 1 else 100
    given = [chance.randbytes(chance.randrange(size_bytes + 1)) for _ in range(count)]
    records = SortedRecords()
    for record in given:
        records.add(record)
    assert list(records) == sorted(given)
    records.close()


def test_a_record_longer_than_a_read_comes_whole() -> None:
    """Where the reads from the file end does not show in what they give."""
    chance = Random(3)
    sizes = (sorted_records._READ_BYTES - 4, sorted_records._READ_BYTES * 3, 5, 0)
    given = [chance.randbytes(sizes[index % 4]) for index in range(400)]
    records = SortedRecords()
    for record in given:
        records.add(record)
    assert list(records) == sorted(given)
    records.close()


def test_the_temporary_file_goes_with_the_records() -> None:
    """What was put aside is given back."""
    before = set(os.listdir("/proc/self/fd"))
    records = SortedRecords()
    for index in range(200_000):
        records.add(b"%d" % index)
    records.close()
    records.close()
    assert set(os.listdir("/proc/self/fd")) <= before
