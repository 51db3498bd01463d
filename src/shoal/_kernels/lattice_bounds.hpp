// How near rows may be to queries by euclidean distance, on a lattice of integers.
//
// A row no farther than r stands within D = s r + X_off + Q_off of the query (lattice.hpp), and so
// X.Q - |X|^2 / 2 = (|Q|^2 - |X - Q|^2) / 2 is at least (|Q|^2 - D^2) / 2.
#pragma once

#include "lattice.hpp"

namespace shoal {

template <class T, class Lattice> class LatticeBounds {
  public:
    using Value = typename Lattice::Value;
    using Lanes = typename Lattice::Lanes;
    static constexpr Index kRows = kPanelRows<Value>;

    LatticeBounds(const T *queries, Index count, const std::vector<T> &shift, float scale)
        : queries(queries, count, Index(shift.size()), shift.data(), scale),
          panel(Index(shift.size()), scale), shift(shift), scale(scale),
          offset(row_offset<Lattice>(Index(shift.size()))),
          error(1.01 * rounding_error(Index(shift.size()) + 12, kDoubleRoundoff)) {}

    Index count() const { return queries.count; }
    Index block() const { return queries.block; }
    void pack_queries(Index first) { queries.pack(first); }
    void pack_rows(const Rows<T> &rows, Index first) { panel.pack(rows, first, shift.data()); }
    template <class Visit> void visit(Index first, Index last, Visit &&visit) {
        score(panel, queries, first, last, visit);
    }

    // What the score of a row must reach for its squared distance, as the truth rounds it, to come
    // down to `reach`. Squares that underflow are far below the unit of the lattice.
    Value threshold(Index query, double reach) const {
        const double distance = std::sqrt(std::max(reach, 0.0) * (1 + error));
        return score_at(query, scale * distance + queries.offsets[query] + offset);
    }
    // What it must reach for a row to come as near as one of this score; the least number where
    // that is unknown, as the projection takes rows nearer.
    Value threshold_beside(Index query, Value score) const {
        if (!panel.all_inside || !queries.is_inside(query)) return kNever;
        // Scores are rounded up by a half at most.
        const double squared = queries.squared_norms[query] - 2.0 * (score - Lattice::kStart) + 1;
        return score_at(query, std::sqrt(std::max(squared, 0.0)) * (1 + error) +
                                   2 * (queries.offsets[query] + offset));
    }
    static double distance(const T *x, Index stride, const T *query, Index features) {
        return squared_distance(x, stride, query, features);
    }

  private:
    static constexpr Value kNever = std::numeric_limits<Value>::lowest();

    // The least score within so many units of the query, lowered by more than its rounding.
    Value score_at(Index query, double distance) const {
        const double score = Lattice::kStart + (queries.squared_norms[query] -
                                                distance * distance * (1 + 1e-12)) / 2;
        return score > kNever ? Value(std::floor(score)) : kNever;
    }

    LatticeQueries<T, Lattice> queries;
    LatticePanel<T, Lattice> panel;
    const std::vector<T> &shift;
    double scale, offset, error;
};

}  // namespace shoal
