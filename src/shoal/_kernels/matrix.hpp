// Matrices in memory, as the caller holds them.
#pragma once

#include <cstddef>

namespace shoal {

using Index = std::ptrdiff_t;

// Any strides, in elements, of any sign.
template <class T> struct Matrix {
    const T *data;
    Index rows, columns, row_stride, column_stride;

    const T *row(Index i) const { return data + i * row_stride; }
    const T *at(Index i, Index j) const { return row(i) + j * column_stride; }
};

// Compressed sparse rows; column indices are canonical: none occurs twice in a row.
template <class T, class Column> struct CsrMatrix {
    const T *data;
    const Column *indices, *indptr;  // indptr has rows + 1 entries
    Index rows, columns;
};

}  // namespace shoal
