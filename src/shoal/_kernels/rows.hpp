// Copies matrices of any strides, and columns that lie anywhere, to contiguous rows.
#pragma once

#include <algorithm>

#include "strips.hpp"

namespace shoal {

// Whole cache lines of each column, yet rows that stay in the second-level cache until they are
// complete.
template <class T> void copy_rows(const Matrix<T> &x, T *to) {
    constexpr Index most = 64;
    for (Index i = 0; i < x.rows; i += most, to += most * x.columns) {
        const Strip<T> strip{to, x.columns, i, std::min(most, x.rows - i), 0, x.columns};
        if (x.row_stride == 1)
            transpose(x, strip, to);
        else
            gather(x, strip, to);
    }
}

// As many columns at a time as a square has: rows stay in the first-level cache until they are
// complete. All columns are more streams than the processor foresees by itself, so each run of rows
// asks for the next one.
template <class T>
void copy_columns(const T *const *columns, Index n_columns, Index rows, T *to) {
    constexpr Index side = 16 / sizeof(T), line = 64 / sizeof(T), most = 64;
    for (Index i = 0; i < rows; i += most) {
        const Index stop = std::min(i + most, rows), even_rows = stop - (stop - i) % side;
        const Index ahead = std::min(stop + most, rows), even = n_columns - n_columns % side;
        for (Index j = 0; j < even; j += side) {
            for (Index c = j; c < j + side; ++c)
                for (Index r = stop; r < ahead; r += line) __builtin_prefetch(columns[c] + r);
            for (Index r = i; r < even_rows; r += side)
                transpose_square([&](int c) { return columns[j + c] + r; },
                                 to + r * n_columns + j, n_columns);
        }
        for (Index j = 0; j < n_columns; ++j)
            for (Index r = j < even ? even_rows : i; r < stop; ++r)
                to[r * n_columns + j] = columns[j][r];
    }
}

}  // namespace shoal
