// Asks for rows before they are needed.
#pragma once

#include "matrix.hpp"

namespace shoal {

// Rows that come soon, asked for a few lines at a time and in the order of memory, between pieces
// of other work: many at once would wait for each other, and the work for them. Of a matrix whose
// values are neighbours along neither rows nor columns nothing is asked for.
template <class T> class RowsAhead {
  public:
    RowsAhead() = default;
    explicit RowsAhead(const Matrix<T> &x) {
        if (x.column_stride == 1)
            at = x.data, runs = x.rows, stride = x.row_stride, length = x.columns;
        else if (x.row_stride == 1)
            at = x.data, runs = x.columns, stride = x.column_stride, length = x.rows;
    }

    // Brings the next `lines` of cache to the second level.
    void ask(Index lines) {
        constexpr Index line = 64 / sizeof(T);
        for (; runs > 0 && lines > 0; --lines) {
            __builtin_prefetch(at + asked, 0, second_level);
            if ((asked += line) >= length) asked = 0, at += stride, --runs;
        }
    }

  private:
    static constexpr int second_level = 2;

    const T *at = nullptr;
    Index runs = 0, stride = 0, length = 0, asked = 0;
};

}  // namespace shoal
