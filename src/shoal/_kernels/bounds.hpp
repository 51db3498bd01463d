// Assignment by bounds (Hamerly, Making k-means even faster, 2010): a row whose upper bound on the
// distance to its own centre is below its lower bound on the distance to any other keeps its label.
//
// A label kept must be the label `assign` computes, so each bound errs to its own side by more than
// all rounding of distances, drifts and separations; bounds are updated in double and stored
// outward in float32. The smallest float32 dwarfs what underflow in double can hide.
#pragma once

#include <bit>

#include "assign.hpp"

namespace shoal {

// The least float not below a non-negative value, and the greatest finite one not above it. Which
// way a value rounds is a coin toss, so the last bit is added rather than branched on.
inline float round_up(double value) {
    const float nearest = float(value);
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(nearest) + (nearest < value));
}
inline float round_down(double value) {
    value = std::clamp(value, 0.0, double(std::numeric_limits<float>::max()));
    const float nearest = float(value);
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(nearest) - (nearest > value));
}

// How far the centres moved, rounded up: each one, and the farthest of all the others.
class Drift {
  public:
    Drift(const double *drift, Index count, double slack) : moved(drift), slack(slack) {
        for (Index j = 0; j < count; ++j) {
            if (drift[j] > largest) {
                second = largest;
                largest = drift[j];
                farthest = j;
            } else {
                second = std::max(second, drift[j]);
            }
        }
    }
    double of(Index center) const { return moved[center] * slack; }
    double of_others(Index center) const {
        return (center == farthest ? second : largest) * slack;
    }

  private:
    const double *moved;
    double slack, largest = 0, second = 0;
    Index farthest = -1;
};

template <class T> class BoundedAssignment {
  public:
    BoundedAssignment(const Matrix<T> &matrix, Centers<T> &centers, std::int32_t *labels,
                      float *upper, float *lower)
        : matrix(matrix), centers(centers), labels(labels), upper(upper), lower(lower),
          slack(1 + 2 * rounding_error(centers.features + 16, kDoubleRoundoff)),
          shrink(2 - slack) {}

    // Returns how many rows had to be compared with all centres.
    Index step(const double *drift, const double *separation) {
        const Drift moved(drift, centers.count, slack);
        std::vector<std::int64_t> survivors;
        survivors.reserve(std::min(matrix.rows, kBatch));
        Index scanned = 0;
        const auto flush = [&] {
            scanned += Index(survivors.size());
            scan_rows(survivors);
            survivors.clear();
        };
        for (Index i = 0; i < matrix.rows; ++i) {
            if (keeps_label(i, moved, separation)) continue;
            survivors.push_back(i);
            if (Index(survivors.size()) == kBatch) flush();
        }
        flush();
        return scanned;
    }

  private:
    static constexpr Index kBatch = 16 * kRunRows<T>;

    bool keeps_label(Index i, const Drift &moved, const double *separation) {
        const Index label = labels[i];
        if (!std::isfinite(upper[i]) || label < 0 || label >= centers.count) return false;
        if (const double own = moved.of(label); own > 0)
            upper[i] = round_up((upper[i] + own) * slack);
        if (const double other = moved.of_others(label); other > 0)
            lower[i] = round_down((lower[i] - other) * shrink);
        const double threshold = std::max(double(lower[i]), separation[label]);
        if (upper[i] * slack < threshold) return true;
        if (threshold == 0) return false;
        upper[i] = round_up(distance_to(i, label) * slack);
        return upper[i] * slack < threshold;
    }

    double squared_distance_to(Index i, Index center) const {
        return squared_distance(matrix.row(i), matrix.column_stride, centers.row(center),
                                centers.features);
    }
    double distance_to(Index i, Index center) const {
        return std::sqrt(squared_distance_to(i, center));
    }

    void scan_rows(const std::vector<std::int64_t> &rows) {
        nearest(Rows<T>{matrix, rows.data(), Index(rows.size())}, centers,
                [this](Index i, std::int32_t label, double gap) {
                    const double squared = squared_distance_to(i, label);
                    labels[i] = label;
                    upper[i] = round_up(std::sqrt(squared) * slack);
                    lower[i] = round_down(lower_bound(squared, gap));
                });
    }

    // The second nearest centre is at least this far. Where the least square overflows, every
    // distance exceeds the greatest float.
    double lower_bound(double squared, double gap) const {
        return std::sqrt(squared * (shrink * shrink) + 2 * gap) * shrink;
    }

    const Matrix<T> &matrix;
    Centers<T> &centers;
    std::int32_t *labels;
    float *upper, *lower;
    double slack, shrink;  // factors that outweigh the rounding of a distance, up and down
};

// Half the distance from each centre to the nearest other, rounded down: the points here are the
// centres themselves, each at distance 0 from its own.
template <class T>
void pairwise_min_separation(const Matrix<T> &points, double *separation) {
    const Index k = points.rows;
    std::vector<double> mean(points.columns);
    for (Index j = 0; j < k; ++j)
        for (Index f = 0; f < points.columns; ++f)
            mean[f] += double(points.row(j)[f]) / double(k);
    Centers<T> centers(points.data, k, points.columns, mean.data());
    std::vector<std::int32_t> labels(k);
    std::vector<float> upper(k, std::numeric_limits<float>::infinity()), lower(k);
    const std::vector<double> still(k);
    BoundedAssignment<T>(points, centers, labels.data(), upper.data(), lower.data())
        .step(still.data(), still.data());
    for (Index j = 0; j < k; ++j) separation[j] = double(lower[j]) / 2;
}

}  // namespace shoal
