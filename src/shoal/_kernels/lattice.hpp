// Rows and queries moved to points of a lattice, whose distances are exact integers and take half
// the time of those of floats, or a quarter.
//
// With x' = x - shift, s a scale and P the projection onto the ball of a radius R, then onto the
// cube of coordinates of at most M, a row stands at X = round(P(s x')) and a query at
// Q = round(P(s q')), or where a coordinate of that cannot be held, at the nearest one that can. P
// brings no two points farther apart, so
//
//     |X - Q| <= s |x - q| + X_off + Q_off,    X_off = |X - P(s x')|, Q_off = |Q - P(s q')|;
//
// and s |x - q| <= |X - Q| + X_off + Q_off where P moves neither. Neither s nor the shift can make
// this wrong, only useless. |X| and |Q| are at most B = R + X_off, so that by Cauchy and Schwarz
//
//     -3/2 B^2 <= X.Q - |X|^2 / 2 <= B^2 / 2.
//
// Rounding moves m coordinates by at most a half each, X_off <= sqrt(m) / 2, and centring, scaling
// and the norm, in which m + 16 roundings of float follow each other, add gamma(m + 16) R.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "assign.hpp"
#include "byte_tile.hpp"
#include "quantised_tile.hpp"

namespace shoal {

// Coordinates of 16 bits, scores of 32: B < 32,000 bounds every part of a score by 1.5 B^2 < 2^31.
struct FineLattice {
    using Value = std::int32_t;
    using Lanes = Integers;
    static constexpr int kParts = 2;  // features that stand in 32 bits
    static constexpr Index kLeastFeatures = 1, kMostFeatures = 1 << 16;
    static constexpr int kMost = 32767, kMostOfQuery = 32767;
    static constexpr int kStart = 0;
    static constexpr double kMargin = 1.25;  // of the ball over the longest that is looked at
    static constexpr Index kPairsADistance = 128;  // that are looked at in the time it takes
    static double radius(Index) { return 31000; }
};

// Coordinates of 8 bits, scores of 16, modulo 2^16 until they are whole: B < 180.1, so that from
// kStart on they are between -32,500 and 32,500. Of few features rows take longer to place than it
// spares.
struct CoarseLattice {
    using Value = std::int16_t;
    using Lanes = Shorts;
    static constexpr int kParts = 4;
    static constexpr Index kLeastFeatures = 16, kMostFeatures = 1 << 12;
    static constexpr int kMost = 127, kMostOfQuery = kRaised - 1;
    static constexpr int kStart = 16200;
    static constexpr double kMargin = 1;
    static constexpr Index kPairsADistance = 384;
    static double radius(Index features) { return 180 - std::sqrt(double(features)) / 2; }
};

// How many pairs of features a tile of a lattice takes, and features a part of them has.
template <class Lattice> Index part_of(Index features) {
    return (features + Lattice::kParts - 1) / Lattice::kParts;
}
template <class Lattice> Index lattice_steps(Index features) {
    return part_of<Lattice>(features) * Lattice::kParts / 2;
}

// How far a row may lie from where it stands.
template <class Lattice> double row_offset(Index features) {
    const double roundoff = std::numeric_limits<float>::epsilon() / 2;
    return std::sqrt(double(features)) / 2 +
           1.01 * Lattice::radius(features) * rounding_error(features + 16, roundoff);
}

// The length that is to lie in the ball, or 0 where there is none: the largest of those that are
// looked at, but no more than three times the median of either rows or queries, so that a few
// outliers cost only themselves.
template <class T>
double lattice_length(const Matrix<T> &matrix, const T *queries, Index count,
                    const std::vector<T> &shift) {
    constexpr Index kLeastQueries = 8, kMostRows = 32;
    if (matrix.rows == 0 || count < kLeastQueries) return 0;
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
    const double length = std::min(largest, 3 * middle);
    return length >= kLeastLength && length <= 1 / kLeastLength ? length : 0;
}

template <class Lattice> float lattice_scale(Index features, double length) {
    return float(Lattice::radius(features) / (Lattice::kMargin * length));
}

// A panel of rows. 32 bits hold features of a row, one of each part of its features.
template <class T, class Lattice> class LatticePanel {
  public:
    using Value = typename Lattice::Value;
    using Lanes = typename Lattice::Lanes;
    static constexpr int rows = kPanelRows<Value>;

    LatticePanel(Index features, float scale)
        : features(features), part(part_of<Lattice>(features)), width(whole_vectors(part)),
          radius(T(Lattice::radius(features))), scale(T(scale)), centered(Lattice::kParts * width),
          lines(rows * width), points(Lattice::kParts / 2 * width * rows) {}

    void pack(const Rows<T> &from, Index first, const T *shift) {
        are_nowhere = 0;
        for (int i = 0; i < rows; ++i)
            put(i, from.pointer(std::min(first + i, from.count - 1)), from.matrix.column_stride,
                shift);
        for (int v = 0; v < kTileVectors; ++v) {
            Lanes squares{}, sums{};
            for (Index s = 0; s < width; s += lanes) turn(v, s, squares, sums);
            store(starts + v * kLanes<Value>,
                  Lattice::kStart - (squares >> 1) - kRaised * sums);
        }
        for (int i = 0; are_nowhere && i < rows; ++i)
            if (is_nowhere[i]) starts[i] = std::numeric_limits<Value>::max();
    }
    const Value *data() const { return points.data(); }
    // kStart - |X|^2 / 2, rounded up, less what raised queries have too much; of rows without a
    // length the largest number there is, and X = 0.
    Lanes start(int v) const { return load(starts + v * kLanes<Value>); }

    bool all_inside = true;  // of all rows packed so far

  private:
    static constexpr int lanes = kLanes<float>;
    static constexpr bool is_coarse = Lattice::kParts == 4;
    typedef T Wide __attribute__((vector_size(lanes * sizeof(T))));

    // Brings the features s, s + 1, ... of each part of one vector of rows into the order of steps,
    // and adds their squares and values.
    void turn(int v, Index s, Lanes &squares, Lanes &sums) {
        Value *const to = points.data() + Lattice::kParts / 2 * s * rows + v * kLanes<Value>;
        if constexpr (!is_coarse) {
            Vector<float> square[lanes];
            transposed(v * lanes, 1, s, square);
            unroll<lanes>([&](auto i) SHOAL_INLINE {
                const Integers pair = Integers(square[i]);
                squares += multiply_pairs(pair, pair);
                store(to + i * rows, pair);
            });
        } else {
            Vector<float> even[lanes], odd[lanes];
            transposed(2 * v * lanes, 2, s, even);
            transposed(2 * v * lanes + 1, 2, s, odd);
            const auto put = [&](int step, Integers pairs) SHOAL_INLINE {
                const Shorts x = Shorts(pairs), ones = Shorts(broadcast(0x01010101));
                const Shorts size = magnitudes(x);
                squares += multiply_bytes(size, size);
                sums += multiply_bytes(ones, x);
                store(to + step * rows, x);
            };
            unroll<lanes>([&](auto i) SHOAL_INLINE {
                const Integers a = Integers(even[i]), b = Integers(odd[i]);
                put(2 * i, pair_up(a, b));
                put(2 * i + 1, (a >> 16 & 0xffff) | (b & ~0xffff));
            });
        }
    }
    void transposed(int first, int step, Index s, Vector<float> (&square)[lanes]) const {
        unroll<lanes>([&](auto i) SHOAL_INLINE {
            square[i] = Vector<float>(load(lines.data() + (first + i * step) * width + s));
        });
        transpose<float>(square);
    }

    void put(int i, const T *x, Index stride, const T *shift) {
        Vector<T> squares{};
        T norm = 0;
        for (int p = 0; p < Lattice::kParts; ++p) {
            const Index start = std::min(p * part, features);
            center(x + start * stride, stride, shift + start, std::min(part, features - start),
                   centered.data() + p * width, squares, norm);
        }
        for (int l = 0; l < kLanes<T>; ++l) norm += squares[l];
        std::int32_t *line = lines.data() + i * width;
        is_nowhere[i] = !(norm <= std::numeric_limits<T>::max());
        if (is_nowhere[i]) {
            std::fill(line, line + width, 0);
            ++are_nowhere;
            all_inside = false;
            return;
        }
        const T length = square_root(norm);
        const bool is_inside = length * scale <= radius;
        const T factor = is_inside ? scale : radius / length;
        Integers outside{};
        const auto pair = [&](Index s, int p) SHOAL_INLINE {
            return pair_up(nearest(s + p * width, factor, outside),
                           nearest(s + (p + 1) * width, factor, outside));
        };
        for (Index s = 0; s < width; s += lanes)
            if constexpr (is_coarse) {
                constexpr std::int32_t low = 0x00ff00ff;
                store(line + s, (pair(s, 0) & low) | (pair(s, 2) << 8 & ~low));
            } else {
                store(line + s, pair(s, 0));
            }
        all_inside &= is_inside && !any(outside);
    }

    // Centres some values of a row, and adds their squares.
    static void center(const T *x, Index stride, const T *shift, Index count, T *to,
                       Vector<T> &squares, T &square) {
        Index f = 0;
        for (; stride == 1 && f + kLanes<T> <= count; f += kLanes<T>) {
            const Vector<T> moved = load(x + f) - load(shift + f);
            store(to + f, moved);
            squares = fma(moved, moved, squares);
        }
        for (; f < count; ++f) {
            to[f] = x[f * stride] - shift[f];
            square += to[f] * to[f];
        }
    }
    // The nearest integers, in the low bits: a sum with 3 * 2^22 keeps no fraction.
    Integers nearest(Index at, T factor, Integers &outside) const {
        Wide values;
        std::memcpy(&values, centered.data() + at, sizeof values);
        Vector<float> x = __builtin_convertvector(values * factor, Vector<float>);
        if constexpr (is_coarse) {
            const Vector<float> most = broadcast(float(Lattice::kMost));
            outside |= (x > most) | (x < -most);
            x = x > most ? most : x < -most ? -most : x;
        }
        return Integers(x + 0x1.8p23f);
    }

    Index features, part, width;
    T radius, scale;
    Buffer<T> centered;  // the row that is packed, part by part; zeros where features end
    Buffer<std::int32_t> lines;
    Buffer<Value> points;
    alignas(64) Value starts[rows];
    bool is_nowhere[rows];  // whether a row has no length
    int are_nowhere;
};

// Queries as they stand on the lattice, packed a block at a time with those of a tile interleaved.
template <class T, class Lattice> class LatticeQueries {
  public:
    LatticeQueries(const T *data, Index count, Index features, const T *shift, float scale)
        : count(count), features(features), steps(lattice_steps<Lattice>(features)),
          block(block_size(count, features)), squared_norms(count), offsets(count),
          factors(count), are_inside(count), data(data), shift(shift), scale(double(scale)),
          packed(block * steps) {
        for (Index q = 0; q < count; ++q) place(q);
    }

    void pack(Index first) {
        if (first == loaded) return;
        loaded = first;
        for (Index q = first; q < std::min(count, first + block); ++q) {
            std::int32_t *to = packed.data() + (q - first) / kTileCenters * kTileCenters * steps +
                               (q - first) % kTileCenters;
            for (Index s = 0; s < steps; ++s) to[s * kTileCenters] = pair(q, s);
        }
    }
    const std::int32_t *tile(Index q) const { return packed.data() + (q - loaded) * steps; }
    bool is_inside(Index q) const { return are_inside[q]; }

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
    static double within(double x, double most) { return std::min(std::max(x, -most), most); }

    // A coordinate of P(s q'), and where the query stands.
    double exact(Index q, Index f) const {
        return within(centered(q, f) * factors[q], Lattice::kMost);
    }
    double whole(Index q, Index f) const {
        return within(nearest(exact(q, f)), Lattice::kMostOfQuery);
    }
    std::uint32_t value(Index q, Index f) const {
        return f < features ? std::uint32_t(std::int32_t(whole(q, f))) : 0;
    }
    // The features of a step, in the order of the panel's.
    std::int32_t pair(Index q, Index s) const {
        if constexpr (Lattice::kParts == 2) {
            return std::int32_t((value(q, s) & 0xffff) | value(q, s + steps) << 16);
        } else {
            const Index part = steps / 2, f = s / 2 + s % 2 * part;
            return std::int32_t(0x10001 *
                                (value(q, f) + kRaised + ((value(q, f + 2 * part) + kRaised) << 8)));
        }
    }
    void place(Index q) {
        double norm = 0, squared = 0, off = 0;
        for (Index f = 0; f < features; ++f) norm += centered(q, f) * centered(q, f);
        if (!(norm <= std::numeric_limits<double>::max())) {
            factors[q] = 0;
            offsets[q] = std::numeric_limits<double>::infinity();
            return;
        }
        const double length = std::sqrt(norm), radius = Lattice::radius(features);
        const bool is_in_ball = length * scale <= radius;
        factors[q] = is_in_ball ? scale : radius / length;
        bool is_in_cube = true;
        for (Index f = 0; f < features; ++f) {
            const double there = exact(q, f), here = whole(q, f);
            squared += here * here;
            off += (here - there) * (here - there);
            is_in_cube &= std::abs(there) < Lattice::kMost;
        }
        squared_norms[q] = squared;
        offsets[q] = std::sqrt(off) + 1e-6;
        are_inside[q] = is_in_ball && is_in_cube;
    }

    std::vector<double> factors;
    std::vector<bool> are_inside;
    const T *data, *shift;
    double scale;
    Index loaded = -1;
    Buffer<std::int32_t> packed;
};

// kStart + X.Q - |X|^2 / 2 of a panel against queries of the packed block, rounded up: the larger,
// the nearer, as |X - Q|^2 = |Q|^2 less twice as much.
template <class T, class Lattice, class Visit>
void score(const LatticePanel<T, Lattice> &panel, const LatticeQueries<T, Lattice> &queries,
           Index first, Index last, Visit &&visit) {
    for (Index q = first; q < last; q += kTileCenters) {
        Grid<typename Lattice::Lanes> chains;
        each([&](auto c, auto v) SHOAL_INLINE { chains[c][v] = panel.start(v); });
        extend(chains, panel.data(), queries.tile(q), queries.steps);
        // A copy: chains whose address is handed on would be kept in memory, not in registers.
        Grid<typename Lattice::Lanes> scores;
        each([&](auto c, auto v) SHOAL_INLINE { scores[c][v] = chains[c][v]; });
        visit(q, scores);
    }
}

}  // namespace shoal
