// Squared distances to centres, in the double-precision difference form that labels are decided by.
#pragma once

#include <vector>

#include "sparse_assign.hpp"

namespace shoal {

// The distance of each row to the centre of its label. Rows that do not lie in one piece are copied
// a few at a time, so that a line of memory is read once for all rows that share it.
template <class T>
void own_distances(const Matrix<T> &matrix, const T *centers, const std::int32_t *labels,
                   double *out) {
    constexpr Index few = 32;
    const Index columns = matrix.columns;
    const bool in_pieces = matrix.column_stride != 1;
    std::vector<T> copied(in_pieces ? few * columns : 0);
    for (Index first = 0; first < matrix.rows; first += few) {
        const Index count = std::min(few, matrix.rows - first);
        if (in_pieces)
            for (Index j = 0; j < columns; ++j)
                for (Index i = 0; i < count; ++i)
                    copied[i * columns + j] = *matrix.at(first + i, j);
        for (Index i = 0; i < count; ++i)
            out[first + i] = squared_distance(
                in_pieces ? copied.data() + i * columns : matrix.row(first + i), 1,
                centers + labels[first + i] * columns, columns);
    }
}

template <class T, class Column>
void own_distances(const CsrMatrix<T, Column> &matrix, const T *centers,
                   const std::int32_t *labels, double *out) {
    std::vector<T> row(matrix.columns);
    for (Index i = 0; i < matrix.rows; ++i) {
        for (Index e = matrix.indptr[i]; e < matrix.indptr[i + 1]; ++e)
            row[matrix.indices[e]] = matrix.data[e];
        out[i] = squared_distance(row.data(), 1, centers + labels[i] * matrix.columns,
                                  matrix.columns);
        for (Index e = matrix.indptr[i]; e < matrix.indptr[i + 1]; ++e) row[matrix.indices[e]] = 0;
    }
}

// The distance of each row to each centre, row by row.
template <class T>
void squared_distances(const Matrix<T> &matrix, const T *centers, Index count, double *out) {
    for (Index i = 0; i < matrix.rows; ++i)
        for (Index j = 0; j < count; ++j)
            *out++ = squared_distance(matrix.row(i), matrix.column_stride,
                                      centers + j * matrix.columns, matrix.columns);
}

}  // namespace shoal
