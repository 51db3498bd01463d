"""Clustering."""

from shoal.cluster.kmeans import KMeans
from shoal.cluster.mini_batch_kmeans import MiniBatchKMeans

__all__ = ["KMeans", "MiniBatchKMeans"]
