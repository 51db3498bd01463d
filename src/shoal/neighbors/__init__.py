"""Nearest neighbours."""

from shoal.neighbors.nearest_neighbors import NearestNeighbors

__all__ = ["NearestNeighbors"]
