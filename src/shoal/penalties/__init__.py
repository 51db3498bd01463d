"""Penalties on coefficients, in scikit-learn's factors."""

from shoal.penalties.elastic_net import ElasticNet
from shoal.penalties.l1 import L1
from shoal.penalties.l2 import L2
from shoal.penalties.no_penalty import NoPenalty
from shoal.penalties.penalty import Penalty

__all__ = ["L1", "L2", "ElasticNet", "NoPenalty", "Penalty"]
