// Python's view of the nearest-centre kernels: checks types and lengths, then drops the GIL.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>

#include <optional>
#include <stdexcept>
#include <string>

#include "bounds.hpp"
#include "sparse_assign.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace shoal {
namespace {

template <class T> using Strided = nb::ndarray<const T, nb::ndim<2>, nb::device::cpu>;
template <class T> using Table = nb::ndarray<const T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
template <class T> using Input = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class T> using Output = nb::ndarray<T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

template <class Array> void check_length(const Array &array, std::size_t n, const char *name) {
    if (array.shape(0) != n)
        throw std::invalid_argument(std::string(name) + " has length " +
                                    std::to_string(array.shape(0)) + ", expected " +
                                    std::to_string(n));
}

template <class T> void check_centers(const Table<T> &centers, std::size_t features) {
    if (centers.shape(0) == 0 || centers.shape(1) != features)
        throw std::invalid_argument("centers have shape (" + std::to_string(centers.shape(0)) +
                                    ", " + std::to_string(centers.shape(1)) +
                                    "), expected at least one row of " + std::to_string(features));
}

void check_rows(const Input<std::int64_t> &rows, std::size_t n) {
    for (std::size_t i = 0; i < rows.shape(0); ++i)
        if (rows.data()[i] < 0 || std::size_t(rows.data()[i]) >= n)
            throw std::invalid_argument("rows[" + std::to_string(i) + "] is outside 0 .. " +
                                        std::to_string(n));
}

template <class T> Matrix<T> matrix(const Strided<T> &X) {
    return {X.data(), Index(X.shape(0)), Index(X.shape(1)), Index(X.stride(0)), Index(X.stride(1))};
}

template <class T> Centers<T> pack(const Table<T> &centers, const Input<double> &shift) {
    return {centers.data(), Index(centers.shape(0)), Index(centers.shape(1)), shift.data()};
}

template <class T>
void py_assign(Strided<T> X, Table<T> centers, Input<double> shift, Output<std::int32_t> labels,
               std::optional<Output<double>> distances,
               std::optional<Input<std::int64_t>> rows) {
    check_centers(centers, X.shape(1));
    check_length(shift, X.shape(1), "shift");
    check_length(labels, X.shape(0), "labels");
    if (distances) check_length(*distances, X.shape(0), "distances");
    if (rows) check_rows(*rows, X.shape(0));
    nb::gil_scoped_release unlocked;
    const Matrix<T> points = matrix<T>(X);
    Centers<T> packed = pack<T>(centers, shift);
    const Rows<T> chosen = rows ? Rows<T>{points, rows->data(), Index(rows->shape(0))}
                                : Rows<T>{points, nullptr, points.rows};
    assign(chosen, packed, labels.data(), distances ? distances->data() : nullptr);
}

template <class T>
Index py_assign_bounded(Strided<T> X, Table<T> centers, Input<double> shift,
                        Output<std::int32_t> labels, Output<float> upper, Output<float> lower,
                        Input<double> drift, Input<double> separation) {
    check_centers(centers, X.shape(1));
    check_length(shift, X.shape(1), "shift");
    check_length(labels, X.shape(0), "labels");
    check_length(upper, X.shape(0), "upper");
    check_length(lower, X.shape(0), "lower");
    check_length(drift, centers.shape(0), "drift");
    check_length(separation, centers.shape(0), "separation");
    nb::gil_scoped_release unlocked;
    const Matrix<T> points = matrix<T>(X);
    Centers<T> packed = pack<T>(centers, shift);
    return BoundedAssignment<T>(points, packed, labels.data(), upper.data(), lower.data())
        .step(drift.data(), separation.data());
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

template <class Column>
void check_csr(const Input<Column> &indices, const Input<Column> &indptr, std::size_t features) {
    const std::size_t n = indptr.shape(0), stored = indices.shape(0);
    bool valid = n > 0 && indptr.data()[0] == 0 && std::size_t(indptr.data()[n - 1]) == stored;
    for (std::size_t i = 1; valid && i < n; ++i) valid = indptr.data()[i - 1] <= indptr.data()[i];
    if (!valid)
        throw std::invalid_argument("indptr does not rise from 0 to the number of stored values");
    for (std::size_t e = 0; e < stored; ++e)
        if (indices.data()[e] < 0 || std::size_t(indices.data()[e]) >= features)
            throw std::invalid_argument("indices[" + std::to_string(e) + "] is outside 0 .. " +
                                        std::to_string(features));
}

template <class T, class Column>
void py_assign_csr(Input<T> data, Input<Column> indices, Input<Column> indptr, Table<T> centers,
                   Output<std::int32_t> labels, std::optional<Output<double>> distances) {
    check_centers(centers, centers.shape(1));
    check_csr(indices, indptr, centers.shape(1));
    check_length(data, indices.shape(0), "data");
    check_length(labels, indptr.shape(0) - 1, "labels");
    if (distances) check_length(*distances, indptr.shape(0) - 1, "distances");
    nb::gil_scoped_release unlocked;
    const SparseMatrix<T, Column> points{data.data(), indices.data(), indptr.data(),
                                         Index(labels.shape(0))};
    SparseAssignment<T, Column>(points, centers.data(), Index(centers.shape(0)),
                                Index(centers.shape(1)))
        .run(labels.data(), distances ? distances->data() : nullptr);
}

template <class T, class Column> void bind_sparse(nb::module_ &m) {
    m.def("assign_csr", &py_assign_csr<T, Column>, "data"_a.noconvert(), "indices"_a.noconvert(),
          "indptr"_a.noconvert(), "centers"_a.noconvert(), "labels"_a.noconvert(),
          "distances"_a.noconvert() = nb::none());
}

template <class T> void bind(nb::module_ &m) {
    m.def("assign", &py_assign<T>, "X"_a.noconvert(), "centers"_a.noconvert(),
          "shift"_a.noconvert(), "labels"_a.noconvert(), "distances"_a.noconvert() = nb::none(),
          "rows"_a.noconvert() = nb::none());
    m.def("assign_bounded", &py_assign_bounded<T>, "X"_a.noconvert(), "centers"_a.noconvert(),
          "shift"_a.noconvert(), "labels"_a.noconvert(), "upper"_a.noconvert(),
          "lower"_a.noconvert(), "drift"_a.noconvert(), "separation"_a.noconvert());
    m.def("pairwise_min_separation", &py_pairwise_min_separation<T>, "centers"_a.noconvert());
    bind_sparse<T, std::int32_t>(m);
    bind_sparse<T, std::int64_t>(m);
}

}  // namespace

void bind_assign(nb::module_ &m) {
    bind<float>(m);
    bind<double>(m);
}

}  // namespace shoal
