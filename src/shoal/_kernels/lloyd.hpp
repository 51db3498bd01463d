// A pass of Lloyd's algorithm over some rows. They find their centre and move between the sums of
// clusters a range at a time, while they lie in the second-level cache.
#pragma once

#include "bounds.hpp"
#include "sums.hpp"

namespace shoal {

struct Pass {
    Index scanned, moved;
};

// Calls visit(first, last) for ranges of rows that stay in the second-level cache.
template <class T, class Visit> void for_each_range(const Matrix<T> &x, Visit visit) {
    constexpr Index bytes = 1 << 18;
    const Index runs = bytes / (kRunRows<T> * x.columns * Index(sizeof(T)));
    const Index step = std::max<Index>(runs, 1) * kRunRows<T>;
    for (Index first = 0; first < x.rows; first += step)
        visit(first, std::min(first + step, x.rows));
}

// Labels rows by search(first, last), which returns how many it compared with all centres, and
// takes those whose label is new from their old cluster.
template <class T, class Search>
Pass assign_and_sum(const Matrix<T> &x, const std::int32_t *old_labels, const std::int32_t *labels,
                    const RowScale &q, const ClusterSums &into, Search search) {
    Pass pass{};
    for_each_range(x, [&](Index first, Index last) {
        pass.scanned += search(first, last);
        pass.moved += sum_moved_rows(x, first, last, old_labels, labels, q, into);
    });
    return pass;
}

}  // namespace shoal
