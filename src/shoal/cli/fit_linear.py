"""``shoal fit linear`` and ``shoal fit logistic``."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shoal.cli.fit import Verbose, fits

if TYPE_CHECKING:
    from shoal.data.dataset import Dataset


class Penalty(StrEnum):
    """What keeps coefficients small."""

    NONE = "none"
    L2 = "l2"
    L1 = "l1"
    ELASTIC_NET = "elasticnet"


Tolerance = Annotated[
    float,
    typer.Option(min=0.0, metavar="X", help="The fit ends once the gradient is this small."),
]
MaxIter = Annotated[int, typer.Option(min=1, metavar="N", help="Most iterations.")]


def descended(model: Any, dataset: "Dataset") -> str:
    """How a descent went, for a classifier or a regressor."""
    labels = f"of {len(model.classes_)} labels" if hasattr(model, "classes_") else "of numbers"
    return f"{labels}: {model.n_iter_} iterations, loss {model.loss_curve_[-1]:.6g}"


def _solved(model: Any, dataset: "Dataset") -> str:
    return f"by {type(model).__name__} ({model.solver_})"


@fits(_solved)
def linear(
    *,
    penalty: Annotated[
        Penalty, typer.Option(metavar="NAME", help="Penalty: none, l2, l1 or elasticnet.")
    ] = Penalty.NONE,
    alpha: Annotated[
        float,
        typer.Option(
            min=0.0,
            metavar="X",
            help="Strength of the penalty, as of Ridge (l2), Lasso (l1) or ElasticNet.",
        ),
    ] = 1.0,
    l1_ratio: Annotated[
        float, typer.Option(min=0.0, max=1.0, metavar="X", help="Share of L1 of elasticnet.")
    ] = 0.5,
) -> Any:
    """Predict a number by a weighted sum of columns: least squares.

    A pass or two over the data, whatever the penalty. The same data and
    options give the same model to the last bit, on any engine, with any
    memory and any number of threads.

    For example:
      shoal fit linear rows.parquet --target y --out model
      shoal fit linear rows/ --target y --penalty l1 --alpha 0.1 --out model
    """
    from shoal import linear_model

    match penalty:
        case Penalty.NONE:
            return linear_model.LinearRegression()
        case Penalty.L2:
            return linear_model.Ridge(alpha)
        case Penalty.L1:
            return linear_model.Lasso(alpha)
        case Penalty.ELASTIC_NET:
            return linear_model.ElasticNet(alpha, l1_ratio=l1_ratio)


@fits(descended)
def logistic(
    *,
    C: Annotated[
        float, typer.Option("--C", min=0.0, metavar="X", help="Inverse strength of the penalty.")
    ] = 1.0,
    l1_ratio: Annotated[
        float, typer.Option(min=0.0, max=1.0, metavar="X", help="Share of L1 of the penalty.")
    ] = 0.0,
    balanced: Annotated[
        bool, typer.Option("--balanced", help="Let all labels weigh the same together.")
    ] = False,
    tol: Tolerance = 1e-4,
    max_iter: MaxIter = 100,
    verbose: Verbose = False,
) -> Any:
    """Predict a label, with its probability: logistic regression.

    A pass over the data an iteration. The same data and options give the
    same model to the last bit, on any engine, with any memory and any
    number of threads.

    For example:
      shoal fit logistic rows.parquet --target y --out model
      shoal fit logistic rows/ --target y --checkpoint state --out model
    """
    from shoal.linear_model import LogisticRegression

    return LogisticRegression(
        C=C,
        l1_ratio=l1_ratio,
        class_weight="balanced" if balanced else None,
        tol=tol,
        max_iter=max_iter,
        verbose=int(verbose),
    )
