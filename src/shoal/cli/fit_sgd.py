"""``shoal fit sgd-classifier`` and ``shoal fit sgd-regressor``."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from shoal.cli.fit import Seed, Verbose, fits
from shoal.cli.fit_linear import Penalty, descended


class ClassifierLoss(StrEnum):
    """What a classifier makes small."""

    HINGE = "hinge"
    LOG_LOSS = "log_loss"
    MODIFIED_HUBER = "modified_huber"
    SQUARED_HINGE = "squared_hinge"
    PERCEPTRON = "perceptron"


class RegressorLoss(StrEnum):
    """What a regressor makes small."""

    SQUARED_ERROR = "squared_error"
    HUBER = "huber"
    EPSILON_INSENSITIVE = "epsilon_insensitive"
    SQUARED_EPSILON_INSENSITIVE = "squared_epsilon_insensitive"


class LearningRate(StrEnum):
    """How steps become smaller."""

    CONSTANT = "constant"
    OPTIMAL = "optimal"
    INVSCALING = "invscaling"
    ADAPTIVE = "adaptive"


PenaltyName = Annotated[
    Penalty, typer.Option(metavar="NAME", help="Penalty: none, l2, l1 or elasticnet.")
]
Alpha = Annotated[float, typer.Option(min=0.0, metavar="X", help="Strength of the penalty.")]
L1Ratio = Annotated[
    float, typer.Option(min=0.0, max=1.0, metavar="X", help="Share of L1 of elasticnet.")
]
Epochs = Annotated[
    int, typer.Option("--max-iter", min=1, metavar="N", help="Most epochs: passes over the data.")
]
Tolerance = Annotated[
    float,
    typer.Option(min=0.0, metavar="X", help="An epoch that gains less than this counts as idle."),
]
LearningRateName = Annotated[
    LearningRate,
    typer.Option(metavar="NAME", help="Steps: constant, optimal, invscaling or adaptive."),
]
Eta0 = Annotated[float, typer.Option(min=0.0, metavar="X", help="Size of the first step.")]
BatchSize = Annotated[int, typer.Option(min=1, metavar="N", help="Rows of one step.")]


@fits(descended)
def sgd_classifier(
    *,
    loss: Annotated[
        ClassifierLoss,
        typer.Option(
            metavar="NAME",
            help="Loss: hinge, log_loss, modified_huber, squared_hinge or perceptron.",
        ),
    ] = ClassifierLoss.HINGE,
    penalty: PenaltyName = Penalty.L2,
    alpha: Alpha = 1e-4,
    l1_ratio: L1Ratio = 0.15,
    max_iter: Epochs = 1000,
    tol: Tolerance = 1e-3,
    learning_rate: LearningRateName = LearningRate.OPTIMAL,
    eta0: Eta0 = 0.01,
    batch_size: BatchSize = 1,
    seed: Seed = 0,
    verbose: Verbose = False,
) -> Any:
    """Predict a label by stochastic gradient descent: a step a row.

    Columns of about the same scale are learnt from fastest. The same data,
    options and seed give the same model to the last bit, on any engine,
    with any memory and any number of threads.

    For example:
      shoal fit sgd-classifier rows.parquet --target y --out model
      shoal fit sgd-classifier rows/ --target y --loss log_loss --out model
    """
    from shoal.linear_model import SGDClassifier

    return SGDClassifier(
        loss=loss.value,
        penalty=_penalty(penalty),
        alpha=alpha,
        l1_ratio=l1_ratio,
        max_iter=max_iter,
        tol=tol,
        learning_rate=learning_rate.value,
        eta0=eta0,
        batch_size=batch_size,
        random_state=seed,
        verbose=int(verbose),
    )


@fits(descended)
def sgd_regressor(
    *,
    loss: Annotated[
        RegressorLoss,
        typer.Option(
            metavar="NAME",
            help="Loss: squared_error, huber, epsilon_insensitive or squared_epsilon_insensitive.",
        ),
    ] = RegressorLoss.SQUARED_ERROR,
    penalty: PenaltyName = Penalty.L2,
    alpha: Alpha = 1e-4,
    l1_ratio: L1Ratio = 0.15,
    max_iter: Epochs = 1000,
    tol: Tolerance = 1e-3,
    learning_rate: LearningRateName = LearningRate.INVSCALING,
    eta0: Eta0 = 0.01,
    batch_size: BatchSize = 1,
    seed: Seed = 0,
    verbose: Verbose = False,
) -> Any:
    """Predict a number by stochastic gradient descent: a step a row.

    Columns of about the same scale are learnt from fastest. The same data,
    options and seed give the same model to the last bit, on any engine,
    with any memory and any number of threads.

    For example:
      shoal fit sgd-regressor rows.parquet --target y --out model
      shoal fit sgd-regressor rows/ --target y --loss huber --out model
    """
    from shoal.linear_model import SGDRegressor

    return SGDRegressor(
        loss=loss.value,
        penalty=_penalty(penalty),
        alpha=alpha,
        l1_ratio=l1_ratio,
        max_iter=max_iter,
        tol=tol,
        learning_rate=learning_rate.value,
        eta0=eta0,
        batch_size=batch_size,
        random_state=seed,
        verbose=int(verbose),
    )


def _penalty(penalty: Penalty) -> str | None:
    """The penalty as estimators name it."""
    return None if penalty is Penalty.NONE else penalty.value
