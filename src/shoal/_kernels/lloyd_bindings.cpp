// Python's view of what a pass of Lloyd's algorithm does: the search by bounds and the sums.
#include "fixed_point_bindings.hpp"
#include "lloyd.hpp"

#include <nanobind/stl/pair.h>

#include <utility>

namespace shoal {
namespace {

ClusterSums cluster_sums(const Output<int64_t, 3> &sums, const Output<int64_t> &counts,
                         const Optional<Output<int64_t, 2>> &weight_sums, int64_t columns) {
    const auto clusters = static_cast<int64_t>(sums.shape(1));
    require_limbs(sums, "sums");
    require(static_cast<int64_t>(sums.shape(2)) == columns, "sums and X differ in columns");
    require_length(counts, clusters, "counts");
    const auto limbs = static_cast<int64_t>(sums.shape(0));
    ClusterSums into{words(sums.data()), counts.data(), nullptr, limbs, 0, clusters, columns};
    if (weight_sums) {
        require_limbs(*weight_sums, "weight_sums");
        require(static_cast<int64_t>(weight_sums->shape(1)) == clusters,
                "weight_sums and sums differ in clusters");
        into.weight_sums = words(weight_sums->data());
        into.weight_limbs = weight_sums->shape(0);
    }
    return into;
}

RowScale row_scale(const double *shift, const Input<int32_t> &exponents,
                   const Optional<Input<double>> &weights, int32_t weight_exponent,
                   int32_t low_bits, int64_t rows, const ClusterSums &into) {
    require_length(exponents, into.columns, "exponents");
    require_exponents(exponents.data(), into.columns, "exponents");
    require_exponents(&weight_exponent, 1, "weight_exponent");
    require_low_bits(low_bits);
    require(weights.has_value() == (into.weight_sums != nullptr),
            "weights and weight_sums go together");
    return {shift, weights_of(weights, rows), powers_of_two(exponents.data(), into.columns),
            std::ldexp(1.0, weight_exponent), std::ldexp(1.0, low_bits)};
}

// The rows of `bounds` are the upper ones, those to rivals, and those to the rest.
Bounds require_bounds(const Output<int32_t> &labels, const Output<int32_t> &rivals,
                      const Output<float, 2> &bounds, const Input<double> &drift,
                      const Input<double> &separation, Index clusters) {
    const auto rows = Index(labels.shape(0));
    require_length(rivals, rows, "rivals");
    require_within<int32_t>(labels.data(), rows, 0, clusters, "labels");
    require_within<int32_t>(rivals.data(), rows, 0, clusters, "rivals");
    require(bounds.shape(0) == 3 && Index(bounds.shape(1)) == rows,
            "bounds must be three rows as long as labels");
    require_length(drift, clusters, "drift");
    require_length(separation, clusters, "separation");
    float *const upper = bounds.data();
    return {labels.data(), rivals.data(), upper, upper + rows, upper + 2 * rows};
}

template <class T>
Matrix<T> require_search(const Strided<T> &X, const Table<T> &centers, const Input<double> &shift,
                         const Output<int32_t> &labels) {
    const Matrix<T> x = matrix<T>(X);
    require_centers(centers, x.columns);
    require_length(shift, x.columns, "shift");
    require_length(labels, x.rows, "labels");
    return x;
}

template <class T> Centers<T> pack(const Table<T> &centers, const Input<double> &shift) {
    return {centers.data(), Index(centers.shape(0)), Index(centers.shape(1)), shift.data()};
}

template <class T>
Index py_assign_bounded(Strided<T> X, Table<T> centers, Input<double> shift,
                        Output<int32_t> labels, Output<int32_t> rivals, Output<float, 2> bounds,
                        Input<double> drift, Input<double> separation) {
    const Matrix<T> x = require_search(X, centers, shift, labels);
    const Bounds known =
        require_bounds(labels, rivals, bounds, drift, separation, Index(centers.shape(0)));
    Centers<T> packed = pack<T>(centers, shift);
    Screen<T> screen(x, packed);
    const Drift moved(drift.data(), separation.data(), packed.count);
    BoundedAssignment<T> search(x, packed, screen, moved, known);
    Index scanned = 0;
    for_each_range(x, [&](Index first, Index last) { scanned += search.step(first, last); });
    return scanned;
}

template <class T>
std::pair<Index, Index> py_assign_and_sum(
    Strided<T> X, Table<T> centers, Input<double> shift, Input<int32_t> old_labels,
    Output<int32_t> labels, Input<int32_t> exponents, Output<int64_t, 3> sums,
    Output<int64_t> counts, Optional<Input<double>> weights, int32_t weight_exponent,
    Optional<Output<int64_t, 2>> weight_sums, int32_t low_bits, Optional<Output<int32_t>> rivals,
    Optional<Output<float, 2>> bounds, Optional<Input<double>> drift,
    Optional<Input<double>> separation) {
    const Matrix<T> x = require_search(X, centers, shift, labels);
    const auto into = cluster_sums(sums, counts, weight_sums, x.columns);
    require(into.clusters == Index(centers.shape(0)), "sums and centers differ in clusters");
    const auto q =
        row_scale(shift.data(), exponents, weights, weight_exponent, low_bits, x.rows, into);
    require_length(old_labels, x.rows, "old_labels");
    require_within<int32_t>(old_labels.data(), x.rows, -1, into.clusters, "old_labels");
    Centers<T> packed = pack<T>(centers, shift);
    Screen<T> screen(x, packed);
    const auto run = [&](auto search) {
        const Pass pass =
            assign_and_sum(x, old_labels.data(), labels.data(), q, into, search);
        return std::pair{pass.scanned, pass.moved};
    };
    if (!bounds)
        return run([&](Index first, Index last) {
            assign(x.between(first, last), packed, screen, labels.data() + first, nullptr);
            return last - first;
        });
    require(rivals && drift && separation, "rivals, drift and separation go with bounds");
    const Bounds known =
        require_bounds(labels, *rivals, *bounds, *drift, *separation, packed.count);
    const Drift moved(drift->data(), separation->data(), packed.count);
    BoundedAssignment<T> search(x, packed, screen, moved, known);
    return run([&](Index first, Index last) { return search.step(first, last); });
}

template <class X>
int64_t move_all(const X &x, const Input<int32_t> &old_labels, const Input<int32_t> &labels,
                 const RowScale &q, const ClusterSums &into) {
    require_length(labels, x.rows, "labels");
    require_length(old_labels, x.rows, "old_labels");
    require_within<int32_t>(labels.data(), x.rows, 0, into.clusters, "labels");
    require_within<int32_t>(old_labels.data(), x.rows, -1, into.clusters, "old_labels");
    return sum_moved_rows(x, 0, x.rows, old_labels.data(), labels.data(), q, into);
}

template <class T>
int64_t py_sum_moved_rows(Strided<T> X, Input<double> shift, Input<int32_t> old_labels,
                          Input<int32_t> labels, Input<int32_t> exponents,
                          Output<int64_t, 3> sums, Output<int64_t> counts,
                          Optional<Input<double>> weights, int32_t weight_exponent,
                          Optional<Output<int64_t, 2>> weight_sums, int32_t low_bits) {
    const Matrix<T> x = matrix<T>(X);
    const auto into = cluster_sums(sums, counts, weight_sums, x.columns);
    require_length(shift, x.columns, "shift");
    const auto q =
        row_scale(shift.data(), exponents, weights, weight_exponent, low_bits, x.rows, into);
    return move_all(x, old_labels, labels, q, into);
}

template <class T, class Column>
int64_t py_sum_moved_rows_csr(Input<T> data, Input<Column> indices, Input<Column> indptr,
                              Input<int32_t> old_labels, Input<int32_t> labels,
                              Input<int32_t> exponents, Output<int64_t, 3> sums,
                              Output<int64_t> counts, Optional<Input<double>> weights,
                              int32_t weight_exponent, Optional<Output<int64_t, 2>> weight_sums,
                              int32_t low_bits) {
    const auto x = csr_matrix<T, Column>(data, indices, indptr, Index(sums.shape(2)));
    const auto into = cluster_sums(sums, counts, weight_sums, x.columns);
    const auto q = row_scale(nullptr, exponents, weights, weight_exponent, low_bits, x.rows, into);
    return move_all(x, old_labels, labels, q, into);
}

template <class T> nb::object py_pairwise_min_separation(Table<T> centers) {
    const Index k = Index(centers.shape(0)), features = Index(centers.shape(1));
    auto *separation = new double[k];
    nb::capsule owner(separation, [](void *p) noexcept { delete[] static_cast<double *>(p); });
    {
        nb::gil_scoped_release unlocked;
        pairwise_min_separation(Matrix<T>{centers.data(), k, features, features, 1}, separation);
    }
    using Result = nb::ndarray<nb::numpy, double, nb::ndim<1>>;
    return nb::cast(Result(separation, {std::size_t(k)}, owner));
}

using Unlocked = nb::call_guard<nb::gil_scoped_release>;

template <class T, class Column> void bind_csr(nb::module_ &m) {
    m.def("sum_moved_rows_csr", &py_sum_moved_rows_csr<T, Column>, "data"_a.noconvert(),
          "indices"_a.noconvert(), "indptr"_a.noconvert(), "old_labels"_a.noconvert(),
          "labels"_a.noconvert(), "exponents"_a.noconvert(), "sums"_a.noconvert(),
          "counts"_a.noconvert(), "weights"_a.noconvert() = nb::none(), "weight_exponent"_a = 0,
          "weight_sums"_a.noconvert() = nb::none(), "low_bits"_a = 0, Unlocked());
}

template <class T> void bind(nb::module_ &m) {
    m.def("assign_bounded", &py_assign_bounded<T>, "X"_a.noconvert(), "centers"_a.noconvert(),
          "shift"_a.noconvert(), "labels"_a.noconvert(), "rivals"_a.noconvert(),
          "bounds"_a.noconvert(), "drift"_a.noconvert(), "separation"_a.noconvert(), Unlocked());
    m.def("assign_and_sum", &py_assign_and_sum<T>, "X"_a.noconvert(), "centers"_a.noconvert(),
          "shift"_a.noconvert(), "old_labels"_a.noconvert(), "labels"_a.noconvert(),
          "exponents"_a.noconvert(), "sums"_a.noconvert(), "counts"_a.noconvert(),
          "weights"_a.noconvert() = nb::none(), "weight_exponent"_a = 0,
          "weight_sums"_a.noconvert() = nb::none(), "low_bits"_a = 0,
          "rivals"_a.noconvert() = nb::none(), "bounds"_a.noconvert() = nb::none(),
          "drift"_a.noconvert() = nb::none(), "separation"_a.noconvert() = nb::none(), Unlocked());
    m.def("sum_moved_rows", &py_sum_moved_rows<T>, "X"_a.noconvert(), "shift"_a.noconvert(),
          "old_labels"_a.noconvert(), "labels"_a.noconvert(), "exponents"_a.noconvert(),
          "sums"_a.noconvert(), "counts"_a.noconvert(), "weights"_a.noconvert() = nb::none(),
          "weight_exponent"_a = 0, "weight_sums"_a.noconvert() = nb::none(), "low_bits"_a = 0,
          Unlocked());
    m.def("pairwise_min_separation", &py_pairwise_min_separation<T>, "centers"_a.noconvert());
    bind_csr<T, std::int32_t>(m);
    bind_csr<T, std::int64_t>(m);
}

}  // namespace

void bind_lloyd(nb::module_ &m) {
    bind<float>(m);
    bind<double>(m);
}

}  // namespace shoal
