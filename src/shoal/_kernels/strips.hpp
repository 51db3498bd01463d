// Reads a matrix of any strides strip by strip as contiguous rows.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <vector>

#include "matrix.hpp"

namespace shoal {

// Rows first .. first + count and columns column .. column + width, contiguous along a row.
template <class T>
struct Strip {
    const T *data;
    int64_t stride, first, count, column, width;

    const T *row(int64_t r) const { return data + r * stride; }
};

// Copies the square of 16-byte vectors that begin at `column(0)`, `column(1)` ... to rows at `to`.
template <class T, class Column>
inline void transpose_square(Column column, T *to, int64_t row_stride) {
    typedef T Quad __attribute__((vector_size(16)));
    constexpr int side = 16 / sizeof(T);
    Quad lines[side];
    for (int j = 0; j < side; ++j) std::memcpy(&lines[j], column(j), 16);
    if constexpr (side == 2) {
        const Quad top = __builtin_shufflevector(lines[0], lines[1], 0, 2);
        lines[1] = __builtin_shufflevector(lines[0], lines[1], 1, 3);
        lines[0] = top;
    } else {
        const Quad a = __builtin_shufflevector(lines[0], lines[1], 0, 4, 1, 5);
        const Quad b = __builtin_shufflevector(lines[2], lines[3], 0, 4, 1, 5);
        const Quad c = __builtin_shufflevector(lines[0], lines[1], 2, 6, 3, 7);
        const Quad d = __builtin_shufflevector(lines[2], lines[3], 2, 6, 3, 7);
        lines[0] = __builtin_shufflevector(a, b, 0, 1, 4, 5);
        lines[1] = __builtin_shufflevector(a, b, 2, 3, 6, 7);
        lines[2] = __builtin_shufflevector(c, d, 0, 1, 4, 5);
        lines[3] = __builtin_shufflevector(c, d, 2, 3, 6, 7);
    }
    for (int r = 0; r < side; ++r) std::memcpy(to + r * row_stride, &lines[r], 16);
}

// Copies rows of a matrix whose columns are contiguous.
template <class T>
void transpose(const Matrix<T> &x, Strip<T> strip, T *to) {
    constexpr int64_t side = 16 / sizeof(T);
    const int64_t even_rows = strip.count - strip.count % side;
    const int64_t even_columns = strip.width - strip.width % side;
    for (int64_t j = 0; j < even_columns; j += side)
        for (int64_t r = 0; r < even_rows; r += side)
            transpose_square([&](int c) { return x.at(strip.first + r, strip.column + j + c); },
                             to + r * strip.stride + j, strip.stride);
    for (int64_t j = 0; j < strip.width; ++j)
        for (int64_t r = j < even_columns ? even_rows : 0; r < strip.count; ++r)
            to[r * strip.stride + j] = *x.at(strip.first + r, strip.column + j);
}

template <class T>
void gather(const Matrix<T> &x, Strip<T> strip, T *to) {
    for (int64_t r = 0; r < strip.count; ++r) {
        const T *from = x.at(strip.first + r, strip.column);
        for (int64_t j = 0; j < strip.width; ++j)
            to[r * strip.stride + j] = from[j * x.column_stride];
    }
}

// A power of two, so that rows can be folded evenly; few enough rows to be a handful of streams of
// whole pages where they are long.
inline int64_t rows_at_once(int64_t columns) {
    constexpr uint64_t elements = 2048;
    return std::bit_floor(std::clamp<uint64_t>(elements / columns, 8, 512));
}

// Contiguous rows are visited in place; others go through a buffer that stays in the first-level
// cache.
template <class T, class Visit>
void for_each_strip(const Matrix<T> &x, Visit visit) {
    constexpr int64_t most_columns = 64;
    if (x.column_stride == 1) {
        const int64_t step = rows_at_once(x.columns);
        for (int64_t i = 0; i < x.rows; i += step)
            visit(Strip<T>{x.row(i), x.row_stride, i, std::min(step, x.rows - i), 0, x.columns});
        return;
    }
    const int64_t step = rows_at_once(std::min(most_columns, x.columns));
    std::vector<T> buffer(step * std::min(most_columns, x.columns));
    for (int64_t i = 0; i < x.rows; i += step)
        for (int64_t j = 0; j < x.columns; j += most_columns) {
            const int64_t width = std::min(most_columns, x.columns - j);
            const Strip<T> strip{buffer.data(), width, i, std::min(step, x.rows - i), j, width};
            if (x.row_stride == 1) {
                prefetch_columns(x, i + strip.count, strip.count, j, width);
                transpose(x, strip, buffer.data());
            } else {
                gather(x, strip, buffer.data());
            }
            visit(strip);
        }
}

// Rows that are met twice while they stay in the first-level cache; more of them than of a strip,
// because the work beside them comes in vectors of rows.
inline int64_t rows_of_group(int64_t columns) { return 2 * rows_at_once(columns); }

// Visits all rows of x in groups of all columns, copied where their values are not neighbours.
template <class T, class Visit> void for_each_row_group(const Matrix<T> &x, Visit visit) {
    const int64_t width = x.columns, step = rows_of_group(width);
    if (x.column_stride == 1) {
        for (int64_t i = 0; i < x.rows; i += step)
            visit(Strip<T>{x.row(i), x.row_stride, i, std::min<int64_t>(step, x.rows - i), 0,
                           width});
        return;
    }
    std::vector<T> buffer(step * width);
    for (int64_t i = 0; i < x.rows; i += step) {
        const int64_t count = std::min<int64_t>(step, x.rows - i);
        const Strip<T> strip{buffer.data(), width, i, count, 0, width};
        if (x.row_stride == 1) {
            prefetch_columns(x, i + count, count, 0, width);
            transpose(x, strip, buffer.data());
        } else {
            gather(x, strip, buffer.data());
        }
        visit(strip);
    }
}

}  // namespace shoal
