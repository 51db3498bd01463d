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
#include <vector>

#include "podium.hpp"
#include "screen.hpp"
#include "sums.hpp"

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
          centers((gather(all), data.data()), n, all.features, shift.data()) {
        labels.resize(n + kTileCenters, -1);
    }

    std::vector<Index> labels;  // and enough of no centre to fill a tile
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
inline TwoSquares two_squares(const T *x, const T *a, const T *b, Index features) {
    constexpr int lanes = 8;
    typedef T Values __attribute__((vector_size(lanes * sizeof(T))));
    typedef float Lanes __attribute__((vector_size(lanes * sizeof(float))));
    typedef float Half __attribute__((vector_size(lanes / 2 * sizeof(float))));
    Lanes to_a{}, to_b{};
    const auto add_squares = [&](const T *x, const T *a, const T *b, std::size_t bytes) SHOAL_INLINE {
        Values values{}, of_a{}, of_b{};
        std::memcpy(&values, x, bytes);
        std::memcpy(&of_a, a, bytes);
        std::memcpy(&of_b, b, bytes);
        const Lanes from_a = __builtin_convertvector(values - of_a, Lanes);
        const Lanes from_b = __builtin_convertvector(values - of_b, Lanes);
        to_a += from_a * from_a;
        to_b += from_b * from_b;
    };
    Index f = 0;
    for (; f + lanes <= features; f += lanes) add_squares(x + f, a + f, b + f, sizeof(Values));
    if (f < features) add_squares(x + f, a + f, b + f, (features - f) * sizeof(T));
    Half low[2], high[2];
    std::memcpy(low, &to_a, sizeof low);
    std::memcpy(high, &to_b, sizeof high);
    const Half p = low[0] + low[1], q = high[0] + high[1];
    const Half sums = __builtin_shufflevector(p, q, 0, 4, 1, 5) +
                      __builtin_shufflevector(p, q, 2, 6, 3, 7);
    return {sums[0] + sums[2], sums[1] + sums[3]};
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
// nearest from above, to the rival and to all the rest from below. Where the bound on the rest is 0
// the others need not hold.
struct Bounds {
    std::int32_t *labels, *rivals;
    float *upper, *lower, *rest;

    Bounds from(Index row) const {
        return {labels + row, rivals + row, upper + row, lower + row, rest + row};
    }
};

// A visitor of `scan`: the distance of rows to the nearest fast centre that is neither their own nor
// their rival, at least. Calls settle(place in the rows, distance).
template <class T, class Settle> class NearestOther {
  public:
    NearestOther(const Rows<T> &rows, const Bounds &known, const FastCenters<T> &fast,
                 Settle &settle)
        : rows(rows), known(known), fast(fast), settle(settle), margin(margin_of(fast.centers)) {}

    void begin(Index run, Index p, const Panel<T> &points) {
        if (p == 0) panels.clear();
        auto &panel = panels.emplace_back();
        for (int v = 0; v < kTileVectors; ++v) {
            panel.best[v] = broadcast(-std::numeric_limits<T>::infinity());
            panel.norms[v] = points.norms[v];
            for (int lane = 0; lane < kLanes<T>; ++lane) {
                const Index n = run + p * kPanelRows<T> + v * kLanes<T> + lane;
                const Index i = rows[std::min(n, rows.count - 1)];
                panel.label[v][lane] = known.labels[i];
                panel.rival[v][lane] = known.rivals[i];
            }
        }
    }
    [[gnu::always_inline]] void visit(Index p, Index first, const Tile<T> &tile) {
        using Integer = typename VectorOf<T>::Integer;
        Candidates &panel = panels[p];
        each([&](auto c, auto v) SHOAL_INLINE {
            const IntVector<T> center = Integer(fast.labels[first + c]) - IntVector<T>{};
            const IntVector<T> is_known = (center == panel.label[v]) | (center == panel.rival[v]);
            const Vector<T> score =
                is_known ? broadcast(-std::numeric_limits<T>::infinity()) : tile[c][v];
            panel.best[v] = score > panel.best[v] ? score : panel.best[v];
        });
    }
    void end(Index run, Index size) {
        T nearest[kPanelRows<T>];
        for (const Candidates &panel : panels) {
            for (int v = 0; v < kTileVectors; ++v) {
                const Vector<T> norm = panel.norms[v];
                const Vector<T> error = square_error<T>(norm, margin(norm), fast.centers.features);
                store(nearest + v * kLanes<T>, root(norm - 2 * panel.best[v] - error));
            }
            for (Index i = 0; i < std::min<Index>(size, kPanelRows<T>); ++i)
                settle(run + i, rounded_down(float(nearest[i])));
            run += kPanelRows<T>;
            size -= kPanelRows<T>;
        }
    }

  private:
    struct Candidates {
        Vector<T> best[kTileVectors], norms[kTileVectors];
        IntVector<T> label[kTileVectors], rival[kTileVectors];
    };

    const Rows<T> &rows;
    const Bounds &known;
    const FastCenters<T> &fast;
    Settle &settle;
    Margin<T> margin;
    std::vector<Candidates, AlignedAllocator<Candidates>> panels;
};

template <class T> class BoundedAssignment {
  public:
    BoundedAssignment(const Matrix<T> &matrix, Centers<T> &centers, Screen<T> &screen,
                      const Drift &moved, const Bounds &known)
        : matrix(matrix), centers(centers), screen(screen), moved(moved), known(known),
          exact(centers.features), contiguous(matrix), fast(centers.count + 1) {}

    // Labels rows first .. last; returns how many had to be compared with all centres.
    Index step(Index first, Index last) {
        const Plan plan = cheapest(first, last);
        if (plan.means != Plan::follow) {
            plan.means == Plan::learn ? scan_all(first, last) : scan_blindly(first, last);
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
    void panel(const Rows<T> &rows, Index first, int size, const Standing<T, Leaders> &standing) {
        const PodiumBounds<T> found(standing, centers.features);
        for (int i = 0; i < size; ++i) {
            const Index row = rows[first + i];
            known.labels[row] = found.label(i);
            known.rivals[row] = found.rival(i);
            known.upper[row] = found.upper(i);
            known.lower[row] = found.second_lower(i);
            known.rest[row] = found.third_lower(i);
        }
    }
    void rechecked(Index row, std::int32_t label) {
        const double own = std::sqrt(squared_distance(
            matrix.row(row), matrix.column_stride, centers.row(label), centers.features));
        known.labels[row] = label;
        known.upper[row] = rounded_up(float(own));
        known.lower[row] = known.rest[row] = rounded_down(float(own));
    }

  private:
    // To follow the centres by bounds; to look at all centres and learn bounds; or without, which is
    // faster.
    struct Plan {
        enum { follow, learn, scan } means;
        Index n_fast;
    };

    // What costs least on a sample of the rows, in multiply-adds of one lane (0.04 ns where this was
    // measured): packing a row that comes in order costs 200 of them, keeping one by its bounds
    // 100, measuring its distances to two centres 200, and gathering and packing it 400. What is
    // learnt has to be earned back.
    Plan cheapest(Index first, Index last) {
        take_sample(first, last);
        const Index scores = screen.cost(centers.count * centers.features);
        const Index rows = Index(sample.size()), features = centers.features;
        const bool is_known = knows(first, last);
        Index least = rows * (scores + 200) * (is_known ? 4 : 3) / 4;
        Plan best{Plan::scan, 0};
        const Index measured = count_below(kSettled), open = count_below(moved.beyond(0));
        for (Index n = 0; n <= centers.count / 2; n = n ? 2 * n : kTileCenters) {
            const Index scanned = count_below(moved.beyond(n));
            const Index cost = rows * 100 + measured * (200 + 2 * features) + open * 400 +
                               (open - scanned) * n * features + scanned * scores;
            if (cost < least) best = {is_known ? Plan::follow : Plan::learn, n}, least = cost;
        }
        return best;
    }

    // Rows of the sample whose nearest centre leads by less.
    Index count_below(float lead) const {
        return std::count_if(leads.begin(), leads.end(), [=](float l) { return l < lead; });
    }
    // The first rows: they will be read first in any case, and others would have to be waited for.
    void take_sample(Index first, Index last) {
        sample.resize(std::min(last - first, kSampleRows));
        std::iota(sample.begin(), sample.end(), first);
        leads.resize(sample.size());
        std::transform(sample.begin(), sample.end(), leads.begin(),
                       [&](Index i) { return lead(i); });
    }
    // Whether more rows than the sample have bounds.
    bool knows(Index first, Index last) const {
        const Index next = first + kSampleRows;
        return next >= last || std::any_of(known.rest + next, known.rest + std::min(next + 8, last),
                                           [](float bound) { return bound > 0; });
    }

    static constexpr Index kSampleRows = 48;
    static constexpr float kSettled = std::numeric_limits<float>::infinity();

    // How much nearer than the rest stood its nearest centre is to a row.
    float lead(Index i) {
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
    TwoSquares measure(Index i) {
        return two_squares(contiguous(i), centers.row(known.labels[i]),
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

    // Names the nearer of the two centres of each open row, and the other its rival; their distances
    // are kept aside.
    void measure_open_rows() {
        constexpr std::size_t ahead = 32;
        const std::size_t count = open.size();
        above.resize(count), below.resize(count);
        float *const upper = above.data(), *const lower = below.data();
        const Rows<T> rows{matrix, open.data(), Index(count)};
        for (std::size_t n = 0; n < count; ++n) {
            rows.prefetch(n + ahead);
            std::int32_t &label = known.labels[open[n]], &rival = known.rivals[open[n]];
            const TwoSquares squares = measure(open[n]);
            const bool swaps = squares.second < squares.first;
            const std::int32_t nearer = swaps ? rival : label, farther = swaps ? label : rival;
            label = nearer, rival = farther;
            upper[n] = swaps ? squares.second : squares.first;
            lower[n] = swaps ? squares.first : squares.second;
        }
#pragma GCC ivdep
        for (std::size_t n = 0; n < count; ++n) {
            upper[n] = exact.above(upper[n]);
            lower[n] = exact.below(lower[n]);
        }
    }

    // Settles open rows by these distances, and lists as `nearly` settled those that only a look at
    // fast centres can settle. Without branches: what becomes of a row is a coin toss.
    void sort_out(Index first) {
        const Index count = Index(open.size());
        Index n_open = 0, n_nearly = 0;
        nearly.resize(count);
        for (Index n = 0; n < count; ++n) {
            const Index i = open[n];
            const float clearly = above[n] * kClearly;
            known.upper[i] = above[n];
            known.lower[i] = below[n];
            const bool is_ahead = clearly < below[n];
            const bool is_settled = (is_ahead & (clearly < known.rest[i])) |
                                    (clearly < moved.free()[known.labels[i]]);
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
        Index n_open = Index(open.size());
        open.resize(n_open + rows.count);
        const auto settle = [&](Index n, float nearest) {
            const Index i = rows[n];
            const bool is_settled = known.upper[i] * kClearly < nearest;
            known.rest[i] = is_settled ? std::min(beyond[i - first], nearest) : 0;
            open[n_open] = i;
            n_open += !is_settled;
        };
        NearestOther<T, decltype(settle)> visitor(rows, known, fast, settle);
        scan(rows, fast.centers, visitor);
        open.resize(n_open);
    }

    // Rows that come in order are packed faster: all of a range are the rows of a smaller matrix.
    void scan_all(Index first, Index last) {
        const Matrix<T> range = matrix.between(first, last);
        BoundedAssignment of_range(range, centers, screen, moved, known.from(first));
        screen.nearest(Rows<T>{range, nullptr, range.rows}, of_range);
    }
    // Labels alone, but for the sample, by which the next pass is planned.
    void scan_blindly(Index first, Index last) {
        assign(matrix.between(first, last), centers, screen, known.labels + first, nullptr);
        std::fill(known.rest + first, known.rest + last, 0.0f);
        screen.nearest(Rows<T>{matrix, sample.data(), Index(sample.size())}, *this);
    }

    const Matrix<T> &matrix;
    Centers<T> &centers;
    Screen<T> &screen;
    const Drift &moved;
    const Bounds known;
    const SquareBounds exact;
    ContiguousRows<T> contiguous;
    std::vector<std::unique_ptr<FastCenters<T>>> fast;  // by their number
    std::vector<std::int64_t> open, nearly, sample;
    std::vector<float> beyond, gap, above, below, leads;
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
    Screen<T> screen(points, centers);
    BoundedAssignment<T> bounds(
        points, centers, screen, moved,
        {labels.data(), rivals.data(), upper.data(), lower.data(), rest.data()});
    nearest_by_tile(Rows<T>{points, nullptr, k}, centers, bounds);
    for (Index j = 0; j < k; ++j) separation[j] = double(lower[j]) / 2;
}

}  // namespace shoal
