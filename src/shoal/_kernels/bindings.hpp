// What all bindings share: array types without conversion, and checks before the GIL is dropped.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>

#include "matrix.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace shoal {

template <class T> using Strided = nb::ndarray<const T, nb::ndim<2>, nb::device::cpu>;
template <class T> using Table = nb::ndarray<const T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
template <class T> using Input = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class T, int dimensions = 1>
using Output = nb::ndarray<T, nb::ndim<dimensions>, nb::c_contig, nb::device::cpu>;
template <class T> using Optional = std::optional<T>;

inline void require(bool holds, const std::string &message) {
    if (!holds) throw nb::value_error(message.c_str());
}

template <class Array>
void require_length(const Array &array, Index length, const char *name) {
    require(Index(array.shape(0)) == length, std::string(name) + " has length " +
                                                 std::to_string(array.shape(0)) + ", expected " +
                                                 std::to_string(length));
}

// One pass without branches: as unsigned numbers, those below `low` are the largest of all.
template <class Integer>
void require_within(const Integer *values, Index n, Integer low, Index high, const char *name) {
    using Unsigned = std::make_unsigned_t<Integer>;
    Unsigned most = 0;
    for (Index i = 0; i < n; ++i) most = std::max<Unsigned>(most, Unsigned(values[i]) - low);
    require(n == 0 || most < std::uint64_t(high - low),
            std::string(name) + " must lie in [" + std::to_string(low) + ", " +
                std::to_string(high) + ")");
}

template <class T> void require_centers(const Table<T> &centers, Index features) {
    require(centers.shape(0) > 0 && Index(centers.shape(1)) == features,
            "centers have shape (" + std::to_string(centers.shape(0)) + ", " +
                std::to_string(centers.shape(1)) + "), expected at least one row of " +
                std::to_string(features));
}

template <class T> Matrix<T> matrix(const Strided<T> &X) {
    const Index columns = Index(X.shape(1));
    require(columns > 0, "X has no columns");
    return {X.data(), Index(X.shape(0)), columns, Index(X.stride(0)),
            columns == 1 ? 1 : Index(X.stride(1))};
}

// The rows may be a window of a larger matrix: they need not begin at the first stored value.
template <class T, class Column>
CsrMatrix<T, Column> csr_matrix(const Input<T> &data, const Input<Column> &indices,
                                const Input<Column> &indptr, Index columns) {
    const Index stored = Index(data.shape(0)), rows = Index(indptr.shape(0)) - 1;
    require_length(indices, stored, "indices");
    require_within<Column>(indices.data(), stored, 0, columns, "indices");
    require(rows >= 0, "indptr is empty");
    require_within<Column>(indptr.data(), rows + 1, 0, stored + 1, "indptr");
    require(std::is_sorted(indptr.data(), indptr.data() + rows + 1), "indptr must not decrease");
    return {data.data(), indices.data(), indptr.data(), rows, columns};
}

}  // namespace shoal
