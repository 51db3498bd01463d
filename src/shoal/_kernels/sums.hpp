// Exact sums of rows for each cluster, kept up as rows move from one cluster to another.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>
#if defined(__SSE2__)
#include <immintrin.h>
#endif

#include "fixed_point.hpp"
#include "matrix.hpp"

namespace shoal {

// Sums of rows in `limbs` planes of (clusters, columns), counts of rows, and sums of weights in
// `weight_limbs` planes of (clusters).
struct ClusterSums {
    uint64_t *sums;
    int64_t *counts;
    uint64_t *weight_sums;
    int64_t limbs, weight_limbs, clusters, columns;

    int64_t plane() const { return clusters * columns; }
    uint64_t *row(int64_t label) const { return label < 0 ? nullptr : sums + label * columns; }
};

// How rows become integers.
struct RowScale {
    const double *shift, *weights;  // weights: null for none
    std::vector<double> scale;
    double weight_scale, low_scale;
};

// Takes the limbs of t from `from` (null: from nowhere) to `to`.
template <int limbs, class D>
inline void move_value(D t, double low_scale, uint64_t *from, uint64_t *to, int64_t limb_stride) {
    const auto words = biased_limbs<limbs>(t, low_scale);
    for (int limb = 0; limb < limbs; ++limb) {
        add_to(to + limb * limb_stride, words[limb] - bias);
        if (from) add_to(from + limb * limb_stride, bias - words[limb]);
    }
}

// Counts a row, and its weight, where it is now.
inline void move_count(int64_t i, int32_t from, int32_t to, const RowScale &q,
                       const ClusterSums &into) {
    ++into.counts[to];
    if (from >= 0) --into.counts[from];
    if (!q.weights) return;
    uint64_t *const sums = into.weight_sums, *const source = from < 0 ? nullptr : sums + from;
    const double t = q.weights[i] * q.weight_scale;
    if (into.weight_limbs == 1) {
        move_value<1>(t, q.low_scale, source, sums + to, into.clusters);
    } else {
        move_value<2>(t, q.low_scale, source, sums + to, into.clusters);
    }
}

// Moves those columns of a row, from j on, that fill a D; returns the first that is left.
template <int limbs, class D, class T>
inline int64_t move_columns(const T *x, int64_t j, double weight, const RowScale &q, uint64_t *from,
                            uint64_t *to, const ClusterSums &into) {
    constexpr int64_t step = sizeof(D) / sizeof(double);
    const double *const shift = q.shift, *const scale = q.scale.data(), low_scale = q.low_scale;
    const int64_t columns = into.columns, plane = into.plane();
    for (; j + step <= columns; j += step) {
        const D value = (load_as<D>(x + j) - load_as<D>(shift + j)) * weight;
        move_value<limbs>(value * load_as<D>(scale + j), low_scale, from ? from + j : nullptr, to + j,
                          plane);
    }
    return j;
}

// The rows of a matrix, or copies of those whose columns are apart.
template <class T> class ContiguousRows {
  public:
    explicit ContiguousRows(const Matrix<T> &x)
        : x(x), copy(x.column_stride == 1 ? 0 : x.columns) {}
    const T *operator()(int64_t i) {
        if (x.column_stride == 1) return x.row(i);
        for (int64_t j = 0; j < x.columns; ++j) copy[j] = *x.at(i, j);
        return copy.data();
    }

  private:
    const Matrix<T> &x;
    std::vector<T> copy;
};

// Which of n <= 64 labels are new, a bit each.
inline uint64_t new_labels(const int32_t *old_labels, const int32_t *labels, int64_t n) {
    uint64_t bits = 0;
    int64_t i = 0;
#if defined(__SSE2__)
    const auto same = [&](int64_t from) {
        return _mm_cmpeq_epi32(_mm_loadu_si128((const __m128i *)(old_labels + from)),
                               _mm_loadu_si128((const __m128i *)(labels + from)));
    };
    for (; i + 16 <= n; i += 16) {
        const __m128i halves[] = {_mm_packs_epi32(same(i), same(i + 4)),
                                  _mm_packs_epi32(same(i + 8), same(i + 12))};
        const int old = _mm_movemask_epi8(_mm_packs_epi16(halves[0], halves[1]));
        bits |= uint64_t(old ^ 0xffff) << i;
    }
#endif
    for (; i < n; ++i) bits |= uint64_t(old_labels[i] != labels[i]) << i;
    return bits;
}

// Calls visit(row, old label, label) for the rows first .. last whose label changed; returns their
// number. Bits are walked, not rows: whether a row moved is a coin toss.
template <class Visit>
int64_t for_each_moved(int64_t first, int64_t last, const int32_t *old_labels,
                       const int32_t *labels, Visit visit) {
    int64_t moved = 0;
    for (; first < last; first += 64) {
        const int64_t n = std::min<int64_t>(64, last - first);
        uint64_t bits = new_labels(old_labels + first, labels + first, n);
        moved += std::popcount(bits);
        for (; bits; bits &= bits - 1) {
            const int64_t i = first + std::countr_zero(bits);
            visit(i, old_labels[i], labels[i]);
        }
    }
    return moved;
}

// Takes every row first .. last whose label changed from its old cluster (-1: from none) to its new
// one; returns their number.
template <class T>
int64_t sum_moved_rows(const Matrix<T> &x, int64_t first, int64_t last, const int32_t *old_labels,
                       const int32_t *labels, const RowScale &q, const ClusterSums &into) {
    ContiguousRows<T> row(x);
    int64_t moved = 0;
    with_limbs(into.limbs, q.weights, [&]<int limbs, bool weighted>() {
        const auto move = [&](int64_t i, int32_t from, int32_t to) {
            const double weight = weighted ? q.weights[i] : 1.0;
            const T *const values = row(i);
            uint64_t *const source = into.row(from), *const target = into.row(to);
            const int64_t j =
                move_columns<limbs, Doubles>(values, 0, weight, q, source, target, into);
            move_columns<limbs, double>(values, j, weight, q, source, target, into);
            move_count(i, from, to, q, into);
        };
        moved = for_each_moved(first, last, old_labels, labels, move);
    });
    return moved;
}

template <class T, class Column>
int64_t sum_moved_rows(const CsrMatrix<T, Column> &x, int64_t first, int64_t last,
                       const int32_t *old_labels, const int32_t *labels, const RowScale &q,
                       const ClusterSums &into) {
    int64_t moved = 0;
    with_limbs(into.limbs, q.weights, [&]<int limbs, bool weighted>() {
        const auto move = [&](int64_t i, int32_t from, int32_t to) {
            const double weight = weighted ? q.weights[i] : 1.0;
            uint64_t *const source = into.row(from), *const target = into.row(to);
            for (int64_t p = x.indptr[i]; p < x.indptr[i + 1]; ++p) {
                const int64_t j = x.indices[p];
                move_value<limbs>(double(x.data[p]) * weight * q.scale[j], q.low_scale,
                                  source ? source + j : nullptr, target + j, into.plane());
            }
            move_count(i, from, to, q, into);
        };
        moved = for_each_moved(first, last, old_labels, labels, move);
    });
    return moved;
}

}  // namespace shoal
