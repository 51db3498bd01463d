"""How good a model is."""

from shoal.metrics.silhouette import silhouette_score

__all__ = ["silhouette_score"]
