// Squared distances to centres, in the double-precision difference form that labels are decided by.
#pragma once

#include <vector>

#include "sparse_assign.hpp"

namespace shoal {

// The distance of each row to the centre of its label.
template <class T>
void own_distances(const Matrix<T> &matrix, const T *centers, const std::int32_t *labels,
                   double *out) {
    for (Index i = 0; i < matrix.rows; ++i)
        out[i] = squared_distance(matrix.row(i), matrix.column_stride,
                                  centers + labels[i] * matrix.columns, matrix.columns);
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
