// Assignment by bounds (Hamerly, Making k-means even faster, 2010): a row whose upper bound on the
// distance to its own centre is below its lower bound on the distance to any other keeps its label.
//
// A label kept must be the label `assign` computes, so each bound errs to its own side by more than
// all rounding: a float32 operation rounds by 2^-24, so after two of them a factor of 1 -+ 2^-22
// puts a result on the safe side, and the smallest normal number what underflow hides; the last
// comparison leaves 2^-20, which also outweighs the rounding of D itself (features * 2^-53).
#pragma once

#include "assign.hpp"

namespace shoal {

inline constexpr float kClearly = 1 + 0x1p-20f;

inline float rounded_up(float x) {
    return x * (1 + 0x1p-22f) + std::numeric_limits<float>::min();
}
inline float rounded_down(float x) {
    x = std::min(x, std::numeric_limits<float>::max());
    return std::max(x * (1 - 0x1p-22f) - std::numeric_limits<float>::min(), 0.0f);
}

// What the last step of the centres does to the bounds of a label's rows.
struct Movement {
    float own;     // how far the centre moved, at most
    float others;  // how far any other moved, at most
    float free;    // half the distance to the nearest other centre, at least
};

inline std::vector<Movement> movements(const double *drift, const double *separation, Index count) {
    Index farthest = 0;
    for (Index j = 1; j < count; ++j)
        if (drift[j] > drift[farthest]) farthest = j;
    double second = 0;
    for (Index j = 0; j < count; ++j)
        if (j != farthest) second = std::max(second, drift[j]);
    std::vector<Movement> all(count);
    for (Index j = 0; j < count; ++j)
        all[j] = {rounded_up(float(drift[j])),
                  rounded_up(float(j == farthest ? second : drift[farthest])),
                  rounded_down(float(separation[j]))};
    return all;
}

// The distance of a row to a centre, from above: the difference form in float32 rounds by less than
// features + 3 units, whatever its order. Overflow is infinite, which is above.
template <class T>
float distance_above(const T *x, Index stride, const T *center, Index features) {
    constexpr int lanes = 8;
    float sums[lanes] = {};
    Index f = 0;
    if (stride == 1)
        for (; f + lanes <= features; f += lanes)
            for (int i = 0; i < lanes; ++i) {
                const float difference = float(x[f + i] - center[f + i]);
                sums[i] += difference * difference;
            }
    float sum = 0;
    for (; f < features; ++f) {
        const float difference = float(x[f * stride] - center[f]);
        sum += difference * difference;
    }
    for (int i = 0; i < lanes; ++i) sum += sums[i];
    const float roundings = float(features + 8) * 0x1p-23f;
    const float underflow = std::numeric_limits<float>::min() * float(features);
    return rounded_up(std::sqrt(sum + underflow) * (1 + roundings));
}

template <class T> class BoundedAssignment {
  public:
    BoundedAssignment(const Matrix<T> &matrix, Centers<T> &centers, std::int32_t *labels,
                      float *upper, float *lower)
        : matrix(matrix), centers(centers), labels(labels), upper(upper), lower(lower) {}

    // Returns how many rows had to be compared with all centres.
    Index step(const double *drift, const double *separation) {
        const std::vector<Movement> moved = movements(drift, separation, centers.count);
        std::vector<std::int64_t> survivors(kBatch);
        Index scanned = 0;
        for (Index first = 0; first < matrix.rows; first += kBatch) {
            const Index last = std::min(matrix.rows, first + kBatch);
            Index count = move_bounds(first, last, moved, survivors.data());
            if (tightening_pays()) count = tighten(survivors.data(), count, moved);
            scan_rows(survivors.data(), count);
            scanned += count;
        }
        return scanned;
    }

    // The emit of `nearest`. From the analysis of `assign`: a score misses its exact value by less
    // than `needed`, and |x'|^2 by less than features + 8 units.
    void panel(const Standing<T> &standing) {
        const T roundings = T(centers.features + 8) * std::numeric_limits<T>::epsilon();
        for (int i = 0; i < kPanelRows<T>; ++i) {
            const T error = 3 * standing.needed[i] + roundings * standing.norms[i];
            const T own = standing.norms[i] - 2 * standing.best[i] + error;
            const T other = standing.norms[i] - 2 * standing.second[i] - error;
            panel_upper[i] = rounded_up(float(std::sqrt(own > 0 ? own : 0)));
            panel_lower[i] = rounded_down(float(std::sqrt(other > 0 ? other : 0)));
        }
    }
    void decided(Index row, int place, const Standing<T> &standing) {
        labels[row] = std::int32_t(standing.label[place]);
        upper[row] = panel_upper[place];
        lower[row] = panel_lower[place];
    }
    void rechecked(Index row, std::int32_t label) {
        labels[row] = label;
        const double own = std::sqrt(squared_distance(
            matrix.row(row), matrix.column_stride, centers.row(label), centers.features));
        upper[row] = rounded_up(float(own));
        lower[row] = rounded_down(float(own));
    }

  private:
    static constexpr Index kBatch = 8 * kRunRows<T>;

    // Moves the bounds of rows first .. last; lists those whose label they leave open.
    Index move_bounds(Index first, Index last, const std::vector<Movement> &moved,
                      std::int64_t *survivors) {
        Index count = 0;
        for (Index i = first; i < last; ++i) {
            const Movement &by = moved[labels[i]];
            upper[i] = rounded_up(upper[i] + by.own);
            lower[i] = rounded_down(lower[i] - by.others);
            survivors[count] = i;
            count += !(upper[i] * kClearly < std::max(lower[i], by.free));
        }
        return count;
    }

    // One exact distance costs about as much as the scores of ten centres.
    bool tightening_pays() const { return centers.count > 24; }

    Index tighten(std::int64_t *survivors, Index count, const std::vector<Movement> &moved) {
        Index open = 0;
        for (Index s = 0; s < count; ++s) {
            const Index i = survivors[s];
            const float threshold = std::max(lower[i], moved[labels[i]].free);
            if (threshold > 0 && upper[i] < std::numeric_limits<float>::infinity())
                upper[i] = distance_above(matrix.row(i), matrix.column_stride,
                                          centers.row(labels[i]), centers.features);
            survivors[open] = i;
            open += !(upper[i] * kClearly < threshold);
        }
        return open;
    }

    void scan_rows(const std::int64_t *rows, Index count) {
        const bool in_a_row = count && rows[count - 1] - rows[0] == count - 1;
        // Rows without gaps are packed faster: they are all of a smaller matrix.
        if (in_a_row) {
            const Index first = rows[0];
            const Matrix<T> run{matrix.row(first), count, matrix.columns, matrix.row_stride,
                                matrix.column_stride};
            BoundedAssignment of_run(run, centers, labels + first, upper + first, lower + first);
            nearest(Rows<T>{run, nullptr, count}, centers, of_run);
        } else {
            nearest(Rows<T>{matrix, rows, count}, centers, *this);
        }
    }

    const Matrix<T> &matrix;
    Centers<T> &centers;
    std::int32_t *labels;
    float *upper, *lower;
    float panel_upper[kPanelRows<T>], panel_lower[kPanelRows<T>];
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
