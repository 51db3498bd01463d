// Assignment by bounds (Hamerly, Making k-means even faster, 2010): a row whose upper bound on the
// distance to its own centre is below its lower bound on the distance to any other keeps its label.
//
// Hamerly moves every lower bound by the largest drift, so that one centre on its way makes all
// rows look at all centres, and rows near a boundary do so in every pass. Here the second nearest
// centre, the rival, has a bound of its own: a row between two centres is settled by its distances
// to these two. The bound on the rest moves, where that pays, by the drift of the slow centres
// alone, and the few fast ones are looked at instead.
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

#include "podium.hpp"
#include "screen.hpp"

namespace shoal {

inline constexpr float kClearly = 1 + 0x1p-20f;

// How far the centres moved, and which moved farthest.
class Drift {
  public:
    Drift(const double *drift, const double *separation, Index count)
        : drift(drift), order(count), of_each(count), half_apart(count) {
        std::iota(order.begin(), order.end(), 0);
        std::sort(order.begin(), order.end(),
                  [=](Index a, Index b) { return drift[a] > drift[b]; });
        for (Index j = 0; j < count; ++j) {
            of_each[j] = rounded_up(float(drift[j]));
            half_apart[j] = rounded_down(float(separation[j]));
        }
    }
    // How far each centre moved, at most.
    const float *each() const { return of_each.data(); }
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
    std::vector<float> of_each, half_apart;
};

// The n fastest centres, to be looked at by themselves.
template <class T> struct FastCenters {
    FastCenters(const Centers<T> &all, const Drift &drift, Index n)
        : labels(drift.fastest(), drift.fastest() + n), data(n * all.features),
          shift(all.shift.begin(), all.shift.end()),
          centers((gather(all), data.data()), n, all.features, shift.data()) {}

    std::vector<Index> labels;
    std::vector<T> data;
    std::vector<double> shift;
    Centers<T> centers;

  private:
    void gather(const Centers<T> &all) {
        for (Index n = 0; n < Index(labels.size()); ++n)
            std::copy_n(all.row(labels[n]), all.features, data.begin() + n * all.features);
    }
};

// Squared distances of a row to two centres, in float32.
struct TwoSquares {
    float first, second;
};

template <class T>
inline TwoSquares two_squares(const T *x, Index stride, const T *a, const T *b, Index features) {
    constexpr int lanes = 8;
    typedef T Values __attribute__((vector_size(lanes * sizeof(T))));
    typedef float Lanes __attribute__((vector_size(lanes * sizeof(float))));
    typedef float Half __attribute__((vector_size(lanes / 2 * sizeof(float))));
    Lanes to_a{}, to_b{};
    Index f = 0;
    const auto add_square = [&](Values values, const T *center, Lanes &sum) SHOAL_INLINE {
        Values c;
        std::memcpy(&c, center + f, sizeof c);
        const Lanes difference = __builtin_convertvector(values - c, Lanes);
        sum += difference * difference;
    };
    if (stride == 1)
        for (; f + lanes <= features; f += lanes) {
            Values values;
            std::memcpy(&values, x + f, sizeof values);
            add_square(values, a, to_a);
            add_square(values, b, to_b);
        }
    Half low[2], high[2];
    std::memcpy(low, &to_a, sizeof low);
    std::memcpy(high, &to_b, sizeof high);
    const Half p = low[0] + low[1], q = high[0] + high[1];
    const Half sums = __builtin_shufflevector(p, q, 0, 4, 1, 5) +
                      __builtin_shufflevector(p, q, 2, 6, 3, 7);
    TwoSquares squares{sums[0] + sums[2], sums[1] + sums[3]};
    for (; f < features; ++f) {
        const float from_a = float(x[f * stride] - a[f]), from_b = float(x[f * stride] - b[f]);
        squares.first += from_a * from_a;
        squares.second += from_b * from_b;
    }
    return squares;
}

// Distances from their squares in float32, which round by less than features + 8 units, whatever
// their order, and may have overflown or lost what underflows.
class SquareBounds {
  public:
    explicit SquareBounds(Index features)
        : roundings(float(features + 8) * 0x1p-23f),
          underflow(std::numeric_limits<float>::min() * float(features)) {}
    float above(float square) const {
        return rounded_up(std::sqrt(square + underflow) * (1 + roundings));
    }
    float below(float square) const {
        const float least = std::min(square, std::numeric_limits<float>::max()) - underflow;
        return rounded_down(std::sqrt(std::max(least, 0.0f)) * std::max(1 - roundings, 0.0f));
    }

  private:
    float roundings, underflow;
};

// What is known of some rows: their nearest centre and another, the rival; the distance to the
// nearest from above, to the rival and to all the rest from below.
struct Bounds {
    std::int32_t *labels, *rivals;
    float *upper, *lower, *rest;

    Bounds from(Index row) const {
        return {labels + row, rivals + row, upper + row, lower + row, rest + row};
    }
};

template <class T> class BoundedAssignment {
  public:
    BoundedAssignment(const Matrix<T> &matrix, const Centers<T> &centers, Screen<T> &screen,
                      const Drift &moved, const Bounds &known)
        : matrix(matrix), centers(centers), screen(screen), moved(moved), known(known),
          exact(centers.features), fast(centers.count + 1) {}

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
        measure_open_rows();
        sort_out(first);
        if (!nearly.empty()) look_at(*looked_at, first);
        screen.nearest(Rows<T>{matrix, open.data(), Index(open.size())}, *this);
        return Index(open.size());
    }

    // The emit of `nearest`.
    using Leaders = Podium<T>;
    void panel(const Standing<T, Leaders> &standing) { found.emplace(standing, centers.features); }
    void decided(Index row, int place, const Standing<T, Leaders> &) {
        known.labels[row] = found->label(place);
        known.rivals[row] = found->rival(place);
        known.upper[row] = found->upper(place);
        known.lower[row] = found->second_lower(place);
        known.rest[row] = found->third_lower(place);
    }
    void rechecked(Index row, std::int32_t label) {
        const double own = std::sqrt(squared_distance(
            matrix.row(row), matrix.column_stride, centers.row(label), centers.features));
        known.labels[row] = label;
        known.upper[row] = rounded_up(float(own));
        known.lower[row] = known.rest[row] = rounded_down(float(own));
    }

  private:
    struct Plan {
        bool scans_all;
        Index n_fast;
    };

    // What costs least on a sample of the rows, in multiply-adds of one lane (0.04 ns where this was
    // measured): packing a row that comes in order costs 200 of them, keeping one by its bounds
    // 100, measuring its distances to two centres 200, and gathering and packing it 400.
    Plan cheapest(Index first, Index last) {
        const Index scores = screen.cost(centers.count * centers.features);
        sampled.clear();
        const Index stride = std::max<Index>(kSampleRun, (last - first) / 8);
        for (Index start = first; start < last; start += stride)
            for (Index i = start; i < std::min(start + kSampleRun, last); ++i)
                sampled.push_back(lead(i));
        const Index rows = Index(sampled.size()), features = centers.features;
        Plan best{true, 0};
        Index least = rows * (scores + 200);
        for (Index n = 0; n <= centers.count / 2; n = n ? 2 * n : kTileCenters) {
            const float all = moved.beyond(0), slow = moved.beyond(n);
            Index cost = rows * 100;
            for (const float lead : sampled) {
                if (lead == kSettled) continue;
                cost += 200 + 2 * features;
                if (!(lead > all)) cost += 400 + (lead > slow ? n * features : scores);
            }
            if (cost < least) best = {false, n}, least = cost;
        }
        return best;
    }

    static constexpr Index kSampleRun = 8;
    static constexpr float kSettled = std::numeric_limits<float>::infinity();

    // How much nearer than the rest stood its nearest centre is to a row.
    float lead(Index i) const {
        const std::int32_t label = known.labels[i], rival = known.rivals[i];
        const float upper = known.upper[i] + moved.each()[label];
        const float lower = std::min(known.lower[i] - moved.each()[rival],
                                     known.rest[i] - fall_of_rest(label, rival));
        if (upper < lower) return kSettled;
        const TwoSquares squares = measure(i);
        return known.rest[i] - exact.above(std::min(squares.first, squares.second));
    }
    // How far any but these two moved, at most.
    float fall_of_rest(std::int32_t label, std::int32_t rival) const {
        const Index fastest = moved.fastest()[0];
        return moved.beyond(label == fastest || rival == fastest);
    }
    TwoSquares measure(Index i) const {
        return two_squares(matrix.row(i), matrix.column_stride, centers.row(known.labels[i]),
                           centers.row(known.rivals[i]), centers.features);
    }

    // Moves the bounds of rows first .. last, and lists those that they leave open. Beside the
    // lower bound on the rest, `beyond` is that on the slow of the rest. Listed in a loop of its
    // own, without branches.
    void move_bounds(Index first, Index last, float slow) {
        const Index n = last - first;
        open.resize(n);
        beyond.resize(n);
        gap.resize(n);
        const float *const each = moved.each();
        const float most = moved.beyond(0), most_but_one = moved.beyond(1);
        const std::int32_t fastest = std::int32_t(moved.fastest()[0]);
        const Bounds of = known.from(first);
        const std::int32_t *const label = of.labels, *const rival = of.rivals;
        float *const high = of.upper, *const low = of.lower, *const rest = of.rest;
        float *const of_slow = beyond.data(), *const left = gap.data();
#pragma GCC ivdep
        for (Index i = 0; i < n; ++i) {
            const float fall = (label[i] == fastest) | (rival[i] == fastest) ? most_but_one : most;
            const float moved_high = rounded_up(high[i] + each[label[i]]);
            const float moved_low = rounded_down(low[i] - each[rival[i]]);
            const float moved_rest = rounded_down(rest[i] - fall);
            of_slow[i] = rounded_down(rest[i] - std::min(slow, fall));
            left[i] = std::min(moved_low, moved_rest) - moved_high * kClearly;
            high[i] = moved_high;
            low[i] = moved_low;
            rest[i] = moved_rest;
        }
        Index count = 0;
        for (Index i = 0; i < n; ++i) {
            open[count] = first + i;
            count += !(left[i] > 0);
        }
        open.resize(count);
    }

    void measure_open_rows() {
        constexpr std::size_t ahead = 16;
        const std::size_t count = open.size();
        above.resize(count), below.resize(count);
        float *const upper = above.data(), *const lower = below.data();
        for (std::size_t n = 0; n < count; ++n) {
            __builtin_prefetch(matrix.row(open[std::min(n + ahead, count - 1)]));
            const auto [own, other] = measure(open[n]);
            upper[n] = own, lower[n] = other;
        }
#pragma GCC ivdep
        for (std::size_t n = 0; n < count; ++n) {
            const float own = upper[n], other = lower[n];
            upper[n] = exact.above(std::min(own, other));
            lower[n] = exact.below(std::max(own, other));
        }
    }

    // Settles open rows by their distances to two centres, and lists as `nearly` settled those that
    // only a look at fast centres can settle. Without branches: what becomes of a row is a coin
    // toss.
    void sort_out(Index first) {
        const Index count = Index(open.size());
        Index n_open = 0, n_nearly = 0;
        nearly.resize(count);
        for (Index n = 0; n < count; ++n) {
            const Index i = open[n];
            const auto [own, other] = squares[n];
            const std::int32_t label = known.labels[i], rival = known.rivals[i];
            const bool swaps = other < own;
            const float upper = exact.above(swaps ? other : own), clearly = upper * kClearly;
            const float lower = exact.below(swaps ? own : other);
            const std::int32_t nearest = swaps ? rival : label;
            known.labels[i] = nearest;
            known.rivals[i] = swaps ? label : rival;
            known.upper[i] = upper;
            known.lower[i] = lower;
            const bool is_ahead = clearly < lower;
            const bool is_settled =
                (is_ahead & (clearly < known.rest[i])) | (clearly < moved.free()[nearest]);
            const bool is_nearly = !is_settled & is_ahead & (clearly < beyond[i - first]);
            nearly[n_nearly] = i;
            n_nearly += is_nearly;
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
        race<Leaders>(rows, fast.centers, [&](const Leaders &podium, Index start, int size) {
            const Standing<T, Leaders> standing(podium, margin);
            const PodiumBounds<T> bounds(standing, centers.features);
            for (int place = 0; place < size; ++place) {
                const Index i = rows[start + place];
                const auto is_of_two = [&](std::int32_t place_of_fast) {
                    const Index center = fast.labels[place_of_fast];
                    return (center == known.labels[i]) | (center == known.rivals[i]);
                };
                const float nearest = !is_of_two(bounds.label(place))   ? bounds.first_lower(place)
                                      : !is_of_two(bounds.rival(place)) ? bounds.second_lower(place)
                                                                        : bounds.third_lower(place);
                if (known.upper[i] * kClearly < nearest)
                    known.rest[i] = std::min(beyond[i - first], nearest);
                else
                    open.push_back(i);
            }
        });
    }

    // Rows that come in order are packed faster: all of a range are the rows of a smaller matrix.
    void scan_all(Index first, Index last) {
        const Matrix<T> range = matrix.between(first, last);
        BoundedAssignment of_range(range, centers, screen, moved, known.from(first));
        screen.nearest(Rows<T>{range, nullptr, range.rows}, of_range);
    }

    const Matrix<T> &matrix;
    const Centers<T> &centers;
    Screen<T> &screen;
    const Drift &moved;
    const Bounds known;
    const SquareBounds exact;
    std::vector<std::unique_ptr<FastCenters<T>>> fast;  // by their number
    std::vector<std::int64_t> open, nearly;
    std::vector<TwoSquares> squares;
    std::vector<float> beyond, gap, sampled;
    std::optional<PodiumBounds<T>> found;
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
    std::vector<std::int32_t> labels(k), rivals(k);
    std::vector<float> upper(k), lower(k), rest(k);
    const std::vector<double> still(k);
    const Drift moved(still.data(), still.data(), k);
    Screen<T> screen(centers);
    BoundedAssignment<T> bounds(
        points, centers, screen, moved,
        {labels.data(), rivals.data(), upper.data(), lower.data(), rest.data()});
    nearest_by_tile(Rows<T>{points, nullptr, k}, centers, bounds);
    for (Index j = 0; j < k; ++j) separation[j] = double(lower[j]) / 2;
}

}  // namespace shoal
