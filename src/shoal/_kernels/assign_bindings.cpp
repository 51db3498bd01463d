// Python's view of the nearest-centre kernels: checks types and lengths, then drops the GIL.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>

#include <optional>
#include <stdexcept>
#include <string>

#include "assign.hpp"

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

template <class T> void bind(nb::module_ &m) {
    m.def("assign", &py_assign<T>, "X"_a.noconvert(), "centers"_a.noconvert(),
          "shift"_a.noconvert(), "labels"_a.noconvert(), "distances"_a.noconvert() = nb::none(),
          "rows"_a.noconvert() = nb::none());
}

}  // namespace

void bind_assign(nb::module_ &m) {
    bind<float>(m);
    bind<double>(m);
}

}  // namespace shoal
