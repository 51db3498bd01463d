// The nearest centre of every row, most by the quantised tile: where its scores are too close, the
// tile on floats decides, as `assign` describes. Either leads to the label of least D.
#pragma once

#include <optional>

#include "assign.hpp"
#include "quantised_tile.hpp"

namespace shoal {

// How far apart two scores of the quantised tile must be for their order to be certain.
struct QuantisedMargin {
    QuantisedMargin(const Centers<float> &centers, const QuantisedCenters &quantised)
        : units(quantised.units), root(std::sqrt(float(centers.features))),
          least(Margin<float>(12, centers.features, centers.largest_norm)(units.most) +
                units.of_score * (root * kMostUnits + 2 + quantised.layout.error())) {}

    Vector<float> operator()(Vector<float> squared_norm) const {
        constexpr float never = std::numeric_limits<float>::infinity();
        const Vector<float> length = square_root(squared_norm) * (1.01f * units.scale);
        return squared_norm <= units.most ? least + length * (root * units.of_score)
                                          : broadcast(never);
    }

    RowUnits units;
    float root, least;
};

// The length to count rows by: a little more than that of the longest of a few, but not much more
// than nine of ten of them.
inline float usual_reach(const Matrix<float> &rows, const Buffer<float> &shift) {
    constexpr Index looked_at = 50;
    const Index step = (rows.rows + looked_at - 1) / looked_at;
    std::vector<float> norms(1);
    for (Index i = 0; i < rows.rows; i += step) {
        float norm = 0;
        for (Index f = 0; f < rows.columns; ++f) {
            const float x = *rows.at(i, f) - shift[f];
            norm += x * x;
        }
        norms.push_back(norm >= 0 ? norm : std::numeric_limits<float>::infinity());
    }
    const auto most = norms.begin() + Index(norms.size() * 9 / 10);
    std::nth_element(norms.begin(), most, norms.end());
    const float longest = *std::max_element(most, norms.end());
    return std::sqrt(std::min(1.2f * longest, 2 * *most));
}

// Decides every row, in any order, as `nearest_by_tile` does.
template <class T> class Screen {
  public:
    Screen(const Matrix<T> &, Centers<T> &centers) : centers(centers) {}
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
    Screen(const Matrix<float> &x, Centers<float> &centers)
        : centers(centers), pays(QuantisedCenters::can_tell_apart(centers) && centers.count >= 16 &&
                                 centers.count * centers.features >= 256) {
        if (pays)
            quantised.emplace(centers,
                              RowUnits(usual_reach(x, centers.shift), centers.largest_norm));
    }

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
        decide(rows, *quantised, QuantisedMargin(centers, *quantised), emit,
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
    bool pays;
    std::optional<QuantisedCenters> quantised;
    Index trial = kFirstTrial, waiting = 0;
    std::vector<std::int64_t> close;
};

template <class T> struct Assignment {
    using Leaders = shoal::Leaders<T>;

    void panel(const Rows<T> &rows, Index first, int size, const Standing<T, Leaders> &standing) {
        if (!rows.index && !distances && size == kPanelRows<T>)
            return standing.store_labels(labels + rows[first]);
        std::int32_t found[kPanelRows<T>];
        standing.store_labels(found);
        for (int i = 0; i < size; ++i) rechecked(rows[first + i], found[i]);
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
