// Python's view of distances to centres: checks shapes and labels, then drops the GIL.
#include "bindings.hpp"
#include "distances.hpp"

namespace shoal {
namespace {

template <class T>
void require_labels(const Input<std::int32_t> &labels, Index rows, const Table<T> &centers) {
    require_length(labels, rows, "labels");
    require_within<std::int32_t>(labels.data(), rows, 0, Index(centers.shape(0)), "labels");
}

template <class T> void bind_dense(nb::module_ &m) {
    m.def(
        "own_distances",
        [](Strided<T> X, Table<T> centers, Input<std::int32_t> labels, Output<double> out) {
            const auto points = matrix<T>(X);
            require_centers(centers, points.columns);
            require_length(out, points.rows, "out");
            require_labels(labels, points.rows, centers);
            own_distances(points, centers.data(), labels.data(), out.data());
        },
        "X"_a.noconvert(), "centers"_a.noconvert(), "labels"_a.noconvert(), "out"_a.noconvert(),
        nb::call_guard<nb::gil_scoped_release>());
    m.def(
        "squared_distances",
        [](Strided<T> X, Table<T> centers, Output<double, 2> out) {
            const auto points = matrix<T>(X);
            require_centers(centers, points.columns);
            require_length(out, points.rows, "out");
            require(out.shape(1) == centers.shape(0), "out and centers differ in length");
            squared_distances(points, centers.data(), Index(centers.shape(0)), out.data());
        },
        "X"_a.noconvert(), "centers"_a.noconvert(), "out"_a.noconvert(),
        nb::call_guard<nb::gil_scoped_release>());
}

template <class T, class Column> void bind_csr(nb::module_ &m) {
    m.def(
        "own_distances_csr",
        [](Input<T> data, Input<Column> indices, Input<Column> indptr, Table<T> centers,
           Input<std::int32_t> labels, Output<double> out) {
            const auto points = csr_matrix<T, Column>(data, indices, indptr,
                                                      Index(centers.shape(1)));
            require_length(out, points.rows, "out");
            require_labels(labels, points.rows, centers);
            own_distances(points, centers.data(), labels.data(), out.data());
        },
        "data"_a.noconvert(), "indices"_a.noconvert(), "indptr"_a.noconvert(),
        "centers"_a.noconvert(), "labels"_a.noconvert(), "out"_a.noconvert(),
        nb::call_guard<nb::gil_scoped_release>());
}

}  // namespace

void bind_distances(nb::module_ &m) {
    bind_dense<float>(m);
    bind_dense<double>(m);
    bind_csr<float, std::int32_t>(m);
    bind_csr<float, std::int64_t>(m);
    bind_csr<double, std::int32_t>(m);
    bind_csr<double, std::int64_t>(m);
}

}  // namespace shoal
