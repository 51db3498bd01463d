"""Clustering."""

from shoal.cluster.kmeans import KMeans

__all__ = ["KMeans"]
