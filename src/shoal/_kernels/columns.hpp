// Scans of columns: range, exact moments, exact sums.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <numeric>
#include <vector>

#include "fixed_point.hpp"
#include "rows_ahead.hpp"
#include "strips.hpp"

namespace shoal {

template <class V>
inline bool any(const V &mask) {
    if constexpr (std::is_integral_v<V>) {
        return mask;
    } else {
        bool set = false;
        for (size_t lane = 0; lane < sizeof(V) / sizeof(mask[0]); ++lane) set |= mask[lane] != 0;
        return set;
    }
}

// Lowers `low` and raises `high`, of the columns of one V, a scalar or a vector, to the values of
// `rows` rows; returns where a value was not finite.
template <class V, int rows, class T>
[[gnu::always_inline]] inline auto widen(const T *x, int64_t stride, T *low, T *high) {
    V lows, highs;
    std::memcpy(&lows, low, sizeof lows);
    std::memcpy(&highs, high, sizeof highs);
    auto bad = lows != lows;
    for (int r = 0; r < rows; ++r) {
        V value;
        std::memcpy(&value, x + r * stride, sizeof value);
        lows = value < lows ? value : lows;
        highs = value > highs ? value : highs;
        // Of NaN and infinities the difference is NaN; comparisons pass over NaN.
        bad |= value - value != T(0);
    }
    std::memcpy(low, &lows, sizeof lows);
    std::memcpy(high, &highs, sizeof highs);
    return bad;
}

// Running extremes of `width` columns; returns whether all values were finite. Rows are read whole,
// a few at a time, which is as memory sends them: extremes come from the first-level cache.
template <class T>
bool scan_strip(const T *x, int64_t stride, int64_t rows, int64_t width, T *low, T *high) {
    typedef T Vector __attribute__((vector_size(vector_bytes)));
    constexpr int64_t one = vector_bytes / sizeof(T);
    auto bad = Vector{} != Vector{};
    bool is_finite = true;
    const auto scan_rows = [&]<int count>(std::integral_constant<int, count>) {
        int64_t j = 0;
        for (; j + one <= width; j += one)
            bad |= widen<Vector, count>(x + j, stride, low + j, high + j);
        for (; j < width; ++j)
            is_finite &= !widen<T, count>(x + j, stride, low + j, high + j);
        x += count * stride;
        rows -= count;
    };
    while (rows >= 4) scan_rows(std::integral_constant<int, 4>{});
    while (rows > 0) scan_rows(std::integral_constant<int, 1>{});
    return is_finite & !any(bad);
}

// Running extremes of `columns` columns whose rows may be folded: `fold` rows without a gap between
// them are scanned as one row, so that few columns still fill the vectors.
template <class T>
struct Extremes {
    int64_t columns, fold;
    std::vector<T> low, high;

    Extremes(int64_t columns, int64_t fold)
        : columns(columns), fold(fold),
          low(columns * fold, std::numeric_limits<T>::infinity()),
          high(columns * fold, -std::numeric_limits<T>::infinity()) {}

    // Scans columns first .. first + width; all of them, where rows are folded.
    bool scan(const T *x, int64_t stride, int64_t rows, int64_t first, int64_t width) {
        const int64_t folded = rows - rows % fold;
        const bool finite = scan_strip(x, stride * fold, folded / fold, width * fold,
                                      low.data() + first, high.data() + first);
        return finite & scan_strip(x + folded * stride, stride, rows - folded, width,
                                  low.data() + first, high.data() + first);
    }

    // Adding 0.0 makes -0.0 equal to 0.0 to the last bit.
    void merge_into(double *minimum, double *maximum) const {
        for (int64_t p = 0; p < columns * fold; ++p) {
            const int64_t j = p % columns;
            minimum[j] = std::min<double>(minimum[j], low[p]) + 0.0;
            maximum[j] = std::max<double>(maximum[j], high[p]) + 0.0;
        }
    }
};

// Two vectors of values: rows that are shorter are folded.
template <class T> inline constexpr int64_t kFoldedValues = 2 * vector_bytes / sizeof(T);

// The least fold that fills two vectors, or several times two, without a rest.
template <class T>
int64_t even_fold(int64_t columns) {
    return kFoldedValues<T> / std::gcd(columns, kFoldedValues<T>);
}

template <class T>
int64_t first_not_finite(const Matrix<T> &x, int64_t first_row) {
    for (int64_t i = first_row; i < x.rows; ++i)
        for (int64_t j = 0; j < x.columns; ++j)
            if (!std::isfinite(*x.at(i, j))) return i * x.columns + j;
    return -1;
}

// Columns whose values are neighbours in memory: one after the other over a run of rows that is
// long enough to stream and short enough to be searched again where it holds a NaN.
template <class T>
int64_t long_column_range(const Matrix<T> &x, double *minimum, double *maximum) {
    constexpr int64_t run = 4096;
    std::vector<Extremes<T>> extremes(x.columns, Extremes<T>(1, even_fold<T>(1)));
    for (int64_t i = 0; i < x.rows; i += run) {
        bool finite = true;
        for (int64_t j = 0; j < x.columns; ++j)
            finite &= extremes[j].scan(x.at(i, j), 1, std::min(run, x.rows - i), 0, 1);
        if (!finite) return first_not_finite(x, i);
    }
    for (int64_t j = 0; j < x.columns; ++j) extremes[j].merge_into(minimum + j, maximum + j);
    return -1;
}

// Lowers `minimum` and raises `maximum` to the values of each column and returns -1, or changes
// nothing and returns the row-major position of the first value that is not finite.
template <class T>
int64_t column_range(const Matrix<T> &x, double *minimum, double *maximum) {
    if (x.row_stride == 1 && x.column_stride != 1)
        return long_column_range(x, minimum, maximum);
    const bool gapless =
        x.column_stride == 1 && x.row_stride == x.columns && x.columns < kFoldedValues<T>;
    Extremes<T> extremes(x.columns, gapless ? even_fold<T>(x.columns) : 1);
    int64_t bad_row = -1;
    for_each_strip(x, [&](const Strip<T> &strip) {
        if (bad_row < 0 &&
            !extremes.scan(strip.data, strip.stride, strip.count, strip.column, strip.width))
            bad_row = strip.first;
    });
    if (bad_row >= 0) return first_not_finite(x, bad_row);
    extremes.merge_into(minimum, maximum);
    return -1;
}

// Whether rows of a CSR matrix are as kernels rely on: one after the other, and columns within each
// ascending, none twice or outside of the matrix.
template <class Column>
bool has_canonical_rows(const Column *indices, const Column *indptr, int64_t rows, int64_t columns,
                        int64_t stored) {
    if (indptr[0] != 0 || indptr[rows] != stored) return false;
    // Before any of them is an address.
    if (!std::is_sorted(indptr, indptr + rows + 1)) return false;
    Column bad = 0;
    for (int64_t i = 0; i < rows; ++i) {
        const int64_t first = indptr[i], end = indptr[i + 1];
        if (first == end) continue;
        bad |= (indices[first] < 0) | (indices[end - 1] >= columns);
        for (int64_t e = first + 1; e < end; ++e) bad |= indices[e] <= indices[e - 1];
    }
    return !bad;
}

// The first value that is not finite, -1 if all are. Without branches within a run of values.
template <class T> int64_t first_not_finite(const T *values, int64_t n) {
    using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
    constexpr Bits exponent = std::bit_cast<Bits>(std::numeric_limits<T>::infinity());
    constexpr int64_t run = 1024;
    for (int64_t first = 0; first < n; first += run) {
        const int64_t end = std::min(first + run, n);
        Bits found = 0;
        for (int64_t p = first; p < end; ++p)
            found |= (std::bit_cast<Bits>(values[p]) & exponent) == exponent;
        if (!found) continue;
        for (int64_t p = first; p < end; ++p)
            if (!std::isfinite(values[p])) return p;
    }
    return -1;
}

// The same for stored values only, which it also counts; the position is that in `data`. What is
// known of a column lies together.
template <class T, class Column>
int64_t column_range(const T *data, const Column *indices, int64_t n, int64_t columns,
                     double *minimum, double *maximum, int64_t *counts) {
    struct Extremes {
        T low = std::numeric_limits<T>::infinity(), high = -std::numeric_limits<T>::infinity();
        int64_t count = 0;
    };
    std::vector<Extremes> extremes(columns);
    // So few that they are read from memory once.
    constexpr int64_t run = 4096;
    for (int64_t first = 0; first < n; first += run) {
        const int64_t end = std::min(first + run, n);
        const int64_t bad = first_not_finite(data + first, end - first);
        if (bad >= 0) return first + bad;
        for (int64_t p = first; p < end; ++p) {
            Extremes &of_column = extremes[indices[p]];
            const T value = data[p];
            of_column.low = std::min(value, of_column.low);
            of_column.high = std::max(value, of_column.high);
            ++of_column.count;
        }
    }
    for (int64_t j = 0; j < columns; ++j) {
        minimum[j] = std::min<double>(minimum[j], extremes[j].low) + 0.0;
        maximum[j] = std::max<double>(maximum[j], extremes[j].high) + 0.0;
        counts[j] += extremes[j].count;
    }
    return -1;
}

// Sums of w * (x - shift) and w * (x - shift)^2 for each column, in `limbs` planes of (columns).
struct Moments {
    uint64_t *sums, *squares;
    int64_t limbs, columns;
};

struct MomentScale {
    const double *shift, *weights;  // weights: null for none
    std::vector<double> scale, square_scale;
    double low_scale;
};

// The columns of one D, from `j` of the strip on: sums stay in registers over its rows.
template <int limbs, bool weighted, class D, class T>
void add_moments(const Strip<T> &strip, int64_t j, const MomentScale &q, Moments &into) {
    const int64_t column = strip.column + j;
    const D shift = load_as<D>(q.shift + column), scale = load_as<D>(q.scale.data() + column),
            square_scale = load_as<D>(q.square_scale.data() + column);
    std::array<WordOf<D>, limbs> sums{}, squares{};
    for (int64_t r = 0; r < strip.count; ++r) {
        const D value = load_as<D>(strip.row(r) + j) - shift;
        D weighted_value = value, square = value * value;
        if constexpr (weighted) {
            weighted_value *= q.weights[strip.first + r];
            square *= q.weights[strip.first + r];
        }
        const auto words = biased_limbs<limbs>(weighted_value * scale, q.low_scale);
        const auto square_words = biased_limbs<limbs>(square * square_scale, q.low_scale);
        for (int limb = 0; limb < limbs; ++limb) {
            sums[limb] += words[limb];
            squares[limb] += square_words[limb];
        }
    }
    for (int limb = 0; limb < limbs; ++limb) {
        add_to(into.sums + limb * into.columns + column, sums[limb] - bias * strip.count);
        add_to(into.squares + limb * into.columns + column, squares[limb] - bias * strip.count);
    }
}

// The strip after this one, unless strips are copies.
template <class T> RowsAhead<T> strip_ahead(const Matrix<T> &x, const Strip<T> &strip) {
    if (x.column_stride != 1) return {};
    const int64_t first = strip.first + strip.count;
    return RowsAhead<T>(x.between(first, std::min<int64_t>(first + strip.count, x.rows)));
}

template <class T>
void column_moments(const Matrix<T> &x, const MomentScale &q, Moments &into) {
    with_limbs(into.limbs, q.weights, [&]<int limbs, bool weighted>() {
        for_each_strip(x, [&](const Strip<T> &strip) {
            // As many lines as a vector of columns takes of the strip's rows.
            const int64_t lines_ahead = (strip.count * lanes * sizeof(T) + 63) / 64;
            RowsAhead<T> next = strip_ahead(x, strip);
            int64_t j = 0;
            for (; j + lanes <= strip.width; j += lanes) {
                next.ask(lines_ahead);
                add_moments<limbs, weighted, Doubles>(strip, j, q, into);
            }
            for (; j < strip.width; ++j) add_moments<limbs, weighted, double>(strip, j, q, into);
        });
    });
}

// Without shift, so that zeros that are not stored add nothing.
template <class T, class Column>
void column_moments(const CsrMatrix<T, Column> &x, const MomentScale &q, Moments &into) {
    with_limbs(into.limbs, q.weights, [&]<int limbs, bool weighted>() {
        for (int64_t i = 0; i < x.rows; ++i)
            for (int64_t p = x.indptr[i]; p < x.indptr[i + 1]; ++p) {
                const int64_t j = x.indices[p];
                const double weight = weighted ? q.weights[i] : 1.0, value = x.data[p];
                add_value<limbs>(value * weight * q.scale[j], q.low_scale, into.sums + j,
                                 into.columns);
                add_value<limbs>(value * value * weight * q.square_scale[j], q.low_scale,
                                 into.squares + j, into.columns);
            }
    });
}

// sums[limb] += limbs of the values, times the weights where there are any.
inline void sum_values(const double *values, const double *weights, int64_t n, double scale,
                       double low_scale, int64_t limbs, uint64_t *sums) {
    with_limbs(limbs, weights, [&]<int limbs_, bool weighted>() {
        const auto limbs_at = [&]<class D>(int64_t i, D) {
            D value = load_as<D>(values + i);
            if constexpr (weighted) value *= load_as<D>(weights + i);
            return biased_limbs<limbs_>(value * scale, low_scale);
        };
        std::array<Words, limbs_> totals{};
        int64_t i = 0;
        for (; i + lanes <= n; i += lanes) {
            const auto words = limbs_at(i, Doubles{});
            for (int limb = 0; limb < limbs_; ++limb) totals[limb] += words[limb];
        }
        for (; i < n; ++i) {
            const auto words = limbs_at(i, double{});
            for (int limb = 0; limb < limbs_; ++limb) totals[limb][0] += words[limb];
        }
        for (int limb = 0; limb < limbs_; ++limb) {
            for (int lane = 0; lane < lanes; ++lane) sums[limb] += totals[limb][lane];
            sums[limb] -= bias * n;
        }
    });
}

}  // namespace shoal
