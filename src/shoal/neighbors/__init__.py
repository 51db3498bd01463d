"""Nearest neighbours."""

from shoal.neighbors.k_neighbors_classifier import KNeighborsClassifier
from shoal.neighbors.k_neighbors_regressor import KNeighborsRegressor
from shoal.neighbors.k_neighbors_transformer import KNeighborsTransformer
from shoal.neighbors.nearest_neighbors import NearestNeighbors
from shoal.neighbors.radius_neighbors_classifier import RadiusNeighborsClassifier
from shoal.neighbors.radius_neighbors_regressor import RadiusNeighborsRegressor
from shoal.neighbors.radius_neighbors_transformer import RadiusNeighborsTransformer
from shoal.neighbors.recall import recall

__all__ = [
    "KNeighborsClassifier",
    "KNeighborsRegressor",
    "KNeighborsTransformer",
    "NearestNeighbors",
    "RadiusNeighborsClassifier",
    "RadiusNeighborsRegressor",
    "RadiusNeighborsTransformer",
    "recall",
]
