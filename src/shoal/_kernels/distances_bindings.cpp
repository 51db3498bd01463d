// Python's view of distances to centres: checks shapes and labels, then drops the GIL.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <stdexcept>

#include "distances.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace shoal {
namespace {

template <class T> using Strided = nb::ndarray<const T, nb::ndim<2>, nb::device::cpu>;
template <class T> using Table = nb::ndarray<const T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
template <class T> using Input = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class T> using Output = nb::ndarray<T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Distances = nb::ndarray<double, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

void require(bool holds, const char *message) {
    if (!holds) throw std::invalid_argument(message);
}

template <class T>
void require_labels(const Input<std::int32_t> &labels, std::size_t rows, const Table<T> &centers) {
    require(labels.shape(0) == rows, "labels and rows differ in length");
    std::uint32_t most = 0;
    for (std::size_t i = 0; i < rows; ++i)
        most = std::max(most, static_cast<std::uint32_t>(labels.data()[i]));
    require(rows == 0 || most < centers.shape(0), "a label names no centre");
}

template <class T> Matrix<T> matrix(const Strided<T> &X) {
    return {X.data(), Index(X.shape(0)), Index(X.shape(1)), Index(X.stride(0)), Index(X.stride(1))};
}

template <class T> void bind_dense(nb::module_ &m) {
    m.def(
        "own_distances",
        [](Strided<T> X, Table<T> centers, Input<std::int32_t> labels, Output<double> out) {
            require(X.shape(1) == centers.shape(1), "X and centers differ in features");
            require(out.shape(0) == X.shape(0), "out and X differ in length");
            require_labels<T>(labels, X.shape(0), centers);
            own_distances(matrix<T>(X), centers.data(), labels.data(), out.data());
        },
        "X"_a.noconvert(), "centers"_a.noconvert(), "labels"_a.noconvert(), "out"_a.noconvert(),
        nb::call_guard<nb::gil_scoped_release>());
    m.def(
        "squared_distances",
        [](Strided<T> X, Table<T> centers, Distances out) {
            require(X.shape(1) == centers.shape(1), "X and centers differ in features");
            require(out.shape(0) == X.shape(0) && out.shape(1) == centers.shape(0),
                    "out is not of shape (rows, centers)");
            squared_distances(matrix<T>(X), centers.data(), Index(centers.shape(0)), out.data());
        },
        "X"_a.noconvert(), "centers"_a.noconvert(), "out"_a.noconvert(),
        nb::call_guard<nb::gil_scoped_release>());
}

template <class T, class Column> void bind_csr(nb::module_ &m) {
    m.def(
        "own_distances_csr",
        [](Input<T> data, Input<Column> indices, Input<Column> indptr, Table<T> centers,
           Input<std::int32_t> labels, Output<double> out) {
            require(indptr.shape(0) == out.shape(0) + 1, "out and indptr differ in rows");
            require(data.shape(0) == indices.shape(0), "data and indices differ in length");
            require_labels<T>(labels, out.shape(0), centers);
            const SparseMatrix<T, Column> points{data.data(), indices.data(), indptr.data(),
                                                 Index(out.shape(0))};
            own_distances(points, centers.data(), Index(centers.shape(1)), labels.data(),
                          out.data());
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
