"""Learning from rows of which few are labelled."""

from shoal.semi_supervised.label_propagation import LabelPropagation
from shoal.semi_supervised.label_spreading import LabelSpreading
from shoal.semi_supervised.label_spreading_regressor import LabelSpreadingRegressor
from shoal.semi_supervised.self_training_classifier import SelfTrainingClassifier

__all__ = [
    "LabelPropagation",
    "LabelSpreading",
    "LabelSpreadingRegressor",
    "SelfTrainingClassifier",
]
