// The rows nearest to each query: the k nearest, or all within a radius.
//
// The truth is the distance in double precision, summed in a fixed order: squared_distance, or
// minus the inner product. The tile only tells which rows may be near enough. Rows lie across the
// lanes, queries are broadcast, and for every pair there is an upper bound
//
//     u(x, q) = x'.q' + e |x'|^2 + a_x,   a_x = -|x'|^2 / 2, or 0 for inner products,
//
// of s(x, q) = x'.q' + a_x less e |q'|^2 / 2, with x' = x - shift and q' = q - shift. The larger s,
// the nearer: |x - q|^2 = |q'|^2 - 2 s. A row whose u is under the query's threshold is passed
// over; the others are appended to a short buffer of the query. A full buffer is cut by selection
// to the k of largest u and those that rounding might confuse with them; what is left at the end is
// decided by the truth. No distance is stored, and which rows become candidates changes no result.
//
// Rounding (unit roundoffs u of T and v of double, m features): a chain of m fused multiply-adds
// misses x'.q' by gamma_u(m) |x'||q'|, centring by 2u |x'||q'| more, |x'|^2 is off by
// gamma_u(m + 2), and a handful of roundings follow. As 2 |x'||q'| <= |x'|^2 + |q'|^2, u misses s by
// at most e (|x'|^2 + |q'|^2 / 2) with e = gamma_u(m + 12). The truth itself is off by gamma_v(m + 6)
// of at most 2 (|x'|^2 + |q'|^2): e has four such terms on top. What overflows turns into NaN, and
// NaN is never under a threshold.
#pragma once

#include <numeric>

#include "assign.hpp"

namespace shoal {

// Bit i: whether lane i of a comparison holds.
#if defined(__AVX512F__)
inline unsigned lanes_of(IntVector<float> holds) {
    return _mm512_movepi32_mask(__m512i(holds));
}
inline unsigned lanes_of(IntVector<double> holds) {
    return _mm512_movepi64_mask(__m512i(holds));
}
#elif defined(__AVX2__)
inline unsigned lanes_of(IntVector<float> holds) {
    return unsigned(_mm256_movemask_ps(__m256(holds)));
}
inline unsigned lanes_of(IntVector<double> holds) {
    return unsigned(_mm256_movemask_pd(__m256d(holds)));
}
#else
template <class V> inline unsigned lanes_of(V holds) {
    unsigned bits = 0;
    for (unsigned i = 0; i < sizeof holds / sizeof holds[0]; ++i) bits |= unsigned(holds[i] & 1) << i;
    return bits;
}
#endif

// x.q in the order of squared_distance.
template <class T>
double inner_product(const T *x, Index stride, const T *query, Index features) {
    double sums[8] = {};
    for (Index f = 0; f < features; ++f) sums[f % 8] += double(x[f * stride]) * double(query[f]);
    for (int i = 0; i < 4; ++i) sums[i] += sums[i + 4];
    return (sums[0] + sums[2]) + (sums[1] + sums[3]);
}

struct SquaredEuclidean {
    static constexpr double kNormWeight = 0.5;
    template <class T> static double distance(const T *x, Index stride, const T *q, Index features) {
        return squared_distance(x, stride, q, features);
    }
    // The least s of a row no farther than `distance`.
    static double score(double distance, double query_norm, double error) {
        return (query_norm - distance * (1 + error)) / 2;
    }
};

struct NegativeInnerProduct {
    static constexpr double kNormWeight = 0;
    template <class T> static double distance(const T *x, Index stride, const T *q, Index features) {
        return -inner_product(x, stride, q, features);
    }
    static double score(double distance, double, double) { return -distance; }
};

// A row of the database beside its distance: smaller is nearer, ties go to the lower row.
struct Neighbor {
    double distance;
    std::int64_t row;
    bool operator<(const Neighbor &other) const {
        return distance != other.distance ? distance < other.distance : row < other.row;
    }
};

// The k nearest so far of each query, sorted, in arrays of the caller.
class NearestKept {
  public:
    NearestKept(Index k, double *distances, std::int64_t *rows)
        : k(k), distances(distances), rows(rows) {}

    Index wanted() const { return k; }
    double reach(Index query) const { return distances[query * k + k - 1]; }

    void keep(Index query, std::vector<Neighbor> &found) {
        const Index start = query * k;
        for (Index i = 0; i < k; ++i) found.push_back({distances[start + i], rows[start + i]});
        std::partial_sort(found.begin(), found.begin() + k, found.end());
        for (Index i = 0; i < k; ++i) {
            distances[start + i] = found[i].distance;
            rows[start + i] = found[i].row;
        }
    }

  private:
    Index k;
    double *distances;
    std::int64_t *rows;
};

// All rows within a distance of each query, in no order.
class RadiusKept {
  public:
    explicit RadiusKept(double radius) : radius(radius) {}

    Index wanted() const { return 0; }
    double reach(Index) const { return radius; }

    void keep(Index query, const std::vector<Neighbor> &found) {
        for (const Neighbor &one : found)
            if (one.distance <= radius) {
                queries.push_back(query);
                rows.push_back(one.row);
                distances.push_back(one.distance);
            }
    }

    std::vector<std::int64_t> queries, rows;
    std::vector<double> distances;

  private:
    double radius;
};

template <class T, class Metric, class Kept> class NeighborSearch {
  public:
    // numbers: of each row in the database; rows whose number is negative are passed over.
    NeighborSearch(const Matrix<T> &matrix, const std::int64_t *numbers, Centers<T> &queries,
                   Kept &kept)
        : matrix(matrix), numbers(numbers), queries(queries), kept(kept), panel(queries.features),
          capacity(16 + 2 * kept.wanted()), candidates(queries.block * capacity),
          counts(queries.block), norms(queries.count),
          thresholds(queries.offsets.size(), std::numeric_limits<T>::infinity()) {
        const Index chain = queries.features + 12;
        exact_error = rounding_error(chain, kDoubleRoundoff);
        error = 1.01 * (rounding_error(chain, std::numeric_limits<T>::epsilon() / 2) +
                        4 * exact_error);
        underflow = 4.0 * double(chain) * double(std::numeric_limits<T>::min());
        for (Index q = 0; q < queries.count; ++q) norms[q] = -2 * double(queries.offsets[q]);
        std::fill(queries.offsets.begin(), queries.offsets.end(), T(0));
    }

    void run() {
        const Rows<T> rows{matrix, nullptr, matrix.rows};
        for (Index block = 0; block < queries.count; block += queries.block) {
            const Index last = std::min(queries.count, block + queries.block);
            queries.pack(block);
            for (Index q = block; q < last; ++q) thresholds[q] = threshold(q);
            for (first_row = 0; first_row < matrix.rows; first_row += kPanelRows<T>) {
                panel.pack(rows, first_row, queries.shift.data());
                weigh_panel();
                score(panel, queries, block, last, [&](Index q, const Tile<T> &tile)
                          SHOAL_INLINE { if (has_candidate(q, tile)) collect(q, tile); });
            }
            for (Index q = block; q < last; ++q) settle(q);
        }
    }

  private:
    struct Candidate {
        T bound;
        std::int32_t row;
    };

    // e |x'|^2 + a_x of the panel's rows. Infinite norms become NaN.
    void weigh_panel() {
        for (int v = 0; v < kTileVectors; ++v) {
            const Vector<T> norm = panel.norms[v];
            weights[v] = norm * T(error) - norm * T(Metric::kNormWeight) + T(underflow);
            for (int i = 0; i < kLanes<T>; ++i)
                if (!(norm[i] <= largest_norm)) largest_norm = norm[i];
        }
    }

    [[gnu::always_inline]] bool has_candidate(Index first, const Tile<T> &tile) const {
        constexpr unsigned all = (1u << kLanes<T>) - 1;
        IntVector<T> under = ~IntVector<T>{};
        unroll<kTileCenters>([&](auto c) SHOAL_INLINE {
            const Vector<T> least = broadcast(thresholds[first + c]);
            unroll<kTileVectors>(
                [&](auto v) SHOAL_INLINE { under &= tile[c][v] + weights[v] < least; });
        });
        return lanes_of(under) != all;
    }

    [[gnu::noinline]] void collect(Index first, const Tile<T> &tile) {
        constexpr unsigned all = (1u << kLanes<T>) - 1;
        for (int c = 0; c < kTileCenters && first + c < queries.count; ++c)
            for (int v = 0; v < kTileVectors; ++v) {
                const Vector<T> bounds = tile[c][v] + weights[v];
                unsigned near = ~lanes_of(bounds < broadcast(thresholds[first + c])) & all;
                for (; near; near &= near - 1) {
                    const int i = __builtin_ctz(near);
                    append(first + c, first_row + v * kLanes<T> + i, bounds[i]);
                }
            }
    }

    void append(Index query, Index row, T bound) {
        if (row >= matrix.rows || numbers[row] < 0) return;
        int &count = counts[query % queries.block];
        const T certain = std::isnan(bound) ? std::numeric_limits<T>::infinity() : bound;
        buffer(query)[count++] = {certain, std::int32_t(row)};
        if (count == capacity) cut(query);
    }

    // Keeps the k candidates of largest bound and those that may be as near; where these are too
    // many to tell apart by bounds, the truth decides.
    void cut(Index query) {
        const Index k = kept.wanted();
        if (k == 0) return settle(query);
        Candidate *first = buffer(query), *end = first + capacity;
        std::nth_element(first, first + k - 1, end, [](const Candidate &a, const Candidate &b) {
            return a.bound > b.bound;
        });
        const double slack = error * (largest_norm + norms[query] / 2) + underflow;
        const T least = below(first[k - 1].bound - 2.02 * slack);
        end = std::partition(first, end, [&](const Candidate &a) { return !(a.bound < least); });
        if (!std::isfinite(least) || end - first > (capacity + k) / 2) return settle(query);
        counts[query % queries.block] = int(end - first);
        thresholds[query] = std::max(thresholds[query], least);
    }

    void settle(Index query) {
        int &count = counts[query % queries.block];
        if (count == 0) return;
        found.clear();
        for (const Candidate *one = buffer(query), *end = one + count; one < end; ++one)
            found.push_back({Metric::distance(matrix.row(one->row), matrix.column_stride,
                                              queries.row(query), queries.features),
                             numbers[one->row]});
        count = 0;
        kept.keep(query, found);
        thresholds[query] = std::max(thresholds[query], threshold(query));
    }

    // What u must reach for a row to come as near as the query's reach; -inf where a chain might
    // overflow, so that every row is a candidate.
    T threshold(Index query) const {
        if (!(norms[query] < std::numeric_limits<T>::max() / 4))
            return -std::numeric_limits<T>::infinity();
        const double score = Metric::score(kept.reach(query), norms[query], exact_error);
        return below(score - error * norms[query] / 2 - underflow);
    }

    static T below(double value) {
        return std::nextafter(T(value), -std::numeric_limits<T>::infinity());
    }
    Candidate *buffer(Index query) {
        return candidates.data() + query % queries.block * capacity;
    }

    const Matrix<T> &matrix;
    const std::int64_t *numbers;
    Centers<T> &queries;
    Kept &kept;
    Panel<T> panel;
    Index capacity, first_row = 0;
    std::vector<Candidate> candidates;
    std::vector<int> counts;
    std::vector<double> norms;
    Buffer<T> thresholds;
    Vector<T> weights[kTileVectors];
    T largest_norm = 0;
    std::vector<Neighbor> found;
    double error, exact_error, underflow;
};

}  // namespace shoal
