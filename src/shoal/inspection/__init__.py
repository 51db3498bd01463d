"""Looking at models and data: tables and plots."""

from shoal.inspection.cluster_profile import ClusterProfile, describe_clusters
from shoal.inspection.cluster_scatter import ClusterScatter, scatter_clusters
from shoal.inspection.elbow import Elbow, elbow
from shoal.inspection.loss_curve import LossCurve, loss_curve

__all__ = [
    "ClusterProfile",
    "ClusterScatter",
    "Elbow",
    "LossCurve",
    "describe_clusters",
    "elbow",
    "loss_curve",
    "scatter_clusters",
]
