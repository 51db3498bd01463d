"""Stores whose memory is counted in rows, and what scans of them give."""

import threading
from dataclasses import replace

import numpy as np
from tests.data.synthetic import expected_rows

from shoal.data.plan import plan
from shoal.data.store import BlockStore


def store_of(dataset, kept_rows, block_rows=320, n_threads=2, beside_row_bytes=8, **settings):
    """A store that keeps so many rows in memory."""
    good = plan(dataset, 10**9, n_threads, beside_row_bytes)
    row = good.row_bytes
    cached = max(dataset.n_rows - kept_rows, 0) * row
    return BlockStore(
        dataset,
        replace(
            good, kept_bytes=kept_rows * row, block_rows=block_rows, cached_bytes=cached, **settings
        ),
    )


def taken(store, n_threads=1, **settings):
    """The blocks of one scan, copied, in the order in which they came."""
    blocks = []

    def take(scan):
        while (block := scan.take()) is not None:
            blocks.append(replace(block, X=block.X.copy()))

    with store.scan(**settings) as scan:
        threads = [threading.Thread(target=take, args=(scan,)) for _ in range(n_threads)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert scan.take() is None
    return blocks


def check_rows(blocks, n_rows, n_columns=3):
    """Blocks hold all rows of the synthetic source, each once."""
    blocks = sorted(blocks, key=lambda block: block.first_row)
    first_row = 0
    for block in blocks:
        assert block.first_row == first_row
        assert np.array_equal(block.X, expected_rows(first_row, block.n_rows, n_columns))
        assert np.array_equal(block.minimum, block.X.min(axis=0))
        assert np.array_equal(block.maximum, block.X.max(axis=0))
        first_row += block.n_rows
    assert first_row == n_rows
