// Copies matrices of any strides to contiguous rows.
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

}  // namespace shoal
