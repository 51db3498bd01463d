// Stochastic gradient descent on dense rows, whose steps are taken a few at a time.
//
// With w' = s w + c x, the next row's raw prediction is x' w' = s (x' w) + c (x' x): of a few rows,
// products with the weights before all of them, and with each other, are enough to find all their
// moves c. What waits for the step before is then a few numbers instead of a product and a sum of
// vectors, and the weights move once for all these rows.
#pragma once

#include "sgd.hpp"

namespace shoal {

// Neighbouring columns in vectors of the same size in every build: a dot product has a sum for each
// of their lanes, so its bits depend on no instruction set.
template <class T> struct LanesOf {
    typedef T Lanes __attribute__((vector_size(32)));
};
template <class T> using Lanes = typename LanesOf<T>::Lanes;
template <class T> constexpr Index lanes_of = 32 / sizeof(T);

constexpr int steps_at_once = 4;
static_assert(steps_at_once <= LossSum::few);
template <class T> using FourLanes = std::array<Lanes<T>, steps_at_once>;
// Of each pair of them.
template <class T>
using PairLanes = std::array<Lanes<T>, steps_at_once * (steps_at_once - 1) / 2>;

// The sums over the lanes of four vectors, each (l, l + 4), then + 2, then + 1.
[[gnu::always_inline]] inline void fold(FourLanes<float> s, double *to) {
    const auto half = [](Lanes<float> v) SHOAL_INLINE {
        return __builtin_shufflevector(v, v, 0, 1, 2, 3) +
               __builtin_shufflevector(v, v, 4, 5, 6, 7);
    };
    const auto quarter = [](Quad<float> a, Quad<float> b) SHOAL_INLINE {
        return __builtin_shufflevector(a, b, 0, 4, 1, 5) +
               __builtin_shufflevector(a, b, 2, 6, 3, 7);
    };
    const Quad<float> ab = quarter(half(s[0]), half(s[1])), cd = quarter(half(s[2]), half(s[3]));
    const Quad<float> found = __builtin_shufflevector(ab, cd, 0, 1, 4, 5) +
                              __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
    for (int r = 0; r < steps_at_once; ++r) to[r] = found[r];
}

[[gnu::always_inline]] inline void fold(FourLanes<double> s, double *to) {
    unroll<steps_at_once>([&](auto r) SHOAL_INLINE {
        to[r] = (s[r][0] + s[r][2]) + (s[r][1] + s[r][3]);
    });
}

// What is known of a row before the steps of its group. What is read together lies in rows of its
// own: a load of numbers that several stores have left would wait until all of them are done.
struct StepTerms {
    double target, weight;
    // Minus rate times weight; what is left of the weights after the step, and before it of those
    // before the group.
    double pace, shrink, left;
    // How its raw prediction follows the slopes of the loss at the rows before.
    double effect[steps_at_once];
};

// Rows whose steps are taken together.
template <class T> class RowGroup {
  public:
    StepTerms terms[steps_at_once];

    explicit RowGroup(Index columns) : columns_(columns), whole_(columns - columns % lanes_of<T>) {}

    // The r-th row. Columns that fill no vector are copied, and filled up with zeros.
    void take(int r, const T *row) {
        rows_[r] = row;
        for (Index j = whole_; j < columns_; ++j) rests_[r][j - whole_] = row[j];
    }

    // Adds a quarter of the columns to the products of the rows with each other.
    [[gnu::always_inline]] void add_products(int quarter, PairLanes<T> &sums) const {
        constexpr Index step = lanes_of<T>;
        const Index vectors = whole_ / step, end = vectors * (quarter + 1) / 4 * step;
        for (Index j = vectors * quarter / 4 * step; j < end; j += step)
            add_products(rows_, j, sums);
        if (quarter == 3 && whole_ < columns_) add_products(rests_, 0, sums);
    }

    // How raw predictions follow earlier ones, from what `add_products` has found.
    [[gnu::always_inline]] void find_effects(const PairLanes<T> &sums, double intercept_factor) {
        double products[2 * steps_at_once];
        fold(FourLanes<T>{sums[0], sums[1], sums[2], sums[3]}, products);
        fold(FourLanes<T>{sums[4], sums[5]}, products + steps_at_once);
        unroll<steps_at_once>([&](auto r) SHOAL_INLINE {
            double left = 1.0;
            unroll<r>([&](auto later) SHOAL_INLINE {
                constexpr int i = r - 1 - later;
                terms[r].effect[i] =
                    terms[i].pace * (left * products[pair(i, r)] + intercept_factor);
                left *= terms[i].shrink;
            });
            terms[r].left = left;
        });
    }

    // w <- w + sum over rows of c x; then products of the next rows with w.
    void move(T *w, const T *c, const RowGroup &next, double *products) const {
        FourLanes<T> factor, sums{};
        unroll<steps_at_once>([&](auto r) SHOAL_INLINE { factor[r] = c[r] - Lanes<T>{}; });
        for_each_vector(*this, next, [&](Index j, const auto &x, const auto &y) SHOAL_INLINE {
            const Lanes<T> moved = load_vector<Lanes<T>>(w + j) +
                                   ((x(0) * factor[0] + x(1) * factor[1]) +
                                    (x(2) * factor[2] + x(3) * factor[3]));
            store_vector(w + j, moved);
            unroll<steps_at_once>([&](auto r) SHOAL_INLINE { sums[r] += y(r) * moved; });
        });
        fold(sums, products);
    }

    // total <- total + a w + sum over rows of c x.
    void add_to(double *total, double a, const T *w, const double *c) const {
        for (Index j = 0; j < columns_; ++j) {
            double sum = a * w[j];
            for (int r = 0; r < steps_at_once; ++r) sum += c[r] * rows_[r][j];
            total[j] += sum;
        }
    }

  private:
    // Calls visit(j, x, y), where x(r) and y(r) are the values of column j and on of the r-th row of
    // each group.
    template <class Visit>
    [[gnu::always_inline]] static void for_each_vector(const RowGroup &a, const RowGroup &b,
                                                       Visit visit) {
        const auto x = a.rows_, y = b.rows_;
        const auto of = [](const auto &rows, Index j) SHOAL_INLINE {
            return [&rows, j](int r) SHOAL_INLINE { return load_vector<Lanes<T>>(rows[r] + j); };
        };
        const Index whole = a.whole_;
#pragma GCC unroll 2
        for (Index j = 0; j < whole; j += lanes_of<T>) visit(j, of(x, j), of(y, j));
        if (whole < a.columns_) visit(whole, of(a.rests_, 0), of(b.rests_, 0));
    }

    // Where the product of rows i < r is.
    static constexpr int pair(int i, int r) { return r * (r - 1) / 2 + i; }

    template <class Rows>
    [[gnu::always_inline]] static void add_products(const Rows &rows, Index j,
                                                    PairLanes<T> &sums) {
        Lanes<T> x[steps_at_once];
        unroll<steps_at_once>([&](auto r) SHOAL_INLINE {
            x[r] = load_vector<Lanes<T>>(rows[r] + j);
            unroll<r>([&](auto i) SHOAL_INLINE { sums[pair(i, r)] += x[i] * x[r]; });
        });
    }

    Index columns_, whole_;
    std::array<const T *, steps_at_once> rows_;
    T rests_[steps_at_once][lanes_of<T>]{};
};

// Of one output: products of a group's rows with coef; what is added of each row, in all and to
// what coef holds; the intercept after that step.
template <class T> struct Moves {
    double product[steps_at_once], move[steps_at_once], intercept[steps_at_once];
    T coef[steps_at_once];
};

// Steps that do not truncate weights. These are scale * coef, with coef filled up to whole vectors,
// so that shrinking them is one product.
template <class T> class GroupDescent {
  public:
    GroupDescent(const DenseRows<T> &x, const Visits &visits, const SgdSettings &settings,
                 SgdWeights<T> &weights)
        : x_(x), visits_(visits), settings_(settings), weights_(weights), losses_(settings),
          width_((weights.columns + lanes_of<T> - 1) / lanes_of<T> * lanes_of<T>),
          coef_(weights.outputs * width_), moves_(weights.outputs, Moves<T>{}),
          groups_{RowGroup<T>(weights.columns), RowGroup<T>(weights.columns)},
          take_steps_(with_loss(settings.loss, []<class Loss>() {
              return &GroupDescent::template take_steps<Loss>;
          })) {
        for (Index k = 0; k < weights.outputs; ++k)
            std::copy_n(weights.of(k), weights.columns, of(k));
    }

    void run() {
        RowGroup<T> &rows = groups_[0];
        PairLanes<T> sums{};
        prepare(rows, 0);
        for (int quarter = 0; quarter < 4; ++quarter) rows.add_products(quarter, sums);
        rows.find_effects(sums, settings_.intercept_factor);
        for (Index k = 0; k < weights_.outputs; ++k) move(groups_[0], groups_[0], k);
        for (Index first = 0; first < visits_.rows; first += 2 * steps_at_once) {
            visit(groups_[0], groups_[1], first);
            visit(groups_[1], groups_[0], first + steps_at_once);
        }
        for (Index k = 0; k < weights_.outputs; ++k)
            for (Index j = 0; j < weights_.columns; ++j)
                weights_.of(k)[j] = T(scale_ * of(k)[j]);
        weights_.steps += double(visits_.rows);
        losses_.add_to(weights_);
    }

  private:
    T *of(Index output) { return coef_.data() + output * width_; }

    // The group that begins at a position. Where no row is left, the last one comes again at rate 0.
    [[gnu::always_inline]] void prepare(RowGroup<T> &into, Index first) {
        if (first % rates_at_once == 0) find_rates(first);
        unroll<steps_at_once>([&](auto r) SHOAL_INLINE {
            const Index position = first + r;
            const Index row = visits_.row(std::min(position, visits_.rows - 1));
            const std::size_t at = std::size_t(position) % rates_at_once;
            visits_.prefetch(x_, position);
            StepTerms &terms = into.terms[r];
            terms.target = visits_.target[row];
            terms.weight = visits_.weight_of(row);
            terms.pace = -rates_[at] * terms.weight;
            terms.shrink = shrinks_[at];
            into.take(r, x_.row(row));
        });
    }

    [[gnu::noinline]] void find_rates(Index first) {
        learning_rates(settings_.schedule, weights_.steps + double(first), rates_at_once, rates_);
        for (Index r = std::max<Index>(visits_.rows - first, 0); r < rates_at_once; ++r)
            rates_[r] = 0.0;
        for (Index r = 0; r < rates_at_once; ++r) shrinks_[r] = shrinkage(settings_, rates_[r]);
    }

    void visit(const RowGroup<T> &rows, RowGroup<T> &next, Index first) {
        const Index count = std::clamp<Index>(visits_.rows - first, 0, steps_at_once);
        const double shrunk = find_shares(rows);
        for (Index k = 0; k < weights_.outputs; ++k)
            (this->*take_steps_)(rows, next, first, count, k);
        for (Index r = 0; r < count; ++r) weights_.weight += rows.terms[r].weight;
        if (weights_.total) add_to_totals(rows, first, count);
        scale_ = shrunk;
        if (folds(shrunk)) {
            for (T &w : coef_) w *= T(shrunk);
            scale_ = 1.0;
        }
        for (Index k = 0; k < weights_.outputs; ++k) move(rows, next, k);
    }

    void move(const RowGroup<T> &rows, const RowGroup<T> &next, Index k) {
        rows.move(of(k), moves_[k].coef, next, moves_[k].product);
    }

    // Scales that are too small to divide by move into coef.
    static bool folds(double scale) { return scale < least_scale; }

    // What of each row's move coef gets, as later steps shrink what earlier ones have added. Returns
    // the scale after these steps.
    double find_shares(const RowGroup<T> &rows) {
        const StepTerms &last = rows.terms[steps_at_once - 1];
        const double shrunk = scale_ * (last.left * last.shrink);
        double share = folds(shrunk) ? 1.0 : 1.0 / shrunk;
        for (int r = steps_at_once; r-- > 0; share *= rows.terms[r].shrink) share_[r] = share;
        return shrunk;
    }

    // While a step waits for the one before, a row of the next group is looked at.
    template <class Loss>
    void take_steps(const RowGroup<T> &rows, RowGroup<T> &next, Index first, Index count,
                    Index k) {
        PairLanes<T> sums{};
        if (k == 0) prepare(next, first + steps_at_once);
        double raw[steps_at_once], intercept = weights_.intercept[k];
        unroll<steps_at_once>([&](auto i) SHOAL_INLINE {
            raw[i] = moves_[k].product[i] * (scale_ * rows.terms[i].left) + intercept;
        });
        unroll<steps_at_once>([&](auto i) SHOAL_INLINE {
            const StepTerms &terms = rows.terms[i];
            const double y = target_of(settings_, weights_.outputs, k, terms.target);
            const double steep = slope<Loss>(settings_.parameter, y, raw[i]);
            unroll<steps_at_once>([&](auto l) SHOAL_INLINE {
                if constexpr (l > i) raw[l] = fma(steep, rows.terms[l].effect[i], raw[l]);
            });
            const double move = terms.pace * steep;
            intercept += settings_.intercept_factor * move;
            moves_[k].move[i] = move, moves_[k].intercept[i] = intercept;
            moves_[k].coef[i] = T(move * share_[i]);
            losses_.put(i, y, raw[i], terms.weight);
            if (k == 0) next.add_products(i, sums);
        });
        if (k == 0) next.find_effects(sums, settings_.intercept_factor);
        losses_.go_on(count);
        weights_.intercept[k] = intercept;
    }

    // The weights after each step, of those that are averaged.
    void add_to_totals(const RowGroup<T> &rows, Index first, Index count) {
        const auto averages = [&](Index r) {
            return r < count && weights_.steps + double(first + r + 1) >= settings_.average_from;
        };
        double times[steps_at_once], later = 0.0;
        for (Index r = steps_at_once; r-- > 0; later *= rows.terms[r].shrink)
            times[r] = later += double(averages(r));
        for (Index k = 0; k < weights_.outputs; ++k) {
            double c[steps_at_once];
            for (int r = 0; r < steps_at_once; ++r) c[r] = moves_[k].move[r] * times[r];
            rows.add_to(weights_.total + k * weights_.columns, later * scale_, of(k), c);
            for (Index r = 0; r < count; ++r)
                if (averages(r)) weights_.intercept_total[k] += moves_[k].intercept[r];
        }
    }

    const DenseRows<T> &x_;
    const Visits &visits_;
    const SgdSettings &settings_;
    SgdWeights<T> &weights_;
    LossSum losses_;
    Index width_;
    std::vector<T> coef_;
    double scale_ = 1.0;
    std::vector<Moves<T>> moves_;
    double share_[steps_at_once];
    RowGroup<T> groups_[2];
    void (GroupDescent::*take_steps_)(const RowGroup<T> &, RowGroup<T> &, Index, Index, Index);
    double rates_[rates_at_once], shrinks_[rates_at_once];
};

// L1 is not linear in the weights, so there each step needs them as they are.
template <class T>
void descend(const DenseRows<T> &x, const Visits &visits, const SgdSettings &settings,
             SgdWeights<T> &weights) {
    if (!visits.rows) return;
    weights.received ? descend_one_by_one(x, visits, settings, weights)
                     : GroupDescent<T>(x, visits, settings, weights).run();
}

}  // namespace shoal
