// Reads a matrix of any strides strip by strip as contiguous rows.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <vector>

#include "matrix.hpp"

namespace shoal {

// Rows first .. first + count (positions in the row list, if there is one) and columns
// column .. column + width, contiguous along a row.
template <class T>
struct Strip {
    const T *data;
    int64_t stride, first, count, column, width;

    const T *row(int64_t r) const { return data + r * stride; }
};

// Copies the square of 16-byte vectors whose columns lie at `from` to rows at `to`.
template <class T>
inline void transpose_square(const T *from, int64_t column_stride, T *to, int64_t row_stride) {
    typedef T Quad __attribute__((vector_size(16)));
    constexpr int side = 16 / sizeof(T);
    Quad lines[side];
    for (int j = 0; j < side; ++j) std::memcpy(&lines[j], from + j * column_stride, 16);
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

// Copies consecutive rows, from `row` on, of a matrix whose columns are contiguous.
template <class T>
void transpose(const Matrix<T> &x, int64_t row, Strip<T> strip, T *to) {
    constexpr int64_t side = 16 / sizeof(T);
    const int64_t even_rows = strip.count - strip.count % side;
    const int64_t even_columns = strip.width - strip.width % side;
    for (int64_t j = 0; j < even_columns; j += side)
        for (int64_t r = 0; r < even_rows; r += side)
            transpose_square(x.at(row + r, strip.column + j), x.column_stride,
                             to + r * strip.stride + j, strip.stride);
    for (int64_t j = 0; j < strip.width; ++j)
        for (int64_t r = j < even_columns ? even_rows : 0; r < strip.count; ++r)
            to[r * strip.stride + j] = *x.at(row + r, strip.column + j);
}

template <class T>
void gather(const Matrix<T> &x, const int64_t *rows, Strip<T> strip, T *to) {
    for (int64_t r = 0; r < strip.count; ++r) {
        const T *from = x.at(rows ? rows[strip.first + r] : strip.first + r, strip.column);
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

// Visits the n rows of x listed in `rows` (all rows, where it is null). Contiguous rows are visited
// in place; others go through a buffer that stays in the first-level cache.
template <class T, class Visit>
void for_each_strip(const Matrix<T> &x, const int64_t *rows, int64_t n, Visit visit) {
    if (x.column_stride == 1 && !rows) {
        const int64_t step = rows_at_once(x.columns);
        for (int64_t i = 0; i < n; i += step)
            visit(Strip<T>{x.at(i, 0), x.row_stride, i, std::min(step, n - i), 0, x.columns});
        return;
    }
    constexpr int64_t most_columns = 64;
    const int64_t step = rows_at_once(std::min(most_columns, x.columns));
    std::vector<T> buffer(step * std::min(most_columns, x.columns));
    for (int64_t i = 0; i < n; i += step)
        for (int64_t j = 0; j < x.columns; j += most_columns) {
            const int64_t width = std::min(most_columns, x.columns - j);
            const Strip<T> strip{buffer.data(), width, i, std::min(step, n - i), j, width};
            const int64_t *listed = rows ? rows + i : nullptr;
            const bool in_a_row = !rows || listed[strip.count - 1] - listed[0] == strip.count - 1;
            if (in_a_row && x.row_stride == 1) {
                const int64_t row = rows ? listed[0] : i;
                prefetch_columns(x, row + strip.count, strip.count, j, width);
                transpose(x, row, strip, buffer.data());
            } else {
                gather(x, rows, strip, buffer.data());
            }
            visit(strip);
        }
}

// Visits all rows of x as strips of all columns, copied where their values are not neighbours.
template <class T, class Visit> void for_each_row_strip(const Matrix<T> &x, Visit visit) {
    const int64_t width = x.columns, step = rows_at_once(width);
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
            transpose(x, i, strip, buffer.data());
        } else {
            gather(x, nullptr, strip, buffer.data());
        }
        visit(strip);
    }
}

}  // namespace shoal
