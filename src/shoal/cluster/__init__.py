"""Clustering."""

from shoal.cluster.kmeans import KMeans
from shoal.cluster.mini_batch_kmeans import MiniBatchKMeans
from shoal.cluster.seeded_kmeans import SeededKMeans

__all__ = ["KMeans", "MiniBatchKMeans", "SeededKMeans"]
