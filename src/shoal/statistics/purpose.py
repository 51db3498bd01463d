"""What random numbers are drawn for."""

from enum import IntEnum, unique


@unique
class Purpose(IntEnum):
    """With the seed, the key of a stream of random numbers: no two draws share one.

    Those that are drawn again and again take a run of keys: + 1, + 2, ... of the first.
    """

    SAMPLE = 1
    CHOICE = 2
    RANDOM_ROWS = 3
    HELD_OUT_ROWS = 5
    PARALLEL_ROUND = 16  # of k-means||
    SCATTER = 64
    SILHOUETTE = 65
    GROUPS = 66
    RECALL = 67
    HESSIAN = 68
    SPREAD_ROWS = 69
    NEXT_CENTER = 2**16  # after so many
    MINI_BATCHES = 2**32  # of a pass
    ROW_ORDER = 2**33  # of an epoch
