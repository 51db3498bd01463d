// Rows and queries moved to points of a lattice, whose distances are exact integers and take half
// the time of those of floats.
//
// With x' = x - shift, s a scale and P the projection onto the ball of radius kRadius, a row stands
// at X = round(P(s x')) and a query at Q = round(P(s q')). P brings no two points farther apart, so
//
//     |X - Q| <= s |x - q| + X_off + Q_off,    X_off = |X - P(s x')|, Q_off = |Q - P(s q')|;
//
// and s |x - q| <= |X - Q| + X_off + Q_off where both lie inside the ball. Neither s nor the shift
// can make this wrong, only useless. Coordinates fit 16 bits, and |X| <= kRadius + X_off < 32,000
// bounds every part of X.Q - |X|^2 / 2 by 1.5 * 32,000^2 < 2^31 (Cauchy and Schwarz).
//
// Rounding moves m coordinates by at most a half each, X_off <= sqrt(m) / 2, and centring, scaling
// and the norm, in which m + 16 roundings of float follow each other, add gamma(m + 16) kRadius.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "assign.hpp"
#include "quantised_tile.hpp"

namespace shoal {

inline constexpr double kRadius = 31000;
inline constexpr Index kMostLatticeFeatures = 1 << 16;

// How far a row may lie from where it stands.
inline double row_offset(Index features) {
    const double roundoff = std::numeric_limits<float>::epsilon() / 2;
    return std::sqrt(double(features)) / 2 +
           1.01 * kRadius * rounding_error(features + 16, roundoff);
}

// The scale at which most rows and most queries fill the ball, or 0 where there is none: a little
// more than the largest of the lengths that are looked at, and no more than four times the median of
// either, so that a few outliers cost only themselves.
template <class T>
float lattice_scale(const Matrix<T> &matrix, const T *queries, Index count,
                    const std::vector<T> &shift) {
    constexpr Index kLeastQueries = 8, kMostRows = 32;
    if (matrix.rows == 0 || count < kLeastQueries) return 0;
    if (matrix.columns > kMostLatticeFeatures) return 0;
    double largest = 0, middle = 0;
    // Looks at every `step`th row of some.
    const auto look_at = [&](const Matrix<T> &some, Index step) {
        std::vector<double> lengths;
        for (Index i = 0; i < some.rows; i += step) {
            double norm = 0;
            for (Index f = 0; f < some.columns; ++f) {
                const double centered = double(*some.at(i, f)) - double(shift[f]);
                norm += centered * centered;
            }
            constexpr double infinity = std::numeric_limits<double>::infinity();
            lengths.push_back(std::isnan(norm) ? infinity : std::sqrt(norm));
        }
        const auto half = lengths.begin() + Index(lengths.size() / 2);
        std::nth_element(lengths.begin(), half, lengths.end());
        middle = std::max(middle, *half);
        largest = std::max(largest, *std::max_element(half, lengths.end()));
    };
    look_at({queries, count, matrix.columns, matrix.columns, 1}, 1);
    look_at(matrix, (matrix.rows + kMostRows - 1) / kMostRows);
    const double length = std::min(1.25 * largest, 4 * middle);
    return length >= kLeastLength && length <= 1 / kLeastLength ? float(kRadius / length) : 0;
}

// A panel of rows. A 32-bit lane holds two features of a row: one of the first half of its features
// and one of the second.
template <class T> class LatticePanel {
  public:
    static constexpr int rows = kPanelRows<float>;

    LatticePanel(Index features, float scale)
        : features(features), steps(steps_of(features)), width(whole_vectors(steps)),
          scale(T(scale)), low(width), high(width), lines(rows * width), points(width * rows) {}

    void pack(const Rows<T> &from, Index first, const T *shift) {
        for (int i = 0; i < rows; ++i)
            put(i, from.pointer(std::min(first + i, from.count - 1)), from.matrix.column_stride,
                shift);
        constexpr int lanes = kLanes<float>;
        for (int v = 0; v < kTileVectors; ++v)
            for (Index s = 0; s < width; s += lanes) {
                Vector<float> square[lanes];
                unroll<lanes>([&](auto i) SHOAL_INLINE {
                    square[i] = Vector<float>(load(lines.data() + (v * lanes + i) * width + s));
                });
                transpose<float>(square);
                unroll<lanes>([&](auto i) SHOAL_INLINE {
                    store(points.data() + (s + i) * rows + v * lanes, square[i]);
                });
            }
    }
    const std::int32_t *data() const { return points.data(); }
    // -|X|^2 / 2, rounded up; of rows without a length the largest number there is, and X = 0.
    Integers start(int v) const { return load(starts + v * kLanes<float>); }

    bool all_inside = true;  // of all rows packed so far

  private:
    typedef T Wide __attribute__((vector_size(kLanes<float> * sizeof(T))));

    void put(int i, const T *x, Index stride, const T *shift) {
        const T norm = center(x, stride, shift, steps, low.data()) +
                       center(x + steps * stride, stride, shift + steps, features - steps,
                              high.data());
        std::int32_t *line = lines.data() + i * width;
        if (!(norm <= std::numeric_limits<T>::max())) {
            std::fill(line, line + width, 0);
            starts[i] = std::numeric_limits<std::int32_t>::max();
            all_inside = false;
            return;
        }
        const T length = square_root(norm);
        const bool is_inside = length * scale <= T(kRadius);
        all_inside &= is_inside;
        const T factor = is_inside ? scale : T(kRadius) / length;
        Integers sums{};
        for (Index s = 0; s < width; s += kLanes<float>) {
            const Integers pair = pair_up(nearest(low.data() + s, factor),
                                          nearest(high.data() + s, factor));
            store(line + s, pair);
            sums += multiply_pairs(pair, pair);
        }
        std::int32_t squared = 0;
        for (int l = 0; l < kLanes<float>; ++l) squared += sums[l];
        starts[i] = -(squared / 2);
    }

    // Centres some values of a row; returns the sum of their squares.
    static T center(const T *x, Index stride, const T *shift, Index count, T *to) {
        Vector<T> sums{};
        Index f = 0;
        for (; stride == 1 && f + kLanes<T> <= count; f += kLanes<T>) {
            const Vector<T> moved = load(x + f) - load(shift + f);
            store(to + f, moved);
            sums = fma(moved, moved, sums);
        }
        T sum = 0;
        for (; f < count; ++f) {
            to[f] = x[f * stride] - shift[f];
            sum += to[f] * to[f];
        }
        for (int l = 0; l < kLanes<T>; ++l) sum += sums[l];
        return sum;
    }
    // The nearest integers, in the low bits: a sum with 3 * 2^22 keeps no fraction.
    static Integers nearest(const T *x, T factor) {
        Wide values;
        std::memcpy(&values, x, sizeof values);
        return Integers(__builtin_convertvector(values * factor, Vector<float>) + 0x1.8p23f);
    }

    Index features, steps, width;
    T scale;
    Buffer<T> low, high;  // of the row that is packed; zeros where features end
    Buffer<std::int32_t> lines, points;
    alignas(64) std::int32_t starts[rows];
};

// Queries as they stand on the lattice, packed a block at a time with those of a tile interleaved.
template <class T> class LatticeQueries {
  public:
    LatticeQueries(const T *data, Index count, Index features, const T *shift, float scale)
        : count(count), features(features), steps(steps_of(features)),
          block(block_size(count, features)), squared_norms(count), offsets(count),
          factors(count), data(data), shift(shift), scale(double(scale)), packed(block * steps) {
        for (Index q = 0; q < count; ++q) place(q);
    }

    void pack(Index first) {
        if (first == loaded) return;
        loaded = first;
        for (Index q = first; q < std::min(count, first + block); ++q) {
            std::int32_t *to = packed.data() + (q - first) / kTileCenters * kTileCenters * steps +
                               (q - first) % kTileCenters;
            for (Index s = 0; s < steps; ++s)
                to[s * kTileCenters] = std::int32_t(
                    (value(q, s) & 0xffff) |
                    (s + steps < features ? std::uint32_t(value(q, s + steps)) << 16 : 0u));
        }
    }
    const std::int32_t *tile(Index q) const { return packed.data() + (q - loaded) * steps; }
    bool is_inside(Index q) const { return factors[q] == scale; }

    Index count, features, steps, block;
    std::vector<double> squared_norms, offsets;  // |Q|^2 and Q_off; infinite without a length

  private:
    // 256 KiB, but enough queries that packing a panel anew for each block costs little, in 8 MiB.
    static Index block_size(Index count, Index features) {
        const auto fitting = [&](Index bytes) { return bytes / (2 * features); };
        const Index wanted = std::clamp<Index>(fitting(1 << 18), 512, 1024);
        const Index size = std::clamp<Index>(std::min(wanted, fitting(1 << 23)), 1, count);
        return (size + kTileCenters - 1) / kTileCenters * kTileCenters;
    }
    double centered(Index q, Index f) const {
        return double(data[q * features + f]) - double(shift[f]);
    }
    static double nearest(double x) { return x + 0x1.8p52 - 0x1.8p52; }
    std::int32_t value(Index q, Index f) const {
        return std::int32_t(nearest(centered(q, f) * factors[q]));
    }
    void place(Index q) {
        double norm = 0, squared = 0, off = 0;
        for (Index f = 0; f < features; ++f) norm += centered(q, f) * centered(q, f);
        if (!(norm <= std::numeric_limits<double>::max())) {
            factors[q] = 0;
            offsets[q] = std::numeric_limits<double>::infinity();
            return;
        }
        const double length = std::sqrt(norm);
        factors[q] = length * scale <= kRadius ? scale : kRadius / length;
        for (Index f = 0; f < features; ++f) {
            const double exact = centered(q, f) * factors[q], whole = nearest(exact);
            squared += whole * whole;
            off += (whole - exact) * (whole - exact);
        }
        squared_norms[q] = squared;
        offsets[q] = std::sqrt(off) + 1e-6;
    }

    std::vector<double> factors;
    const T *data, *shift;
    double scale;
    Index loaded = -1;
    Buffer<std::int32_t> packed;
};

// X.Q - |X|^2 / 2 of a panel against queries of the packed block, rounded up: the larger, the
// nearer, as |X - Q|^2 = |Q|^2 less twice as much.
template <class T, class Visit>
void score(const LatticePanel<T> &panel, const LatticeQueries<T> &queries, Index first, Index last,
           Visit &&visit) {
    for (Index q = first; q < last; q += kTileCenters) {
        Grid<Integers> chains;
        each([&](auto c, auto v) SHOAL_INLINE { chains[c][v] = panel.start(v); });
        extend(chains, panel.data(), queries.tile(q), queries.steps);
        // A copy: chains whose address is handed on would be kept in memory, not in registers.
        Grid<Integers> scores;
        each([&](auto c, auto v) SHOAL_INLINE { scores[c][v] = chains[c][v]; });
        visit(q, scores);
    }
}

}  // namespace shoal
