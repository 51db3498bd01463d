// Stochastic gradient descent on linear models: rows one at a time, in a given order.
//
// A step: raw = w x + b; w <- (1 - rate l2) w - rate loss'(raw) x; then w goes towards zero by what
// the L1 penalty has due. Weights are of the type of the data, all else is double. Products and sums
// of vectors are rounded one by one: a fused multiply-add would be no faster, for processors add
// beside multiplying, and slow where there is none. Dot products have one sum for each column modulo
// 64 bytes, folded in one fixed tree, so bits depend on no instruction set.
#pragma once

#include <vector>

#include "learning_rates.hpp"
#include "matrix.hpp"
#include "sgd_losses.hpp"
#include "unroll.hpp"

namespace shoal {

template <class T>
struct VectorsOf {
    typedef T Native __attribute__((vector_size(vector_bytes)));
    typedef T Quad __attribute__((vector_size(16)));
};
template <class T> using Native = typename VectorsOf<T>::Native;
template <class T> using Quad = typename VectorsOf<T>::Quad;

template <class V, class T>
inline V load_vector(const T *from) {
    V values;
    std::memcpy(&values, from, sizeof values);
    return values;
}

template <class V, class T>
inline void store_vector(T *to, V values) {
    std::memcpy(to, &values, sizeof values);
}

constexpr int line_bytes = 64, natives_a_line = line_bytes / vector_bytes;

// Calls visit<V>(j) for the columns j .. of each vector: whole lines, then vectors of 16 bytes, then
// single values. A line's vectors come with their number within it.
template <class T, class Line, class Rest, class One>
inline void for_columns(Index columns, Line line, Rest rest, One one) {
    constexpr Index wide = line_bytes / sizeof(T), quad = 16 / sizeof(T);
    constexpr Index native = vector_bytes / sizeof(T);
    Index j = 0;
    for (; j + wide <= columns; j += wide)
        for (int part = 0; part < natives_a_line; ++part) line(j + part * native, part);
    for (; j + quad <= columns; j += quad) rest(j);
    for (; j < columns; ++j) one(j);
}

inline float fold(Quad<float> q) { return (q[0] + q[2]) + (q[1] + q[3]); }
inline double fold(Quad<double> q) { return q[0] + q[1]; }

// Lanes l and l + 8, then + 4, + 2, + 1 (of floats).
template <class T>
inline T fold(const Native<T> (&sums)[natives_a_line]) {
    struct Quads {
        Quad<T> quads[4];
    };
    const auto [q] = std::bit_cast<Quads>(sums);
    return fold((q[0] + q[2]) + (q[1] + q[3]));
}

template <class T>
inline T dot(const T *x, const T *w, Index columns) {
    Native<T> sums[natives_a_line]{};
    Quad<T> rest{};
    T last = 0;
    for_columns<T>(
        columns,
        [&](Index j, int part) {
            sums[part] += load_vector<Native<T>>(x + j) * load_vector<Native<T>>(w + j);
        },
        [&](Index j) { rest += load_vector<Quad<T>>(x + j) * load_vector<Quad<T>>(w + j); },
        [&](Index j) { last += x[j] * w[j]; });
    return fold<T>(sums) + (fold(rest) + last);
}

// w <- shrink w + c x.
template <class T>
inline void shrink_and_add(T *w, T shrink, const T *x, T c, Index columns) {
    const auto moved = [&]<class V>(Index j) {
        store_vector(w + j, load_vector<V>(w + j) * shrink + load_vector<V>(x + j) * c);
    };
    for_columns<T>(
        columns, [&](Index j, int) { moved.template operator()<Native<T>>(j); },
        [&](Index j) { moved.template operator()<Quad<T>>(j); },
        [&](Index j) { w[j] = w[j] * shrink + x[j] * c; });
}

// Into the second-level cache (2) or the first (3). GCC drops calls that do nothing but prefetch,
// unless they are inlined before it looks.
template <int locality> [[gnu::always_inline]] inline void ask_for(const void *line) {
    if constexpr (locality == 2)
        __builtin_prefetch(line, 0, 2);
    else
        __builtin_prefetch(line, 0, 3);
}

template <class T> struct DenseRows {
    const T *data;
    Index stride, columns;

    const T *row(Index i) const { return data + i * stride; }
    [[gnu::always_inline]] void prefetch(Index far, Index near) const {
        constexpr Index most_bytes = 16 * line_bytes;
        const auto byte_of = [&](Index i) { return reinterpret_cast<const char *>(row(i)); };
        const Index last = std::min<Index>(columns * sizeof(T), most_bytes) - 1;
        const auto ask = [&](Index at) SHOAL_INLINE {
            ask_for<2>(byte_of(far) + at);
            ask_for<3>(byte_of(near) + at);
        };
        for (Index at = 0; at < last; at += line_bytes) ask(at);
        // Rows need not begin where a line does.
        ask(last);
    }
    double dot(Index i, const T *w) const { return shoal::dot(row(i), w, columns); }
    void add_to(T *w, Index i, double c) const {
        shrink_and_add(w, T(1), row(i), T(c), columns);
    }
};

template <class T, class Column> struct SparseRows {
    typedef T Four __attribute__((vector_size(4 * sizeof(T))));

    CsrMatrix<T, Column> x;

    // Far rows come in the order they have in memory: the next one asks for the rest of a line.
    [[gnu::always_inline]] void prefetch(Index far, Index near) const {
        ask<2>(x.indptr[far], x.indptr[far + 1]);
        ask<3>(x.indptr[near], x.indptr[near + 1]);
        if (x.indptr[near] < x.indptr[near + 1]) ask<3>(x.indptr[near + 1] - 1, x.indptr[near + 1]);
    }
    template <int locality> [[gnu::always_inline]] void ask(Index first, Index end) const {
        constexpr Index line = line_bytes / std::max(sizeof(T), sizeof(Column)), most = 16 * line;
        end = std::min(end, first + most);
        for (Index e = first; e < end; e += line) {
            ask_for<locality>(x.data + e);
            ask_for<locality>(x.indices + e);
        }
    }
    // Four sums, so that additions do not wait for each other.
    double dot(Index i, const T *w) const {
        const T *const value = x.data + x.indptr[i];
        const Column *const j = x.indices + x.indptr[i];
        const Index n = x.indptr[i + 1] - x.indptr[i];
        Four sums{};
        Index e = 0;
        for (; e + 4 <= n; e += 4)
            sums += load_vector<Four>(value + e) *
                    Four{w[j[e]], w[j[e + 1]], w[j[e + 2]], w[j[e + 3]]};
        for (; e < n; ++e) sums[0] += value[e] * w[j[e]];
        return (sums[0] + sums[2]) + (sums[1] + sums[3]);
    }
    void add_to(T *w, Index i, double c) const {
        const T factor = T(c), *const value = x.data + x.indptr[i];
        const Column *const j = x.indices + x.indptr[i];
        const Index n = x.indptr[i + 1] - x.indptr[i];
        Index e = 0;
        for (; e + 4 <= n; e += 4) {
            const Four moves = load_vector<Four>(value + e) * factor;
            for (int lane = 0; lane < 4; ++lane) w[j[e + lane]] += moves[lane];
        }
        for (; e < n; ++e) w[j[e]] += value[e] * factor;
    }
    template <class Visit> void for_each(Index i, Visit visit) const {
        for (Index at = x.indptr[i]; at < x.indptr[i + 1]; ++at) visit(x.indices[at], x.data[at]);
    }
};

struct SgdSettings {
    std::string_view loss;
    SumOfLosses sum_of_losses;
    Slope slope;
    double parameter;
    double negative, positive;  // targets of the two sides, where there are several outputs
    Schedule schedule;
    double l2, l1;
    double intercept_factor;  // of the rate, 0 without intercept
    double average_from;      // first step whose weights are averaged
    bool is_first;            // whether the losses of a model of zeros are wanted
};

// Sums that steps add to: their number, what L1 has due of every weight, the losses met and those of
// a model of zeros, and the weights of their rows; for sparse rows also the scale of the weights and
// its sum over the steps that are averaged.
struct SgdCounters {
    double steps, due, loss, first_loss, weight, scale, scale_total;
};

// What steps change. Weights are scale * coef, so that a sparse step need not touch them all.
template <class T> struct SgdWeights : SgdCounters {
    Index outputs, columns;
    T *coef;            // (outputs, columns)
    double *intercept;  // (outputs,)
    double *received;   // (outputs, columns), what L1 has taken of each weight, or null
    double *total;      // (outputs, columns), sum of weights over steps, or null
    double *intercept_total;

    T *of(Index output) const { return coef + output * columns; }
};

constexpr Index rows_ahead = 8;

// Rows of one window, in order of the steps.
struct Visits {
    const int32_t *order;  // null: as they are, from `first` on
    // The same rows, in an order nearer to that in memory: each comes at most far_ahead places after
    // its visit's.
    const int32_t *arrivals;
    Index first, rows;
    Index known;                    // visits from here on, those of later windows too
    const double *target, *weight;  // by row; weight may be null
    Index far_ahead;                // asked for so early that memory's latency is hidden

    Index row(Index position) const { return order ? order[position] : first + position; }
    double weight_of(Index row) const { return weight ? weight[row] : 1.0; }

    // Processors foresee rows in order by themselves; others come to the second-level cache first.
    template <class Rows> [[gnu::always_inline]] void prefetch(const Rows &x, Index position) const {
        if (!order) return;
        const Index far = arrivals[std::min(position + far_ahead, known - 1)];
        x.prefetch(far, order[std::min(position + rows_ahead, known - 1)]);
        ask_for<2>(target + far);
        if (weight) ask_for<2>(weight + far);
    }

    // Those of the window that begins and ends at these positions.
    Visits between(Index begin, Index end) const {
        Visits found = *this;
        if (order) found.order += begin, found.arrivals += begin;
        found.first += begin, found.rows = end - begin, found.known -= begin;
        return found;
    }
};

// Sums of the losses that steps meet, evaluated many at a time.
class LossSum {
  public:
    static constexpr int few = 4;

    explicit LossSum(const SgdSettings &settings) : settings_(settings) {
        if (!settings.is_first) return;
        const auto of_zero = [&](double target) {
            const double y[lanes]{target}, raw[lanes]{}, weight = 1.0;
            return settings.sum_of_losses(settings.parameter, 1, y, raw, &weight);
        };
        of_zero_[0] = of_zero(settings.negative), of_zero_[1] = of_zero(settings.positive);
    }

    void add(double y, double raw, double weight) {
        put(0, y, raw, weight);
        go_on(1);
    }

    // The i-th of up to `few` that `go_on` counts.
    void put(int i, double y, double raw, double weight) {
        y_[count_ + i] = y, raw_[count_ + i] = raw, weight_[count_ + i] = weight;
    }
    void go_on(int count) {
        count_ += count;
        if (count_ > most - few) flush();
    }

    void add_to(SgdCounters &counters) {
        flush();
        counters.loss += sum_, counters.first_loss += first_sum_;
    }

  private:
    static constexpr int most = 128;

    [[gnu::noinline]] void flush() {
        for (int i = count_; i % lanes; ++i) y_[i] = raw_[i] = 0.0;
        sum_ += sum();
        if (settings_.is_first) first_sum_ += sum_of_zeros();
        count_ = 0;
    }

    // Of two classes the loss of zeros has two values.
    double sum_of_zeros() {
        const double negative = settings_.negative, positive = settings_.positive;
        bool are_two = true;
        for (int i = 0; i < count_; ++i) are_two &= (y_[i] == negative) | (y_[i] == positive);
        if (!are_two) {
            std::fill_n(raw_, count_, 0.0);
            return sum();
        }
        double sum = 0.0;
        for (int i = 0; i < count_; ++i) sum += weight_[i] * of_zero_[y_[i] == positive];
        return sum;
    }

    double sum() const {
        return settings_.sum_of_losses(settings_.parameter, count_, y_, raw_, weight_);
    }

    const SgdSettings &settings_;
    int count_ = 0;
    double sum_ = 0.0, first_sum_ = 0.0;
    double y_[most], raw_[most], weight_[most];
    double of_zero_[2];  // of the targets of the two sides
};

// What is left of a weight after L1 has taken what is due (Tsuruoka, Tsujii and Ananiadou,
// "Stochastic gradient descent training for L1-regularized log-linear models", ACL 2009).
inline double truncated(double w, double due, double &received) {
    double left = w;
    if (w > 0.0)
        left = std::max(0.0, w - (due + received));
    else if (w < 0.0)
        left = std::min(0.0, w + (due - received));
    received += left - w;
    return left;
}

inline double target_of(const SgdSettings &settings, Index outputs, Index output, double target) {
    if (outputs == 1) return target;
    return target == double(output) ? settings.positive : settings.negative;
}

constexpr Index rates_at_once = 256;

// Calls step(position, rate) for each visit.
template <class T, class Step>
inline void for_each_step(const Visits &visits, const SgdSettings &settings,
                          SgdWeights<T> &weights, Step step) {
    double rates[rates_at_once];
    for (Index first = 0; first < visits.rows; first += rates_at_once) {
        const Index count = std::min(rates_at_once, visits.rows - first);
        learning_rates(settings.schedule, weights.steps, count, rates);
        for (Index r = 0; r < count; ++r) {
            step(first + r, rates[r]);
            weights.steps += 1.0;
        }
    }
}

// Minus rate times the derivative of the loss by each output's raw prediction, of which
// product(output) is the part of the weights.
template <class T, class Product>
inline void find_moves(Index row, double rate, const Visits &visits, const SgdSettings &settings,
                       SgdWeights<T> &weights, LossSum &losses, double *moves, Product product) {
    const double weight = visits.weight_of(row);
    weights.weight += weight;
    for (Index k = 0; k < weights.outputs; ++k) {
        const double y = target_of(settings, weights.outputs, k, visits.target[row]);
        const double raw = product(k) + weights.intercept[k];
        losses.add(y, raw, weight);
        moves[k] = -rate * weight * settings.slope(settings.parameter, y, raw);
    }
}

inline double shrinkage(const SgdSettings &settings, double rate) {
    return std::max(0.0, 1.0 - rate * settings.l2);
}

template <class T>
bool averages(const SgdSettings &settings, const SgdWeights<T> &weights) {
    return weights.total && weights.steps + 1.0 >= settings.average_from;
}

// Intercepts after a step.
template <class T>
void move_intercepts(const SgdSettings &settings, SgdWeights<T> &weights,
                     const double *moves) {
    for (Index k = 0; k < weights.outputs; ++k) {
        weights.intercept[k] += settings.intercept_factor * moves[k];
        if (averages(settings, weights)) weights.intercept_total[k] += weights.intercept[k];
    }
}

// Truncates weights after each step.
template <class T>
void descend_one_by_one(const DenseRows<T> &x, const Visits &visits, const SgdSettings &settings,
                        SgdWeights<T> &weights) {
    const Index columns = weights.columns;
    LossSum losses(settings);
    std::vector<double> moves(weights.outputs);
    for_each_step(visits, settings, weights, [&](Index position, double rate) {
        const Index row = visits.row(position);
        find_moves(row, rate, visits, settings, weights, losses, moves.data(),
                   [&](Index k) { return x.dot(row, weights.of(k)); });
        visits.prefetch(x, position);
        weights.due += rate * settings.l1;
        for (Index k = 0; k < weights.outputs; ++k) {
            T *w = weights.of(k);
            shrink_and_add(w, T(shrinkage(settings, rate)), x.row(row), T(moves[k]), columns);
            for (Index j = 0; j < columns; ++j)
                w[j] = T(truncated(w[j], weights.due, weights.received[k * columns + j]));
            if (averages(settings, weights))
                for (Index j = 0; j < columns; ++j) weights.total[k * columns + j] += w[j];
        }
        move_intercepts(settings, weights, moves.data());
    });
    losses.add_to(weights);
}

constexpr double least_scale = 1e-6;

// Shrinks all weights by shrinking their scale, which moves into the weights before it is too small
// to divide by. Sums over steps are brought up to date before.
template <class T>
void shrink(SgdWeights<T> &weights, double factor) {
    const double scale = weights.scale * factor;
    weights.scale = scale;
    if (scale >= least_scale) return;
    for (Index i = 0; i < weights.outputs * weights.columns; ++i) {
        if (weights.total) weights.total[i] += weights.scale_total * weights.coef[i];
        weights.coef[i] *= T(scale);
    }
    weights.scale_total = 0.0;
    weights.scale = 1.0;
}

// With weights s v that change as v <- v + c x, the sum of all until now is
// A v + total, where A is the sum of the scales, and each change takes A c x from the total: one
// sparse sum instead of many dense ones.
template <class T, class Column>
void descend(const SparseRows<T, Column> &x, const Visits &visits, const SgdSettings &settings,
             SgdWeights<T> &weights) {
    const Index columns = weights.columns;
    LossSum losses(settings);
    std::vector<double> moves(weights.outputs);
    for_each_step(visits, settings, weights, [&](Index position, double rate) {
        const Index row = visits.row(position);
        find_moves(row, rate, visits, settings, weights, losses, moves.data(),
                   [&](Index k) { return weights.scale * x.dot(row, weights.of(k)); });
        // While the update waits for its move.
        visits.prefetch(x, position);
        shrink(weights, shrinkage(settings, rate));
        weights.due += rate * settings.l1;
        // Found while the moves are: these wait for a product instead of a division.
        const double inverse = 1.0 / weights.scale;
        for (Index k = 0; k < weights.outputs; ++k) {
            T *w = weights.of(k);
            const double c = moves[k] * inverse;
            if (!weights.received && !weights.total) {
                x.add_to(w, row, c);
                continue;
            }
            x.for_each(row, [&](Column j, T value) {
                const T before = w[j];
                w[j] += value * T(c);
                if (weights.received)
                    w[j] = T(truncated(weights.scale * w[j], weights.due,
                                       weights.received[k * columns + j]) /
                             weights.scale);
                if (weights.total)
                    weights.total[k * columns + j] -= weights.scale_total * (double(w[j]) - before);
            });
        }
        if (averages(settings, weights)) weights.scale_total += weights.scale;
        move_intercepts(settings, weights, moves.data());
    });
    losses.add_to(weights);
}

}  // namespace shoal
