// The nearest centre of every row, most by the quantised tile: where its scores are too close, the
// tile on floats decides, as `assign` describes. Either leads to the label of least D.
#pragma once

#include "assign.hpp"
#include "quantised_tile.hpp"

namespace shoal {

// How far apart two scores of the quantised tile must be for their order to be certain.
struct QuantisedMargin {
    explicit QuantisedMargin(const Centers<float> &centers, const QuantisedCenters &quantised)
        : roundings(8, centers.features, centers.largest_norm), quantised(quantised),
          units(0x1p16f * std::sqrt(float(centers.features))) {}

    Vector<float> operator()(Vector<float> squared_norm) const {
        return roundings(squared_norm) +
               units * quantised.unit(QuantisedPanel::length(squared_norm));
    }

    Margin<float> roundings;
    const QuantisedCenters &quantised;
    float units;
};

// Decides every row once, in any order, as `nearest_by_tile` does.
template <class T> class Screen {
  public:
    explicit Screen(Centers<T> &centers) : centers(centers) {}
    // What scores of so many products cost, in products of the tile on floats.
    Index cost(Index products) const { return products; }
    template <class Emit> void nearest(const Rows<T> &rows, Emit &emit) {
        nearest_by_tile(rows, centers, emit);
    }

  private:
    Centers<T> &centers;
};

// Where more than a quarter of some rows stay close, as many duplicates or unclustered rows of many
// features do, the next 32 times as many go to the tile on floats at once.
template <> class Screen<float> {
  public:
    explicit Screen(Centers<float> &centers)
        : centers(centers), quantised(centers), margin(centers, quantised),
          pays(centers.count >= 16 && centers.count * centers.features >= 500 &&
               quantised.can_be_told_apart()) {}

    // Rows take longer to pack.
    Index cost(Index products) const { return pays ? products * 5 / 8 + 128 : products; }
    template <class Emit> void nearest(const Rows<float> &rows, Emit &emit) {
        if (!pays) return nearest_by_tile(rows, centers, emit);
        for (Index first = 0; first < rows.count;) {
            const Index last = std::min(rows.count, first + (waiting ? waiting : trial));
            const auto some = rows.between(first, last);
            if (waiting) {
                waiting -= last - first;
                nearest_by_tile(some, centers, emit);
            } else {
                screen(some, emit);
            }
            first = last;
        }
        settle(rows.matrix, emit);
    }

  private:
    template <class Emit> void screen(const Rows<float> &rows, Emit &emit) {
        const std::size_t before = close.size();
        decide(rows, quantised, margin, emit,
               [&](Index row, int, const auto &) { close.push_back(row); });
        const bool is_worth_it = Index(close.size() - before) * 4 < rows.count;
        trial = is_worth_it ? kRunRows<float> : kFirstTrial;
        waiting = is_worth_it ? 0 : 32 * rows.count;
        if (Index(close.size()) >= kRunRows<float>) settle(rows.matrix, emit);
    }
    template <class Emit> void settle(const Matrix<float> &matrix, Emit &emit) {
        nearest_by_tile(Rows<float>{matrix, close.data(), Index(close.size())}, centers, emit);
        close.clear();
    }

    static constexpr Index kFirstTrial = 4 * kPanelRows<float>;

    Centers<float> &centers;
    QuantisedCenters quantised;
    QuantisedMargin margin;
    bool pays;
    Index trial = kFirstTrial, waiting = 0;
    std::vector<std::int64_t> close;
};

template <class T> struct Assignment {
    using Leaders = shoal::Leaders<T>;

    void panel(const Standing<T, Leaders> &) {}
    void decided(Index row, int place, const Standing<T, Leaders> &standing) {
        rechecked(row, standing.label(place));
    }
    void rechecked(Index row, std::int32_t label) {
        labels[row] = label;
        if (distances)
            distances[row] = squared_distance(matrix.row(row), matrix.column_stride,
                                              centers.row(label), centers.features);
    }

    const Matrix<T> &matrix;
    const Centers<T> &centers;
    std::int32_t *labels;
    double *distances;
};

template <class T>
void assign(const Matrix<T> &x, const Centers<T> &centers, Screen<T> &screen,
            std::int32_t *labels, double *distances) {
    Assignment<T> emit{x, centers, labels, distances};
    screen.nearest(Rows<T>{x, nullptr, x.rows}, emit);
}

}  // namespace shoal
