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
    Matrix between(Index first, Index last) const {
        return {row(first), last - first, columns, row_stride, column_stride};
    }
};

// Asks for some rows of a matrix whose columns are contiguous: more streams than the processor
// foresees by itself.
template <class T>
void prefetch_columns(const Matrix<T> &x, Index row, Index rows, Index column, Index columns) {
    constexpr Index line = 64 / sizeof(T);
    const Index last = row + rows < x.rows ? row + rows : x.rows;
    for (Index j = column; j < column + columns; ++j)
        for (Index i = row; i < last; i += line) __builtin_prefetch(x.at(i, j));
}

// Compressed sparse rows; column indices are canonical: none occurs twice in a row.
template <class T, class Column> struct CsrMatrix {
    const T *data;
    const Column *indices, *indptr;  // indptr has rows + 1 entries
    Index rows, columns;
};

}  // namespace shoal
