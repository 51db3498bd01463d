"""Which flights arrive late, where one in a hundred is labelled: spreading labels to neighbours.

Run by ``make demo`` after ``late_flights.py``, whose files it reads.
"""

import numpy as np
from late_flights import MEMORY, TEST, TRAIN
from rich.table import Table
from steps import console, step, steps

import shoal
from shoal.linear_model import LogisticRegression
from shoal.semi_supervised import LabelSpreading

#: Neighbours by all columns would be flights of the same carrier, hour and month above all.
FEATURES = ["dep_delay", "distance"]
LABELLED_SHARE = 0.01
N_NEIGHBORS = 30


def main() -> None:
    import pandas as pd

    console.print("[bold]Which of them, if 1 % of the flights are labelled?[/bold]\n")
    flights = pd.read_parquet(TEST)
    X, late = flights[FEATURES], flights["late"].to_numpy().astype(int)
    is_known = np.random.default_rng(0).random(len(X)) < LABELLED_SHARE
    known = np.where(is_known, late, -1)
    n_known = np.count_nonzero(is_known)
    console.print(
        f"Data     the {len(X):,} flights set apart above, by {' and '.join(FEATURES)}: "
        f"{n_known:,} with a label\n"
    )
    spreading = LabelSpreading(kernel="knn", n_neighbors=N_NEIGHBORS)
    few, many = LogisticRegression(), LogisticRegression()
    others = shoal.open_dataset(TRAIN, features=FEATURES, target="late")
    with shoal.LocalEngine(memory=MEMORY):
        with step("spread labels"):
            spreading.fit(X, known)
        with step("fit, logistic"):
            few.fit(X[is_known], late[is_known])
            many.fit(others)
        found = {
            f"logistic regression, {n_known:,} labels": few.predict(X),
            f"label spreading, {n_known:,} labels and all flights": spreading.transduction_,
            f"logistic regression, {others.n_rows:,} labels of others": many.predict(X),
        }
    table = Table("Learns from", box=None, padding=(0, 3, 0, 0))
    table.add_column("Accuracy on the rest", justify="right")
    for name, labels in found.items():
        table.add_row(name, f"{np.mean(labels[~is_known] == late[~is_known]):.2%}")
    console.print(table)
    console.print(
        "\nOne straight line tells most late flights from others: few labels are enough to draw it."
        "\nSpreading assumes no line, only that flights near each other arrive alike.\n"
    )
    console.print(steps)


if __name__ == "__main__":
    main()
