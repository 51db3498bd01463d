// Assignment by bounds (Hamerly, Making k-means even faster, 2010): a row whose upper bound on the
// distance to its own centre is below its lower bound on the distance to any other keeps its label.
//
// Hamerly moves every lower bound by the largest drift, so that one centre on its way makes all
// rows look at all centres. Here, where it pays, the lower bound moves by the drift of the slow
// centres alone, and the few fast ones are looked at instead.
//
// A label kept must be the label `assign` computes, so each bound errs to its own side by more than
// all rounding: a float32 operation rounds by 2^-24, so after two of them a factor of 1 -+ 2^-22
// puts a result on the safe side, and the smallest normal number what underflow hides; the last
// comparison leaves 2^-20, which also outweighs the rounding of D itself (features * 2^-53).
#pragma once

#include <algorithm>
#include <memory>
#include <numeric>
#include <optional>
#include <vector>

#include "screen.hpp"

namespace shoal {

inline constexpr float kClearly = 1 + 0x1p-20f;

inline float rounded_up(float x) {
    return x * (1 + 0x1p-22f) + std::numeric_limits<float>::min();
}
inline float rounded_down(float x) {
    x = std::min(x, std::numeric_limits<float>::max());
    return std::max(x * (1 - 0x1p-22f) - std::numeric_limits<float>::min(), 0.0f);
}

// How far the centres moved, and which moved farthest.
class Drift {
  public:
    Drift(const double *drift, const double *separation, Index count)
        : drift(drift), order(count), of_own(count), half_apart(count) {
        std::iota(order.begin(), order.end(), 0);
        std::sort(order.begin(), order.end(),
                  [=](Index a, Index b) { return drift[a] > drift[b]; });
        for (Index j = 0; j < count; ++j) {
            of_own[j] = rounded_up(float(drift[j]));
            half_apart[j] = rounded_down(float(separation[j]));
        }
    }
    // How far each centre moved, at most.
    const float *own() const { return of_own.data(); }
    // How far any other moved, at most.
    float others(Index center) const { return beyond(center == order[0]); }
    // Half the distance of each centre to the nearest other, at least.
    const float *free() const { return half_apart.data(); }
    // How far any centre moved but for the n fastest, at most.
    float beyond(Index n) const {
        return n < Index(order.size()) ? rounded_up(float(drift[order[n]])) : 0;
    }
    const Index *fastest() const { return order.data(); }

  private:
    const double *drift;
    std::vector<Index> order;
    std::vector<float> of_own, half_apart;
};

// The n fastest centres, to be looked at by themselves.
template <class T> struct FastCenters {
    FastCenters(const Centers<T> &all, const Drift &drift, Index n)
        : labels(drift.fastest(), drift.fastest() + n), free(all.count), data(n * all.features),
          shift(all.shift.begin(), all.shift.end()),
          centers((gather(all), data.data()), n, all.features, shift.data()) {
        for (Index j = 0; j < all.count; ++j) free[j] = half_distance(all, j);
    }

    std::vector<Index> labels;
    std::vector<float> free;  // half the distance of each centre to the nearest fast other, at least
    std::vector<T> data;
    std::vector<double> shift;
    Centers<T> centers;

  private:
    void gather(const Centers<T> &all) {
        for (Index n = 0; n < Index(labels.size()); ++n)
            std::copy_n(all.row(labels[n]), all.features, data.begin() + n * all.features);
    }
    float half_distance(const Centers<T> &all, Index j) const {
        double least = std::numeric_limits<double>::infinity();
        for (const Index fast : labels)
            if (fast != j)
                least = std::min(least,
                                 squared_distance(all.row(j), 1, all.row(fast), all.features));
        return rounded_down(float(std::sqrt(least) / 2));
    }
};

// The distance of a row to a centre, from above: the difference form in float32 rounds by less than
// features + 8 units, whatever its order. Overflow is infinite, which is above.
template <class T>
float distance_above(const T *x, Index stride, const T *center, Index features) {
    constexpr int lanes = 8;
    typedef T Values __attribute__((vector_size(lanes * sizeof(T))));
    typedef float Lanes __attribute__((vector_size(lanes * sizeof(float))));
    Lanes sums{};
    Index f = 0;
    if (stride == 1)
        for (; f + lanes <= features; f += lanes) {
            Values a, b;
            std::memcpy(&a, x + f, sizeof a);
            std::memcpy(&b, center + f, sizeof b);
            const Lanes difference = __builtin_convertvector(a - b, Lanes);
            sums += difference * difference;
        }
    float sum = ((sums[0] + sums[4]) + (sums[1] + sums[5])) +
                ((sums[2] + sums[6]) + (sums[3] + sums[7]));
    for (; f < features; ++f) {
        const float difference = float(x[f * stride] - center[f]);
        sum += difference * difference;
    }
    const float roundings = float(features + 8) * 0x1p-23f;
    const float underflow = std::numeric_limits<float>::min() * float(features);
    return rounded_up(std::sqrt(sum + underflow) * (1 + roundings));
}

// Bounds on distances from where scores stand. From the analysis of `assign`: a score misses its
// exact value by less than `needed`, and |x'|^2 by less than features + 8 units.
template <class T> struct PanelBounds {
    PanelBounds(const Standing<T> &standing, Index features) {
        const T roundings = T(features + 8) * std::numeric_limits<T>::epsilon();
        const Leaders<T> &leaders = standing.leaders;
        for (int v = 0; v < kTileVectors; ++v) {
            const Vector<T> norm = leaders.norms[v];
            const Vector<T> error = 3 * standing.needed[v] + roundings * norm;
            const Vector<T> best = norm - 2 * leaders.best[v];
            const Vector<T> second = norm - 2 * leaders.second[v];
            store(farthest + v * kLanes<T>, root(best + error));
            store(nearest + v * kLanes<T>, root(best - error));
            store(others + v * kLanes<T>, root(second - error));
        }
    }
    float upper(int i) const { return rounded_up(float(farthest[i])); }
    float best_lower(int i) const { return rounded_down(float(nearest[i])); }
    float lower(int i) const { return rounded_down(float(others[i])); }

  private:
    static Vector<T> root(Vector<T> square) {
        return square_root(square > 0 ? square : Vector<T>{});
    }

    // The distance to the nearest centre from both sides, to the second nearest from below.
    T farthest[kPanelRows<T>], nearest[kPanelRows<T>], others[kPanelRows<T>];
};

template <class T> class BoundedAssignment {
  public:
    BoundedAssignment(const Matrix<T> &matrix, const Centers<T> &centers, Screen<T> &screen,
                      const Drift &moved, std::int32_t *labels, float *upper, float *lower)
        : matrix(matrix), centers(centers), screen(screen), moved(moved), labels(labels),
          upper(upper), lower(lower), fast(centers.count + 1) {}

    // Labels rows first .. last; returns how many had to be compared with all centres.
    Index step(Index first, Index last) {
        const Plan plan = cheapest(first, last);
        if (plan.scans_all) {
            scan_all(first, last);
            return last - first;
        }
        auto &looked_at = fast[plan.n_fast];
        if (!looked_at)
            looked_at = std::make_unique<FastCenters<T>>(centers, moved, plan.n_fast);
        move_bounds(first, last, moved.beyond(plan.n_fast));
        settle_open_rows(first, *looked_at);
        if (!nearly.empty()) look_at(*looked_at, first);
        screen.nearest(Rows<T>{matrix, open.data(), Index(open.size())}, *this);
        return Index(open.size());
    }

    // The emit of `nearest`.
    void panel(const Standing<T> &standing) { bounds.emplace(standing, centers.features); }
    void decided(Index row, int place, const Standing<T> &standing) {
        labels[row] = standing.label(place);
        upper[row] = bounds->upper(place);
        lower[row] = bounds->lower(place);
    }
    void rechecked(Index row, std::int32_t label) {
        labels[row] = label;
        const double own = std::sqrt(squared_distance(
            matrix.row(row), matrix.column_stride, centers.row(label), centers.features));
        upper[row] = rounded_up(float(own));
        lower[row] = rounded_down(float(own));
    }

  private:
    struct Plan {
        bool scans_all;
        Index n_fast;
    };

    // What costs least on a sample of the rows, in multiply-adds of one lane (0.04 ns where this was
    // measured): packing a row that comes in order costs 200 of them, keeping one by its bounds
    // 150, and sorting out, gathering and packing one that they leave open 1150.
    Plan cheapest(Index first, Index last) const {
        const Index stride = std::max<Index>(1, (last - first) / 64);
        const Index scores = screen.cost(centers.count * centers.features);
        Plan best{true, 0};
        Index least = ((last - first + stride - 1) / stride) * (scores + 200);
        for (Index n = 0; n <= centers.count / 2; n = n ? 2 * n : kTileCenters) {
            const float slow = moved.beyond(n);
            Index cost = 0;
            for (Index i = first; i < last; i += stride) {
                const float gap = lower[i] - upper[i] - moved.own()[labels[i]];
                if (gap > moved.others(labels[i]))
                    cost += 150;
                else
                    cost += 1150 + (gap > slow ? n * centers.features : scores);
            }
            if (cost < least) best = {false, n}, least = cost;
        }
        return best;
    }

    // Moves the bounds of rows first .. last, and lists those that they leave open. Beside the
    // lower bound on all other centres, `beyond` is that on the others that are slow. Listed in a
    // loop of its own, without branches.
    void move_bounds(Index first, Index last, float slow) {
        const Index n = last - first;
        open.resize(n);
        beyond.resize(n);
        gap.resize(n);
        const float *const own = moved.own(), *const free = moved.free();
        const float most = moved.beyond(0), others_of_fastest = moved.beyond(1);
        const std::int32_t fastest = std::int32_t(moved.fastest()[0]);
        const std::int32_t *const label = labels + first;
        float *const high = upper + first, *const low = lower + first;
        float *const of_slow = beyond.data(), *const left = gap.data();
        for (Index i = 0; i < n; ++i) {
            const float others = label[i] == fastest ? others_of_fastest : most;
            const float moved_high = rounded_up(high[i] + own[label[i]]);
            const float moved_low = rounded_down(low[i] - others);
            of_slow[i] = rounded_down(low[i] - std::min(slow, others));
            left[i] = std::max(moved_low, free[label[i]]) - moved_high * kClearly;
            high[i] = moved_high;
            low[i] = moved_low;
        }
        Index count = 0;
        for (Index i = 0; i < n; ++i) {
            open[count] = first + i;
            count += !(left[i] > 0);
        }
        open.resize(count);
    }

    // Settles open rows by tighter bounds and by what is known of fast centres, and lists as
    // `nearly` settled those that only a look at fast centres can settle.
    void settle_open_rows(Index first, const FastCenters<T> &fast) {
        constexpr std::size_t ahead = 16;
        for (std::size_t n = 0; n < open.size(); ++n) {
            __builtin_prefetch(matrix.row(open[std::min(n + ahead, open.size() - 1)]));
            const Index i = open[n];
            upper[i] = distance_above(matrix.row(i), matrix.column_stride, centers.row(labels[i]),
                                      centers.features);
        }
        sort_out(first, fast);
    }

    // Without branches: what becomes of a row is a coin toss.
    void sort_out(Index first, const FastCenters<T> &fast) {
        Index n_open = 0, n_nearly = 0;
        nearly.resize(open.size());
        for (const Index i : open) {
            const float clearly = upper[i] * kClearly, slow = beyond[i - first];
            const float apart = fast.free[labels[i]];
            const bool is_settled = clearly < std::max(lower[i], moved.free()[labels[i]]);
            const bool is_nearly = !is_settled & (clearly < slow), is_apart = clearly < apart;
            const float found = std::min(slow, rounded_down(2 * apart - upper[i]));
            lower[i] = is_nearly & is_apart ? found : lower[i];
            nearly[n_nearly] = i;
            n_nearly += is_nearly & !is_apart;
            open[n_open] = i;
            n_open += !(is_settled | is_nearly);
        }
        nearly.resize(n_nearly);
        open.resize(n_open);
    }

    // Settles nearly settled rows whose own centre is nearer than any fast one; opens the others.
    void look_at(FastCenters<T> &fast, Index first) {
        const Rows<T> rows{matrix, nearly.data(), Index(nearly.size())};
        const Margin<T> margin = margin_of(fast.centers);
        race(rows, fast.centers, [&](const Leaders<T> &leaders, Index start, int size) {
            const Standing<T> standing(leaders, margin);
            const PanelBounds<T> bounds(standing, centers.features);
            for (int place = 0; place < size; ++place) {
                const Index i = rows[start + place];
                const bool is_own = fast.labels[standing.label(place)] == labels[i];
                const float nearest = is_own ? bounds.lower(place) : bounds.best_lower(place);
                if (upper[i] * kClearly < nearest)
                    lower[i] = std::min(beyond[i - first], nearest);
                else
                    open.push_back(i);
            }
        });
    }

    // Rows that come in order are packed faster: all of a range are the rows of a smaller matrix.
    void scan_all(Index first, Index last) {
        const Matrix<T> range = matrix.between(first, last);
        BoundedAssignment of_range(range, centers, screen, moved, labels + first, upper + first,
                                   lower + first);
        screen.nearest(Rows<T>{range, nullptr, range.rows}, of_range);
    }

    const Matrix<T> &matrix;
    const Centers<T> &centers;
    Screen<T> &screen;
    const Drift &moved;
    std::int32_t *labels;
    float *upper, *lower;
    std::vector<std::unique_ptr<FastCenters<T>>> fast;  // by their number
    std::vector<std::int64_t> open, nearly;
    std::vector<float> beyond, gap;
    std::optional<PanelBounds<T>> bounds;
};

// Half the distance from each centre to the nearest other, rounded down: the points here are the
// centres themselves, each at distance 0 from its own. They are few, and bounds that the quantised
// tile would loosen serve for all rows.
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
    const Drift moved(still.data(), still.data(), k);
    Screen<T> screen(centers);
    BoundedAssignment<T> bounds(points, centers, screen, moved, labels.data(), upper.data(),
                                lower.data());
    nearest_by_tile(Rows<T>{points, nullptr, k}, centers, bounds);
    for (Index j = 0; j < k; ++j) separation[j] = double(lower[j]) / 2;
}

}  // namespace shoal
