// Labels of classes among targets, where there are few: each is compared with all targets, a run of
// them at a time, which takes a fraction of searching for each target.
#pragma once

#include <algorithm>
#include <cstdint>

#include "matrix.hpp"

namespace shoal {

// So few that they and what is found of them stay in the first-level cache.
constexpr Index labels_run = 1024;

// Calls visit(first, count) for each run of n targets; ends where it gives false, and gives that.
template <class Visit> bool for_each_run(Index n, Visit visit) {
    for (Index first = 0; first < n; first += labels_run)
        if (!visit(first, std::min(labels_run, n - first))) return false;
    return true;
}

template <class T> Index count_equal(const T *target, Index n, T label) {
    std::int32_t equal = 0;
    for (Index i = 0; i < n; ++i) equal += target[i] == label;
    return equal;
}

// Adds how many targets each of the distinct labels has; false where some target is none of them.
template <class T>
bool count_labels(const T *target, Index n, const T *labels, Index n_labels,
                  std::int64_t *counts) {
    return for_each_run(n, [&](Index first, Index count) {
        Index known = 0;
        for (Index k = 0; k < n_labels; ++k) {
            const Index equal = count_equal(target + first, count, labels[k]);
            counts[k] += equal, known += equal;
        }
        return known == count;
    });
}

// The value of each target's label; false where some target is none of the distinct labels.
template <class T>
bool label_values(const T *target, Index n, const T *labels, Index n_labels, const double *values,
                  double *found) {
    return for_each_run(n, [&](Index first, Index count) {
        const T *const here = target + first;
        double *const to = found + first;
        Index known = 0;
        for (Index k = 0; k < n_labels; ++k) {
            const T label = labels[k];
            const double value = values[k];
            known += count_equal(here, count, label);
            if (k == 0)
                std::fill_n(to, count, value);
            else
                for (Index i = 0; i < count; ++i) to[i] = here[i] == label ? value : to[i];
        }
        return known == count;
    });
}

}  // namespace shoal
