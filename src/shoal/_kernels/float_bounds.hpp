// How near rows may be to queries, on floats.
//
// Rows lie across the lanes of a panel, and for every pair there is an upper bound
//
//     u(x, q) = x'.q' + e |x'|^2 + a_x,   a_x = -|x'|^2 / 2, or 0 for inner products,
//
// of s(x, q) = x'.q' + a_x less e |q'|^2 / 2, with x' = x - shift and q' = q - shift. The larger s,
// the nearer: |x - q|^2 = |q'|^2 - 2 s.
//
// Rounding (unit roundoffs u of T and v of double, m features): a chain of m fused multiply-adds
// misses x'.q' by gamma_u(m) |x'||q'|, centring by 2u |x'||q'| more, |x'|^2 is off by
// gamma_u(m + 2), and a handful of roundings follow. As 2 |x'||q'| <= |x'|^2 + |q'|^2, u misses s by
// at most e (|x'|^2 + |q'|^2 / 2) with e = gamma_u(m + 12). The truth itself is off by gamma_v(m + 6)
// of at most 2 (|x'|^2 + |q'|^2): e has four such terms on top. What overflows turns into NaN, and
// NaN is never under a threshold.
#pragma once

#include "assign.hpp"

namespace shoal {

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

template <class T, class Metric> class FloatBounds {
  public:
    using Value = T;
    using Lanes = Vector<T>;
    static constexpr Index kRows = kPanelRows<T>;

    explicit FloatBounds(Centers<T> &queries)
        : queries(queries), panel(queries.features), norms(queries.count) {
        const Index chain = queries.features + 12;
        exact_error = rounding_error(chain, kDoubleRoundoff);
        error = 1.01 * (rounding_error(chain, std::numeric_limits<T>::epsilon() / 2) +
                        4 * exact_error);
        underflow = 4.0 * double(chain) * double(std::numeric_limits<T>::min());
        for (Index q = 0; q < queries.count; ++q) norms[q] = -2 * double(queries.offsets[q]);
        std::fill(queries.offsets.begin(), queries.offsets.end(), T(0));
    }

    Index count() const { return queries.count; }
    Index block() const { return queries.block; }

    void pack_queries(Index first) { queries.pack(first); }
    void pack_rows(const Rows<T> &rows, Index first) {
        panel.pack(rows, first, queries.shift.data());
        // e |x'|^2 + a_x. Infinite norms become NaN.
        for (int v = 0; v < kTileVectors; ++v) {
            const Vector<T> norm = panel.norms[v];
            weights[v] = norm * T(error) - norm * T(Metric::kNormWeight) + T(underflow);
            for (int i = 0; i < kLanes<T>; ++i)
                if (!(norm[i] <= largest_norm)) largest_norm = norm[i];
        }
    }
    template <class Visit> void visit(Index first, Index last, Visit &&visit) {
        score(panel, queries, first, last, [&](Index q, Tile<T> &tile) SHOAL_INLINE {
            each([&](auto c, auto v) SHOAL_INLINE { tile[c][v] += weights[v]; });
            visit(q, tile);
        });
    }

    // What u must reach for a row to come as near as `reach`; -inf where a chain might overflow, so
    // that every row is a candidate.
    T threshold(Index query, double reach) const {
        if (!(norms[query] < std::numeric_limits<T>::max() / 4))
            return -std::numeric_limits<T>::infinity();
        const double score = Metric::score(reach, norms[query], exact_error);
        return below(score - error * norms[query] / 2 - underflow);
    }
    // What u must reach for a row to come as near as one that is bounded so; -inf where that is
    // unknown.
    T threshold_beside(Index query, T bound) const {
        const double slack = error * (largest_norm + norms[query] / 2) + underflow;
        const T least = below(bound - 2.02 * slack);
        return std::isfinite(least) ? least : -std::numeric_limits<T>::infinity();
    }
    static double distance(const T *x, Index stride, const T *query, Index features) {
        return Metric::distance(x, stride, query, features);
    }

  private:
    static T below(double value) {
        return std::nextafter(T(value), -std::numeric_limits<T>::infinity());
    }

    Centers<T> &queries;
    Panel<T> panel;
    std::vector<double> norms;
    Vector<T> weights[kTileVectors];
    T largest_norm = 0;
    double error, exact_error, underflow;
};

}  // namespace shoal
