"""Steps of stochastic descent: against loops in NumPy; the same bits for every layout."""

import numpy as np
import pytest
from scipy import sparse

from shoal import _kernels
from shoal.solvers.sgd_replica import Learning, Weights

rng = np.random.default_rng(0)


def learning(loss="half_squared_error", **settings):
    defaults = {
        "parameter": 0.1,
        "negative": -1.0,
        "positive": 1.0,
        "schedule": "constant",
        "rate": 0.01,
        "power": 0.25,
        "offset": 100.0,
        "l2": 0.0,
        "l1": 0.0,
        "intercept_factor": 1.0,
        "average_from": np.inf,
    }
    return Learning(loss, **(defaults | settings))


def descended(
    X,
    y,
    how,
    *,
    order=None,
    ends=None,
    weight=None,
    n_outputs=1,
    kernels=_kernels,
    start=0.0,
    n_steps=0,
    going_on=None,
):
    """Coefficients, intercepts, all arrays and counters after one window, or those that end so."""
    coef = np.full((n_outputs, X.shape[1]), start, X.dtype)
    start = Weights.zeros(coef, np.zeros(n_outputs), how)
    names = ("coef", "intercept", "received", "total", "intercept_total", "first", "second")
    held = {name: getattr(start, name) for name in names}
    counters = held["counters"] = np.array([float(n_steps), 0.0, 0.0, 0.0, 0.0, 1.0, 0.0])
    held = held if going_on is None else going_on
    settings = {name: getattr(how, name) for name in how.__slots__}
    settings |= {"rows_ahead": 16, "is_first": True}
    ends = np.array([len(y) if order is None else len(order)] if ends is None else ends, np.int64)
    order = None if order is None else np.tile(order, (2, 1))
    y = np.ascontiguousarray(y, dtype=float)
    if sparse.issparse(X):
        rows = (X.data, X.indices, X.indptr, X.shape[1])
        kernels.sgd_csr(*rows, ends, order, y, weight, settings, held)
        if held["total"] is not None:
            held["total"] += counters[6] * held["coef"]
        held["coef"] *= X.dtype.type(counters[5])
    else:
        kernels.sgd(X, ends, order, y, weight, settings, held)
    return held


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_columns", [1, 2, 3, 7, 8, 16, 21, 64, 77])
def test_one_sample_steps_are_those_of_the_textbook(n_columns, dtype):
    X, y = rng.normal(size=(60, n_columns)).astype(dtype), rng.normal(size=60)
    order = rng.permutation(60).astype(np.int32)
    found = descended(X, y, learning(), order=order)
    w, b = np.zeros(n_columns), 0.0
    for row in order:
        gradient = X[row].astype(float) @ w + b - y[row]
        w, b = w - 0.01 * gradient * X[row], b - 0.01 * gradient
    np.testing.assert_allclose(found["coef"][0], w, rtol=0, atol=200 * np.finfo(dtype).eps)
    np.testing.assert_allclose(found["intercept"], b, rtol=0, atol=200 * np.finfo(dtype).eps)


def test_schedules():
    X = np.ones((5, 1))
    for schedule, rate in (
        ("constant", lambda t: 0.01),
        ("optimal", lambda t: 1 / (0.01 * (100.0 + t - 1))),
        ("invscaling", lambda t: 0.01 / t**0.25),
    ):
        found = descended(X, np.ones(5), learning(schedule=schedule, intercept_factor=0.0))
        w = 0.0
        for t in range(1, 6):
            w -= rate(t) * (w - 1)
        np.testing.assert_allclose(found["coef"][0, 0], w, rtol=1e-13)


def loops(X, y, how, weight):
    """One-sample descent with penalties and averages, as Tsuruoka et al. and Bottou write it."""
    n_columns = X.shape[1]
    w, b, u, q = np.zeros(n_columns), 0.0, 0.0, np.zeros(n_columns)
    total = np.zeros(n_columns)
    for t, (x, target, s) in enumerate(zip(X, y, weight, strict=True), start=1):
        gradient = s * (x @ w + b - target)
        w = w * (1 - how.rate * how.l2) - how.rate * gradient * x
        b -= how.rate * how.intercept_factor * gradient
        u += how.rate * how.l1
        for j in range(n_columns if how.l1 else 0):
            before = w[j]
            if w[j] > 0:
                w[j] = max(0.0, w[j] - (u + q[j]))
            elif w[j] < 0:
                w[j] = min(0.0, w[j] + (u - q[j]))
            q[j] += w[j] - before
        total += w * (t >= how.average_from)
    return w, b, total


@pytest.mark.parametrize("form", [np.asarray, np.asfortranarray, sparse.csr_array])
@pytest.mark.parametrize("l1", [0.0, 0.05])
@pytest.mark.parametrize("l2", [0.0, 0.3, 60.0])
def test_penalties_weights_and_averages(form, l1, l2):
    X = rng.normal(size=(400, 9))
    y, weight = X @ np.arange(-4.0, 5.0) / 4, rng.random(400)
    how = learning(l1=l1, l2=l2, average_from=100.0)
    found = descended(form(X), y, how, weight=weight)
    w, b, total = loops(X, y, how, weight)
    np.testing.assert_allclose(found["coef"][0], w, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found["total"][0], total, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found["intercept"][0], b, rtol=1e-9)
    assert not l1 or l2 > 1 or (found["coef"] == 0).any()


LOSSES = (
    "half_squared_error",
    "huber",
    "epsilon_insensitive",
    "squared_epsilon_insensitive",
    "quantile",
    "half_poisson",
    "half_gamma",
    "half_binomial",
    "hinge",
    "squared_hinge",
    "modified_huber",
    "perceptron",
)


def derivative(loss, y, raw):
    value, gradient, hessian = np.empty(1), np.empty((1, 1)), np.empty((1, 1))
    raw = np.array([[raw]])
    _kernels.loss_terms(loss, 0.1, np.array([y]), raw, value, gradient, hessian)
    return gradient[0, 0]


@pytest.mark.parametrize("n_rows", [1, 2, 3, 4, 5, 27, 258])
@pytest.mark.parametrize("loss", LOSSES)
def test_groups_of_rows_are_learnt_from_one_by_one(loss, n_rows):
    X, weight = rng.normal(size=(n_rows, 13)), rng.random(n_rows)
    y, order = rng.choice([0.0, 1.0], n_rows), rng.permutation(n_rows).astype(np.int32)
    how = learning(loss, schedule="optimal", rate=1.0, offset=10.0, l2=0.5, average_from=3.0)
    found = descended(X, y, how, order=order, weight=weight)
    w, b, total, intercept_total = np.zeros(13), 0.0, np.zeros(13), 0.0
    for t, row in enumerate(order):
        rate = 1 / (10.0 + t)
        step = rate * weight[row] * derivative(loss, y[row], X[row] @ w + b)
        w, b = w * (1 - rate * 0.5) - step * X[row], b - step
        total, intercept_total = total + w * (t >= 2), intercept_total + b * (t >= 2)
    assert found["counters"][0] == n_rows
    for name, expected in (("coef", w), ("total", total)):
        np.testing.assert_allclose(found[name][0], expected, rtol=1e-12, atol=1e-13)
    for name, expected in (("intercept", b), ("intercept_total", intercept_total)):
        np.testing.assert_allclose(found[name][0], expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("raw", [-1e3, -700.0, -30.0, 0.0, 30.0, 700.0, 1e3])
def test_slopes_of_the_log_loss_saturate(raw):
    for y in (0.0, 1.0):
        found = descended(np.array([[raw]]), [y], learning("half_binomial", rate=1.0), start=1.0)
        expected = -derivative("half_binomial", y, raw)
        np.testing.assert_allclose(found["intercept"][0], expected, rtol=1e-15, atol=1.2e-16)


def test_slopes_of_the_log_loss_between_the_points_of_their_table():
    raw = np.concatenate([np.arange(-41.0, 41.0, 1 / 32), rng.uniform(-8.0, 8.0, 300)])
    how = learning("half_binomial", rate=1.0)
    found = [-descended(np.array([[r]]), [0.0], how, start=1.0)["intercept"][0] for r in raw]
    expected = 1 / (1 + np.exp(-raw.astype(np.longdouble)))
    np.testing.assert_allclose(found, expected.astype(float), rtol=0, atol=3e-16)


def test_sparse_rows_that_touch_few_weights():
    X = sparse.random(500, 40, 0.1, "csr", random_state=0)
    y = rng.normal(size=500)
    how = learning(l2=0.5, average_from=1.0, rate=0.3)
    found, dense = descended(X, y, how), descended(X.toarray(), y, how)
    for name in ("coef", "intercept", "intercept_total"):
        np.testing.assert_allclose(found[name], dense[name], rtol=1e-9, atol=1e-12)
    # Sums over steps are the difference of two numbers that grow as weights shrink.
    np.testing.assert_allclose(found["total"], dense["total"], rtol=1e-9, atol=1e-7)


def test_a_rate_that_shrinks_weights_to_nothing():
    X, y = rng.normal(size=(50, 4)), rng.normal(size=50)
    how = learning(l2=1000.0, average_from=1.0)
    w, _, total = loops(X, y, learning(l2=100.0, average_from=1.0), np.ones(50))
    for form in (np.asarray, sparse.csr_array):
        found = descended(form(X), y, how)
        np.testing.assert_allclose(found["coef"][0], w, rtol=1e-9)
        np.testing.assert_allclose(found["total"][0], total, rtol=1e-9)


@pytest.mark.parametrize("is_shuffled", [False, True])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_windows_are_visited_one_after_the_other(form, is_shuffled):
    X, y, ends = (
        rng.normal(size=(300, 6)),
        rng.choice([-1.0, 1.0], 300),
        np.array([70, 71, 71, 300]),
    )
    windows = np.split(np.arange(300, dtype=np.int32), ends[:-1])
    if is_shuffled:
        windows = [rng.permutation(rows) for rows in windows]
    order = np.concatenate(windows) if is_shuffled else None
    for how in (learning("hinge"), learning("hinge", batch_size=8, optimizer="adam")):
        found = descended(form(X), y, how, order=order, ends=ends)
        alone = None
        for rows in windows:
            alone = descended(form(X[rows]), y[rows], how, going_on=alone)
        np.testing.assert_allclose(found["coef"], alone["coef"], rtol=1e-12)
        np.testing.assert_array_equal(found["counters"], alone["counters"])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_layouts_have_the_same_bits(dtype):
    X = rng.normal(size=(300, 37)).astype(dtype)
    y, order = rng.normal(size=300), rng.permutation(300).astype(np.int32)
    wide = np.zeros((600, 74), dtype)
    wide[::2, ::2] = X
    for how in (learning(), learning(batch_size=7, optimizer="adam")):
        expected = descended(X, y, how, order=order)["coef"]
        for form in (np.asfortranarray(X), wide[::2, ::2], X[::-1].copy()[::-1]):
            np.testing.assert_array_equal(descended(form, y, how, order=order)["coef"], expected)


@pytest.mark.parametrize("name", _kernels.available_instruction_sets())
def test_instruction_sets_have_the_same_bits(name):
    X = rng.normal(size=(200, 45)).astype(np.float32)
    y = rng.choice([-1.0, 1.0], 200)
    for form in (X, sparse.csr_array(X * (np.abs(X) > 1))):
        for loss in ("hinge", "half_binomial", "huber", "modified_huber"):
            how = learning(loss, schedule="invscaling", l2=0.01, l1=0.001)
            target = (y + 1) / 2 if loss == "half_binomial" else y
            found = descended(form, target, how, kernels=_kernels.load(name))
            expected = descended(form, target, how)
            for part in ("coef", "intercept", "counters"):
                np.testing.assert_array_equal(found[part], expected[part])


def test_outputs_are_told_apart_as_each_alone():
    X, classes = rng.normal(size=(300, 12)), rng.integers(0, 3, 300)
    for how in (learning("hinge", l2=0.1), learning("hinge", batch_size=5, optimizer="momentum")):
        found = descended(X, classes, how, n_outputs=3)
        for k in range(3):
            alone = descended(X, np.where(classes == k, 1.0, -1.0), how)
            np.testing.assert_array_equal(found["coef"][k], alone["coef"][0])
            np.testing.assert_array_equal(found["intercept"][k], alone["intercept"][0])


def optimized(X, y, optimizer, batch_size, rate, l2):
    """Mini-batch descent as the papers have it, without intercept."""
    w = np.zeros(X.shape[1])
    m, v = np.zeros_like(w), np.zeros_like(w)
    for t, first in enumerate(range(0, len(X), batch_size), start=1):
        rows = slice(first, first + batch_size)
        g = X[rows].T @ (X[rows] @ w - y[rows]) / len(y[rows]) + l2 * w
        if optimizer == "sgd":
            w = w - rate * g
        elif optimizer in ("momentum", "nesterov"):
            m = 0.9 * m - rate * g
            w = w + (m if optimizer == "momentum" else 0.9 * m - rate * g)
        elif optimizer == "adagrad":
            v = v + g**2
            w = w - rate * g / (np.sqrt(v) + 1e-8)
        else:
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
            own = rate * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
            w = w - own * m / (np.sqrt(v) + 1e-8)
    return w


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "nesterov", "adagrad", "adam"])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_mini_batches_follow_the_papers(optimizer, form):
    X, y = rng.normal(size=(103, 6)), rng.normal(size=103)
    how = learning(batch_size=10, optimizer=optimizer, l2=0.2, intercept_factor=0.0)
    found = descended(form(X), y, how)
    expected = optimized(X, y, optimizer, 10, 0.01, 0.2)
    np.testing.assert_allclose(found["coef"][0], expected, rtol=1e-9, atol=1e-12)
    assert found["counters"][0] == 11


def test_the_loss_of_zeros_is_that_of_each_target():
    X, weight = rng.normal(size=(300, 5)), rng.random(300)
    for y in (rng.choice([-1.0, 1.0], 300), rng.choice([-1.0, 0.5, 1.0], 300)):
        found = descended(X, y, learning("modified_huber"), weight=weight)["counters"]
        of_zeros = weight * np.maximum(0.0, 1.0 - 0.0 * y) ** 2
        np.testing.assert_allclose(found[3], of_zeros.sum(), rtol=1e-13)
    half = descended(X, y, learning("half_squared_error"), weight=weight)["counters"]
    np.testing.assert_allclose(half[3], (weight * y**2 / 2).sum(), rtol=1e-13)
    y = np.where(y > 0, 1.0, -1.0)
    huber = descended(X, y, learning("huber", negative=-1.0), weight=weight)["counters"]
    np.testing.assert_allclose(huber[3], (weight * (0.1 * np.abs(y) - 0.1**2 / 2)).sum())


def test_losses_met_are_summed():
    X, y, weight = rng.normal(size=(300, 5)), rng.normal(size=300), rng.random(300)
    start = learning(rate=0.0)
    loss, of_zeros = (weight * y**2 / 2).sum(), descended(X, y, start, weight=weight)["counters"]
    np.testing.assert_allclose(of_zeros[2:5], [loss, loss, weight.sum()], rtol=1e-12)
    found = descended(X, y, learning(rate=0.1), weight=weight)["counters"]
    assert found[2] != loss
    np.testing.assert_allclose(found[3:5], [loss, weight.sum()], rtol=1e-12)


@pytest.mark.parametrize("power", [0.0, 0.25, 1.0, 3.5])
@pytest.mark.parametrize("n_steps", [0, 16_000, 60_000, 10**9])
def test_rates_are_powers_of_the_number_of_the_step(n_steps, power):
    how = learning("epsilon_insensitive", schedule="invscaling", rate=0.5, power=power, l2=0.0)
    for n_rows in (1, 30, 700):
        found = descended(np.ones((n_rows, 1)), np.full(n_rows, 1e9), how, n_steps=n_steps)
        # The slope of the loss is -1 at each row.
        rates = 0.5 * (n_steps + np.arange(1.0, n_rows + 1)) ** -power
        # An exponential is as exact as what it is of.
        rtol = (8 + 2 * power * np.log(n_steps + n_rows)) * 2**-53
        np.testing.assert_allclose(found["coef"], rates.sum(), rtol=rtol)


def shuffled(first_rows, ends):
    order = np.empty((2, ends[-1]), np.int32)
    _kernels.shuffled_rows(1, 2, np.array(first_rows), np.array(ends), 8, 128, order)
    return order


def test_orders_are_random_permutations():
    orders = []
    for first_row in range(200):
        order = shuffled([first_row], [1000])
        np.testing.assert_array_equal(np.sort(order), [range(1000)] * 2)
        for group in np.split(order, range(128, 1000, 128), axis=1):
            np.testing.assert_array_equal(*np.sort(group))
        orders.append(order[0])
    places = np.argsort(orders, axis=1)
    # Every row is anywhere: means of 200 uniform places lie within 5 standard errors.
    assert np.abs(places.mean(axis=0) - 499.5).max() < 5 * 1000 / np.sqrt(12 * 200)
    several = shuffled([7, 9, 30], [1000, 2000, 2100])
    np.testing.assert_array_equal(several[0, :1000], orders[7])
    np.testing.assert_array_equal(several[0, 1000:2000], orders[9] + 1000)
    np.testing.assert_array_equal(several[:, 2000:], shuffled([30], [100]) + 2000)


def test_bad_arguments_are_refused():
    X, y = np.ones((3, 2)), np.ones(3)
    with pytest.raises(ValueError, match=r"order must lie in \[0, 3\)"):
        descended(X, y, learning(), order=np.array([0, 3], np.int32))
    with pytest.raises(ValueError, match="no loss of one output called half_multinomial"):
        descended(X, y, learning("half_multinomial"))
    for ends in ([], [2], [2, 1, 3], [-1, 3], [4]):
        with pytest.raises(ValueError, match="ends must ascend to 3"):
            descended(X, y, learning(), ends=ends)
    with pytest.raises(ValueError, match="target has length 2, expected 3"):
        descended(X, y[:2], learning())
    rows = sparse.csr_array(X)
    rows.indices[4] = 2
    with pytest.raises(ValueError, match=r"indices must lie in \[0, 2\)"):
        descended(rows, y, learning())
