// Exact sums of rows for each cluster, added to or taken away in any order.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "fixed_point.hpp"
#include "strips.hpp"

namespace shoal {

// Sums of rows in `limbs` planes of (clusters, columns), counts of rows, and sums of weights in
// `weight_limbs` planes of (clusters). Between the first row and finish() every word of a cluster
// holds the bias once for each row added or removed, and its count waits.
struct ClusterSums {
    uint64_t *sums;
    int64_t *counts;
    uint64_t *weight_sums;
    int64_t limbs, weight_limbs, clusters, columns;
    std::vector<uint64_t> added, removed;

    int64_t plane() const { return clusters * columns; }

    void finish() {
        for (int64_t c = 0; c < clusters; ++c) {
            const uint64_t rows = added[c] + removed[c];
            if (rows == 0) continue;
            for (int64_t limb = 0; limb < limbs; ++limb)
                for (int64_t j = 0; j < columns; ++j)
                    sums[limb * plane() + c * columns + j] -= bias * rows;
            counts[c] += static_cast<int64_t>(added[c] - removed[c]);
        }
    }
};

// How rows become integers. Rounding to even is symmetric, so negative scales give exactly what
// takes a row away again.
struct RowScale {
    const double *shift, *weights;  // weights: null for none
    std::vector<double> scale;
    double weight_scale, low_scale;
    bool negative = false;

    RowScale negated() const {
        RowScale negated = *this;
        for (double &s : negated.scale) s = -s;
        negated.weight_scale = -weight_scale;
        negated.negative = !negative;
        return negated;
    }
};

inline void add_weight(double weight, const RowScale &q, int64_t label, const ClusterSums &into) {
    const double t = weight * q.weight_scale;
    if (into.weight_limbs == 1) {
        add_value<1>(t, q.low_scale, into.weight_sums + label, into.clusters);
    } else {
        add_value<2>(t, q.low_scale, into.weight_sums + label, into.clusters);
    }
}

// Which row of x the rows of a strip are, and what each brings.
struct TileRows {
    const int64_t *rows;  // null: from strip.first on
    const int32_t *labels;

    int64_t at(int64_t r) const { return rows ? rows[r] : r; }
};

// Counts the rows of a strip, and their weights.
template <class T>
void count_tile(const Strip<T> &strip, const TileRows &rows, const RowScale &q, ClusterSums &into) {
    uint64_t *counted = q.negative ? into.removed.data() : into.added.data();
    for (int64_t r = strip.first; r < strip.first + strip.count; ++r) {
        const int64_t i = rows.at(r), label = rows.labels[i];
        if (label < 0) continue;
        ++counted[label];
        if (q.weights) add_weight(q.weights[i], q, label, into);
    }
}

// Adds `strips` neighbouring D, scalars or vectors of columns, of every row of a strip, whose shifts
// and scales stay in registers. Locals stand for members, which the sums might alias.
template <int limbs, bool weighted, class D, int strips, class T>
void add_strips(const Strip<T> &strip, int64_t j, TileRows rows, const RowScale &q,
                const ClusterSums &into) {
    constexpr int64_t step = sizeof(D) / sizeof(double);
    D shift[strips], scale[strips];
    for (int s = 0; s < strips; ++s) {
        shift[s] = load<D>(q.shift + strip.column + j + s * step);
        scale[s] = load<D>(q.scale.data() + strip.column + j + s * step);
    }
    const double *weights = q.weights, low_scale = q.low_scale;
    const int64_t plane = into.plane(), columns = into.columns, stride = strip.stride;
    uint64_t *const sums = into.sums + strip.column + j;
    const T *x = strip.data + j;
    for (int64_t r = strip.first, end = r + strip.count; r < end; ++r, x += stride) {
        const int64_t i = rows.at(r), label = rows.labels[i];
        if (label < 0) continue;
        for (int s = 0; s < strips; ++s) {
            D value = load<D>(x + s * step) - shift[s];
            if constexpr (weighted) value *= weights[i];
            const auto words = biased_limbs<limbs>(value * scale[s], low_scale);
            for (int limb = 0; limb < limbs; ++limb)
                add_to(sums + limb * plane + label * columns + s * step, words[limb]);
        }
    }
}

// Adds the columns from j on that fill a D, and returns the first that is left.
template <int limbs, bool weighted, class D, class T>
int64_t add_columns(const Strip<T> &strip, int64_t j, TileRows rows, const RowScale &q,
                    const ClusterSums &into) {
    constexpr int64_t step = sizeof(D) / sizeof(double);
    for (; j + 4 * step <= strip.width; j += 4 * step)
        add_strips<limbs, weighted, D, 4>(strip, j, rows, q, into);
    const int64_t strips = (strip.width - j) / step;
    if (strips == 3) add_strips<limbs, weighted, D, 3>(strip, j, rows, q, into);
    if (strips == 2) add_strips<limbs, weighted, D, 2>(strip, j, rows, q, into);
    if (strips == 1) add_strips<limbs, weighted, D, 1>(strip, j, rows, q, into);
    return j + strips * step;
}

// Adds the n rows of x listed in `rows` (all, where it is null) to the cluster of their label.
// Labels and weights are indexed by the row of x; a row with a negative label belongs nowhere.
template <class T>
void sum_rows(const Matrix<T> &x, const int64_t *rows, int64_t n, const int32_t *labels,
              const RowScale &q, ClusterSums &into) {
    with_limbs(into.limbs, q.weights, [&]<int limbs, bool weighted>() {
        for_each_strip(x, rows, n, [&](const Strip<T> &strip) {
            const TileRows tile_rows{rows, labels};
            if (strip.column == 0) count_tile(strip, tile_rows, q, into);
            // The sums of many wide rows fill the first-level cache: finish each row there.
            Strip<T> part = strip;
            part.count = strip.width < 64 ? strip.count : 1;
            for (; part.first < strip.first + strip.count; part.first += part.count) {
                const int64_t j =
                    add_columns<limbs, weighted, Doubles>(part, 0, tile_rows, q, into);
                add_columns<limbs, weighted, double>(part, j, tile_rows, q, into);
                part.data += part.count * part.stride;
            }
        });
    });
}

template <class T, class Column>
void sum_rows(const CsrMatrix<T, Column> &x, const int64_t *rows, int64_t n, const int32_t *labels,
              const RowScale &q, ClusterSums &into) {
    with_limbs(into.limbs, q.weights, [&]<int limbs, bool weighted>() {
        for (int64_t r = 0; r < n; ++r) {
            const int64_t i = rows ? rows[r] : r;
            const int64_t label = labels[i];
            if (label < 0) continue;
            into.counts[label] += q.negative ? -1 : 1;
            if constexpr (weighted) add_weight(q.weights[i], q, label, into);
            for (int64_t p = x.indptr[i]; p < x.indptr[i + 1]; ++p) {
                const int64_t j = x.indices[p];
                double value = x.data[p];
                if constexpr (weighted) value *= q.weights[i];
                add_value<limbs>(value * q.scale[j], q.low_scale,
                                 into.sums + label * into.columns + j, into.plane());
            }
        }
    });
}

// Visits the rows whose label changed, as lists of at most `most_moved` rows; returns their number.
// Most rows stay, so whole runs of labels are compared at once.
template <class Visit>
int64_t for_each_moved(const int32_t *old_labels, const int32_t *labels, int64_t n, Visit visit) {
    constexpr int64_t run = 64, most_moved = 256;
    std::vector<int64_t> moved;
    moved.reserve(most_moved);
    int64_t total = 0;
    const auto flush = [&] {
        visit(moved.data(), static_cast<int64_t>(moved.size()));
        total += moved.size();
        moved.clear();
    };
    for (int64_t first = 0; first < n; first += run) {
        const int64_t end = std::min(first + run, n);
        if (!std::memcmp(old_labels + first, labels + first, (end - first) * sizeof *labels))
            continue;
        for (int64_t i = first; i < end; ++i)
            if (old_labels[i] != labels[i]) moved.push_back(i);
        if (moved.size() > most_moved - run) flush();
    }
    flush();
    return total;
}

// Takes every row whose label changed from its old cluster (-1: from none) to its new one.
template <class X>
int64_t sum_moved_rows(const X &x, const int32_t *old_labels, const int32_t *labels,
                       const RowScale &q, ClusterSums &into) {
    const RowScale negative = q.negated();
    return for_each_moved(old_labels, labels, x.rows, [&](const int64_t *rows, int64_t n) {
        sum_rows(x, rows, n, labels, q, into);
        sum_rows(x, rows, n, old_labels, negative, into);
    });
}

}  // namespace shoal
