// Weighted second moments of rows: sums of w z z', the same bits in any order.
//
// z = (y - shift, 1, x - shift), each column times a power of two that brings it to 1 at most, is
// of the type of the data, and so is the shift of x. Rows are taken in groups that lie on the grid
// of their cell, whatever block they came in: within a group each entry is one chain of fused
// multiply-adds over the rows in order, so that it depends neither on the vector width nor on the
// tile; what a group gives is quantised, so that groups can come in any order.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

#include "fixed_point.hpp"
#include "rows_ahead.hpp"
#include "tile.hpp"

namespace shoal {

// Rows of a group: enough to make quantising cheap beside the products, few enough that they stay
// in the first-level cache beside the totals.
inline constexpr Index kGroupRows = 64;

// What features and targets are centred on, and the powers of two that features, targets and 1 are
// multiplied by; and those of weights.
struct GramScale {
    const double *shift, *factor;
    double weight;
};

// Where entries are rounded: to multiples of 2^-exponent, and the rest to 2^-low_bits of that.
struct EntryPoint {
    double rounder, to_low;

    EntryPoint(int exponent, int low_bits)
        : rounder(std::ldexp(shoal::rounder, -exponent)),
          to_low(std::ldexp(1.0, exponent + low_bits)) {}
};

// Targets, of shape (rows, count), and weights or null.
struct BesideRows {
    const double *targets, *weights;
    Index count;
};

// A group of rows in row order: z on the right, w z on the left. Targets and 1 end where features
// begin, at a whole vector; what is left over of vectors is zero.
template <class T> struct GramGroup {
    Index features, begin, first, end, stride, rows = 0;
    Buffer<T> right, left, shift, factor;
    RowsAhead<T> ahead;

    GramGroup(const GramScale &scale, Index features, Index targets, bool weighted)
        : features(features), begin(whole_vectors(targets + 1)), first(begin - targets - 1),
          end(begin + features), stride(begin + whole_vectors(features)),
          right(kGroupRows * stride), left(weighted ? kGroupRows * stride : 0),
          shift(scale.shift, scale.shift + features),
          factor(scale.factor, scale.factor + features) {
        for (Index r = 0; r < kGroupRows; ++r) row(r)[-1] = T(scale.factor[features + targets]);
    }

    T *row(Index r) { return right.data() + r * stride + begin; }
    const T *lefts() const { return left.empty() ? right.data() : left.data(); }

    // Where column `at` stands among features, targets and 1.
    Index place(Index at) const { return at < begin ? features + at - first : at - begin; }

    void weigh(const double *weights, double factor) {
        for (Index r = 0; r < rows; ++r)
            for (Index j = first; j < end; ++j)
                left[r * stride + j] = T(weights[r] * factor * double(right[r * stride + j]));
    }

  private:
    static Index whole_vectors(Index n) { return (n + kLanes<T> - 1) / kLanes<T> * kLanes<T>; }
};

// `width` features of a group's rows from column j on, whose values are neighbours along rows.
template <Index width, class T>
void fill_along_rows(const Matrix<T> &x, Index first, Index j, GramGroup<T> &group) {
    constexpr int vectors = width / kLanes<T>;
    Vector<T> shift[vectors], factor[vectors];
    unroll<vectors>([&](auto v) SHOAL_INLINE {
        shift[v] = load(group.shift.data() + j + v * kLanes<T>);
        factor[v] = load(group.factor.data() + j + v * kLanes<T>);
    });
    const T *from = x.row(first) + j;
    T *to = group.row(0) + j;
    for (Index r = 0; r < group.rows; ++r, from += x.row_stride, to += group.stride)
        unroll<vectors>([&](auto v) SHOAL_INLINE {
            const Vector<T> value = load(from + v * kLanes<T>);
            store(to + v * kLanes<T>, (value - shift[v]) * factor[v]);
        });
}

// A square of rows from r and features from j on, whose values are neighbours along columns.
template <class T>
void fill_square(const Matrix<T> &x, Index first, Index r, Index j, GramGroup<T> &group) {
    const Vector<T> shift = load(group.shift.data() + j), factor = load(group.factor.data() + j);
    Vector<T> square[kLanes<T>];
    unroll<kLanes<T>>([&](auto i) SHOAL_INLINE { square[i] = load(x.at(first + r, j + i)); });
    transpose<T>(square);
    unroll<kLanes<T>>([&](auto i) SHOAL_INLINE {
        store(group.row(r + i) + j, (square[i] - shift) * factor);
    });
}

// Rows from r on and features from j on, one value after the other.
template <class T>
void fill_values(const Matrix<T> &x, Index first, Index r, Index j, GramGroup<T> &group) {
    for (; j < x.columns; ++j) {
        const T shift = group.shift[j], factor = group.factor[j];
        for (Index i = r; i < group.rows; ++i)
            group.row(i)[j] = (*x.at(first + i, j) - shift) * factor;
    }
}

template <class T>
void fill_features(const Matrix<T> &x, Index first, GramGroup<T> &group) {
    constexpr Index lanes = kLanes<T>, four = 4 * lanes;
    Index j = 0;
    if (x.column_stride == 1) {
        for (; j + four <= x.columns; j += four) fill_along_rows<four>(x, first, j, group);
        for (; j + lanes <= x.columns; j += lanes) fill_along_rows<lanes>(x, first, j, group);
    } else if (x.row_stride == 1) {
        const Index even_rows = group.rows / lanes * lanes;
        for (; j + lanes <= x.columns; j += lanes)
            for (Index r = 0; r < even_rows; r += lanes) fill_square(x, first, r, j, group);
        fill_values(x, first, even_rows, 0, group);
    }
    fill_values(x, first, 0, j, group);
    const Index next = first + group.rows;
    group.ahead = RowsAhead<T>(x.between(next, std::min(next + kGroupRows, x.rows)));
}

template <class T, class Column>
void fill_features(const CsrMatrix<T, Column> &x, Index first, GramGroup<T> &group) {
    const T *shift = group.shift.data(), *factor = group.factor.data();
    for (Index r = 0; r < group.rows; ++r) {
        T *to = group.row(r);
        for (Index j = 0; j < x.columns; ++j) to[j] = -shift[j] * factor[j];
        for (Index e = x.indptr[first + r]; e < x.indptr[first + r + 1]; ++e) {
            const Index j = x.indices[e];
            to[j] = (x.data[e] - shift[j]) * factor[j];
        }
    }
}

template <class T>
void fill_beside(const BesideRows &beside, Index first, const GramScale &scale,
                 GramGroup<T> &group) {
    const double *shift = scale.shift + group.features, *factor = scale.factor + group.features;
    for (Index r = 0; r < group.rows; ++r) {
        const double *from = beside.targets + (first + r) * beside.count;
        T *to = group.row(r) - beside.count - 1;
        for (Index k = 0; k < beside.count; ++k) to[k] = T((from[k] - shift[k]) * factor[k]);
    }
    if (beside.weights) group.weigh(beside.weights + first, scale.weight);
}

// Sums of entries in `limbs` planes of (stride, stride), of which the upper triangle is kept. Words
// hold the bias of their limb once for each group until finish().
template <int limbs> class GramTotals {
  public:
    const Index stride;
    const EntryPoint point;

    GramTotals(Index stride, const EntryPoint &point)
        : stride(stride), point(point), words(limbs * stride * stride) {}

    uint64_t *at(Index a, Index b) { return words.data() + a * stride + b; }

    // Adds to the upper triangle of `sums`, in planes of (columns, columns).
    template <class T>
    void finish(const GramGroup<T> &group, uint64_t groups, Index columns, uint64_t *sums) {
        for (int limb = 0; limb < limbs; ++limb, sums += columns * columns)
            for (Index a = group.first; a < group.end; ++a)
                for (Index b = a; b < group.end; ++b) {
                    const auto [i, j] = std::minmax({group.place(a), group.place(b)});
                    sums[i * columns + j] +=
                        *at(limb * stride + a, b) - groups * bias_of(limb);
                }
    }

  private:
    uint64_t bias_of(int limb) const {
        return limb ? bias : std::bit_cast<uint64_t>(point.rounder);
    }

    Buffer<uint64_t> words;
};

// Adds the limbs of `width` entries to the words from `to` on, and `plane` behind them.
template <int limbs, Index width, class T>
[[gnu::always_inline]] inline void add_entries(const T *entries, EntryPoint point, uint64_t *to,
                                               Index plane) {
    for (Index j = 0; j < width; j += lanes) {
        const Doubles t = load_as<Doubles>(entries + j), rounded = t + point.rounder;
        add_to(to + j, std::bit_cast<Words>(rounded));
        if constexpr (limbs == 2) {
            const Doubles rest = t - (rounded - point.rounder);
            add_to(to + plane + j, std::bit_cast<Words>(rest * point.to_low + rounder));
        }
    }
}

// `height` rows of the matrix from a on, and the columns of `vectors` vectors from b on.
template <int height, int vectors, int limbs, class T>
[[gnu::noinline]] void add_tile(const GramGroup<T> &group, Index a, Index b,
                                GramTotals<limbs> &into) {
    constexpr Index width = vectors * kLanes<T>, line = 64 / sizeof(uint64_t);
    const Index stride = into.stride, plane = stride * stride;
    uint64_t *const to = into.at(a, b);
    for (Index i = 0; i < height; ++i)
        for (Index j = 0; j < width; j += line) __builtin_prefetch(to + i * stride + j, 1);
    Vector<T> sums[height][vectors] = {};
    const T *left = group.lefts() + a, *right = group.right.data() + b;
    for (Index r = 0; r < group.rows; ++r, left += group.stride, right += group.stride) {
        Vector<T> columns[vectors];
        unroll<vectors>([&](auto v) SHOAL_INLINE {
            columns[v] = load(right + v * kLanes<T>);
        });
        unroll<height>([&](auto i) SHOAL_INLINE {
            const Vector<T> row = broadcast<T>(left[i]);
            unroll<vectors>([&](auto v) SHOAL_INLINE {
                sums[i][v] = fma(row, columns[v], sums[i][v]);
            });
        });
    }
    alignas(64) T entries[height][width];
    unroll<height>([&](auto i) SHOAL_INLINE {
        unroll<vectors>([&](auto v) SHOAL_INLINE {
            store(entries[i] + v * kLanes<T>, sums[i][v]);
        });
    });
    const EntryPoint point = into.point;
    for (Index i = 0; i < height; ++i)
        add_entries<limbs, width>(entries[i], point, to + i * stride, plane);
}

// Rows a to `end` of the matrix, of the columns of `vectors` vectors from b on, in tiles of like
// height: a few chains of products would wait for themselves.
template <int vectors, int limbs, class T>
void add_rows(GramGroup<T> &group, Index a, Index end, Index b, GramTotals<limbs> &into) {
    // As many as fill the registers with sums.
    constexpr int most = std::min(kTileVectors * kTileCenters / vectors, 8);
    constexpr Index lines_ahead = 16;
    for (Index tiles = (end - a + most - 1) / most; tiles > 0; --tiles) {
        const Index height = (end - a + tiles - 1) / tiles;
        group.ahead.ask(lines_ahead);
        unroll<most>([&](auto below) SHOAL_INLINE {
            if (height == below + 1) add_tile<below + 1, vectors>(group, a, b, into);
        });
        a += height;
    }
}

// All rows of the matrix down to the diagonal, of the columns of `vectors` vectors from b on.
template <int vectors, int limbs, class T>
void add_panel(GramGroup<T> &group, Index b, GramTotals<limbs> &into) {
    Index a = group.first;
    unroll<vectors>([&](auto passed) SHOAL_INLINE {
        const Index from = b + passed * kLanes<T>, end = std::min(from + kLanes<T>, group.end);
        if (a < end) add_rows<vectors - passed>(group, a, end, from, into);
        a = std::max(a, end);
    });
}

// The panel that is narrower than others is the first, where there are fewest rows.
template <int limbs, class T> void add_group(GramGroup<T> &group, GramTotals<limbs> &into) {
    constexpr Index wide = kTileVectors * kLanes<T>;
    const Index narrow = group.stride % wide;
    unroll<kTileVectors>([&](auto vectors) SHOAL_INLINE {
        if constexpr (vectors > 0)
            if (narrow == vectors * kLanes<T>) add_panel<vectors>(group, 0, into);
    });
    for (Index b = narrow; b < group.stride; b += wide) add_panel<kTileVectors>(group, b, into);
}

// Adds all rows of x to `limbs` planes of sums, (columns, columns) of features, targets and 1, of
// which the upper triangle is kept. Group g ends before row ends[g]; where `ends` is null, every
// kGroupRows rows.
template <int limbs, class X, class T>
void add_gram(const X &x, const BesideRows &beside, const GramScale &scale,
              const EntryPoint &point, const Index *ends, GramGroup<T> &group, uint64_t *sums) {
    GramTotals<limbs> totals(group.stride, point);
    uint64_t groups = 0;
    for (Index first = 0; first < x.rows; first += group.rows, ++groups) {
        group.rows = (ends ? ends[groups] : std::min(first + kGroupRows, x.rows)) - first;
        fill_features(x, first, group);
        fill_beside(beside, first, scale, group);
        add_group(group, totals);
    }
    totals.finish(group, groups, x.columns + beside.count + 1, sums);
}

}  // namespace shoal
