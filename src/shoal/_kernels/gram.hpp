// Weighted second moments of rows: sums of w z z', the same bits in any order.
//
// z = (x - shift, y - shift, 1) is rounded to the type of the data. Rows are taken in groups that
// lie on the grid of their cell, whatever block they came in: within a group each entry is one chain
// of fused multiply-adds over the rows in order, so that it depends neither on the vector width nor
// on the tile; what a group gives is quantised, so that groups can come in any order.
#pragma once

#include <algorithm>
#include <cstdint>

#include "fixed_point.hpp"
#include "tile.hpp"

namespace shoal {

// Rows of a group: enough to make quantising cheap beside the products.
inline constexpr Index kGroupRows = 64;

// Exact sums in `limbs` planes of (columns, columns), of which the upper triangle is kept, and the
// scales that turn entries into integers.
struct GramSums {
    uint64_t *sums;
    const double *scale;  // (columns, columns)
    double low_scale;
    int64_t limbs, columns;
};

// What stands beside the features of a row: targets, of shape (rows, count), and weights or null.
struct BesideRows {
    const double *targets;
    Index count;
    const double *weights;
};

// A group of rows in row order, padded to whole vectors: z on the right, w z on the left.
template <class T> struct GramGroup {
    Index columns, stride, rows = 0;
    Buffer<T> right, left;

    GramGroup(Index columns, bool weighted)
        : columns(columns), stride((columns + kLanes<T> - 1) / kLanes<T> * kLanes<T>),
          right(kGroupRows * stride), left(weighted ? kGroupRows * stride : 0) {}

    T *row(Index r) { return right.data() + r * stride; }
    const T *lefts() const { return left.empty() ? right.data() : left.data(); }

    void weigh(const double *weights) {
        for (Index r = 0; r < rows; ++r)
            for (Index j = 0; j < columns; ++j)
                left[r * stride + j] = T(weights[r] * double(right[r * stride + j]));
    }
};

template <class T>
void fill_features(const Matrix<T> &x, Index first, const double *shift, GramGroup<T> &group) {
    if (x.column_stride == 1) {
        for (Index r = 0; r < group.rows; ++r) {
            const T *from = x.row(first + r);
            T *to = group.row(r);
            for (Index j = 0; j < x.columns; ++j) to[j] = T(double(from[j]) - shift[j]);
        }
        return;
    }
    for (Index j = 0; j < x.columns; ++j)
        for (Index r = 0; r < group.rows; ++r)
            group.row(r)[j] = T(double(*x.at(first + r, j)) - shift[j]);
}

template <class T, class Column>
void fill_features(const CsrMatrix<T, Column> &x, Index first, const double *shift,
                   GramGroup<T> &group) {
    for (Index r = 0; r < group.rows; ++r) {
        T *to = group.row(r);
        for (Index j = 0; j < x.columns; ++j) to[j] = T(-shift[j]);
        for (Index e = x.indptr[first + r]; e < x.indptr[first + r + 1]; ++e)
            to[x.indices[e]] = T(double(x.data[e]) - shift[x.indices[e]]);
    }
}

template <class T>
void fill_beside(const BesideRows &beside, Index first, const double *shift, Index features,
                 GramGroup<T> &group) {
    for (Index r = 0; r < group.rows; ++r) {
        const double *from = beside.targets + (first + r) * beside.count;
        T *to = group.row(r) + features;
        for (Index k = 0; k < beside.count; ++k) to[k] = T(from[k] - shift[features + k]);
        to[beside.count] = T(1);
    }
    if (beside.weights) group.weigh(beside.weights + first);
}

// Adds the entries of one row of the matrix from column j on that fill a D, up to `end`; returns the
// first column that is left.
template <int limbs, class D, class T>
Index add_entries(const T *entries, Index row, Index j, Index end, const GramSums &into) {
    constexpr Index step = sizeof(D) / sizeof(double);
    for (const Index plane = into.columns * into.columns; j + step <= end; j += step) {
        const Index at = row * into.columns + j;
        const auto words = biased_limbs<limbs>(load<D, T>(entries + j) * load<D, double>(into.scale + at),
                                               into.low_scale);
        for (int limb = 0; limb < limbs; ++limb)
            add_to(into.sums + limb * plane + at, words[limb] - bias);
    }
    return j;
}

// `height` rows of the matrix from a on, and the columns of `vectors` vectors from b on.
template <int limbs, int height, int vectors, class T>
void add_tile(const GramGroup<T> &group, Index a, Index b, const GramSums &into) {
    Vector<T> sums[height][vectors] = {};
    const T *left = group.lefts() + a, *right = group.right.data() + b;
    for (Index r = 0; r < group.rows; ++r, left += group.stride, right += group.stride) {
        Vector<T> columns[vectors];
        unroll<vectors>([&](auto v) SHOAL_INLINE {
            std::memcpy(&columns[v], right + v * kLanes<T>, kVectorBytes);
        });
        unroll<height>([&](auto i) SHOAL_INLINE {
            const Vector<T> row = broadcast<T>(left[i]);
            unroll<vectors>([&](auto v) SHOAL_INLINE {
                sums[i][v] = fma(row, columns[v], sums[i][v]);
            });
        });
    }
    alignas(64) T entries[height * vectors * kLanes<T>];
    unroll<height>([&](auto i) SHOAL_INLINE {
        unroll<vectors>([&](auto v) SHOAL_INLINE {
            store(entries + (i * vectors + v) * kLanes<T>, sums[i][v]);
        });
    });
    const Index width = vectors * kLanes<T>, end = std::min(b + width, Index(into.columns));
    for (Index i = 0; i < height; ++i) {
        const T *row = entries + i * width - b;
        const Index j = add_entries<limbs, Doubles>(row, a + i, std::max(b, a + i), end, into);
        add_entries<limbs, double>(row, a + i, j, end, into);
    }
}

// All rows of the matrix down to the diagonal, of the columns of `vectors` vectors from b on. Twelve
// accumulators fill the registers that AVX2 leaves.
template <int limbs, int vectors, class T>
void add_panel(const GramGroup<T> &group, Index b, const GramSums &into) {
    constexpr int most = 12 / vectors;
    const Index end = std::min(b + vectors * kLanes<T>, group.columns);
    Index a = 0;
    for (; a + most <= end; a += most) add_tile<limbs, most, vectors>(group, a, b, into);
    unroll<most>([&](auto rest) SHOAL_INLINE {
        if constexpr (rest > 0)
            if (end - a == rest) add_tile<limbs, rest, vectors>(group, a, b, into);
    });
}

template <int limbs, class T> void add_group(const GramGroup<T> &group, const GramSums &into) {
    Index b = 0;
    for (; b + kLanes<T> < group.stride; b += 2 * kLanes<T>) add_panel<limbs, 2>(group, b, into);
    if (b < group.stride) add_panel<limbs, 1>(group, b, into);
}

// Adds all rows of x. Group g ends before row ends[g]; where `ends` is null, every kGroupRows rows.
template <class X, class T>
void add_gram(const X &x, const BesideRows &beside, const double *shift, const Index *ends,
              Index n_groups, GramGroup<T> &group, const GramSums &into) {
    Index first = 0;
    for (Index g = 0; ends ? g < n_groups : first < x.rows; ++g) {
        const Index end = ends ? ends[g] : std::min(first + kGroupRows, x.rows);
        group.rows = end - first;
        fill_features(x, first, shift, group);
        fill_beside(beside, first, shift, x.columns, group);
        into.limbs == 1 ? add_group<1>(group, into) : add_group<2>(group, into);
        first = end;
    }
}

}  // namespace shoal
