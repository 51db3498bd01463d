"""Clusters that the tests of equal bits share."""

import pytest


@pytest.fixture(scope="package")
def clusters():
    """Local clusters of 1, 2 and 3 workers, all of them there whenever one is asked for.

    Shared by all modules here: to start a worker takes longer than most of the tests.

    Dask gives up a worker that takes longer than this to start again, as it may on a busy machine,
    and one that is killed while it starts.
    """
    dask = pytest.importorskip("dask")
    distributed = pytest.importorskip("distributed")
    made = {}

    def cluster(n_workers):
        if n_workers not in made:
            made[n_workers] = distributed.LocalCluster(
                n_workers=n_workers, threads_per_worker=1, dashboard_address=":0"
            )
        made[n_workers].wait_for_workers(n_workers, timeout=120)
        return made[n_workers]

    with dask.config.set({"distributed.deploy.lost-worker-timeout": "5 minutes"}):
        yield cluster
    for one in made.values():
        one.close()
