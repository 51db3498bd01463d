// Stochastic gradient descent on linear models by mini-batches, with momentum or rates of their own
// for each weight.
#pragma once

#include "sgd.hpp"

namespace shoal {

enum class Optimizer : int { sgd, momentum, nesterov, adagrad, adam };

struct BatchSettings {
    Index rows;  // of a mini-batch; the last one of a window may have fewer
    Optimizer optimizer;
    double momentum, beta_1, beta_2, epsilon;
};

// What optimizers remember of earlier steps, (outputs, columns + 1), intercepts last; null where
// they do not.
struct Moments {
    double *first, *second;
};

// A rule's step at one weight: where it goes, and the rate it went by.
struct Stepped {
    double w, rate;
};

// How weights follow the gradient of a mini-batch; what depends on the step alone is found once.
template <Optimizer kind> struct Rule {
    const BatchSettings &settings;
    double rate, l2, shrink, unbiased = 1.0;

    Rule(const BatchSettings &batch, const SgdSettings &sgd, double rate, double step)
        : settings(batch), rate(rate), l2(sgd.l2), shrink(shrinkage(sgd, rate)) {
        // Averages that began at 0 are too small by 1 - beta^step.
        const auto power = [&](double beta) { return exp(step * log(broadcast(beta)))[0]; };
        if (kind == Optimizer::adam)
            unbiased = std::sqrt(1.0 - power(settings.beta_2)) / (1.0 - power(settings.beta_1));
    }

    Stepped operator()(double w, double gradient, bool is_penalised, double *first,
                       double *second) const {
        if constexpr (kind == Optimizer::sgd)
            return {(is_penalised ? w * shrink : w) - rate * gradient, rate};
        if (is_penalised) gradient += l2 * w;
        if constexpr (kind == Optimizer::momentum || kind == Optimizer::nesterov) {
            *first = settings.momentum * *first - rate * gradient;
            return {w + (kind == Optimizer::momentum
                             ? *first
                             : settings.momentum * *first - rate * gradient),
                    rate};
        }
        if constexpr (kind == Optimizer::adagrad) {
            *second += gradient * gradient;
            const double own = rate / (std::sqrt(*second) + settings.epsilon);
            return {w - own * gradient, own};
        }
        *first = settings.beta_1 * *first + (1.0 - settings.beta_1) * gradient;
        *second = settings.beta_2 * *second + (1.0 - settings.beta_2) * gradient * gradient;
        const double own = rate * unbiased / (std::sqrt(*second) + settings.epsilon);
        return {w - own * *first, own};
    }
};

inline double soft_threshold(double w, double threshold) {
    return w > 0.0 ? std::max(0.0, w - threshold) : std::min(0.0, w + threshold);
}

// The gradient of the loss over a mini-batch.
template <class T> struct BatchGradient {
    std::vector<T> coef;
    std::vector<double> intercept;

    BatchGradient(Index outputs, Index columns) : coef(outputs * columns), intercept(outputs) {}
    void clear() {
        std::fill(coef.begin(), coef.end(), T(0));
        std::fill(intercept.begin(), intercept.end(), 0.0);
    }
};

template <Optimizer kind, class T>
void follow(const BatchGradient<T> &gradient, const Rule<kind> &rule, const SgdSettings &settings,
            SgdWeights<T> &weights, const Moments &moments) {
    const auto remembered = [](double *moment, Index at) { return moment ? moment + at : nullptr; };
    for (Index k = 0; k < weights.outputs; ++k) {
        const Index row = k * (weights.columns + 1);
        for (Index j = 0; j < weights.columns; ++j) {
            T &w = weights.of(k)[j];
            const auto [moved, rate] =
                rule(w, gradient.coef[k * weights.columns + j], true,
                     remembered(moments.first, row + j), remembered(moments.second, row + j));
            w = T(settings.l1 ? soft_threshold(moved, rate * settings.l1) : moved);
            if (averages(settings, weights)) weights.total[k * weights.columns + j] += w;
        }
        const Index last = row + weights.columns;
        weights.intercept[k] = rule(weights.intercept[k],
                                    settings.intercept_factor * gradient.intercept[k], false,
                                    remembered(moments.first, last),
                                    remembered(moments.second, last))
                                   .w;
        if (averages(settings, weights)) weights.intercept_total[k] += weights.intercept[k];
    }
}

template <Optimizer kind, class Rows, class T>
void descend_in_batches(const Rows &x, const Visits &visits, const SgdSettings &settings,
                        const BatchSettings &batch, SgdWeights<T> &weights,
                        const Moments &moments) {
    LossSum losses(settings);
    std::vector<double> moves(weights.outputs);
    BatchGradient<T> gradient(weights.outputs, weights.columns);
    for (Index first = 0; first < visits.rows; first += batch.rows) {
        const Index count = std::min(batch.rows, visits.rows - first);
        gradient.clear();
        for (Index r = 0; r < count; ++r) {
            visits.prefetch(x, first + r);
            const Index row = visits.row(first + r);
            find_moves(row, -1.0 / double(count), visits, settings, weights, losses, moves.data(),
                       [&](Index k) { return x.dot(row, weights.of(k)); });
            for (Index k = 0; k < weights.outputs; ++k) {
                x.add_to(gradient.coef.data() + k * weights.columns, row, moves[k]);
                gradient.intercept[k] += moves[k];
            }
        }
        double rates[lanes];
        learning_rates(settings.schedule, weights.steps, 1, rates);
        const Rule<kind> rule(batch, settings, rates[0], weights.steps + 1.0);
        follow(gradient, rule, settings, weights, moments);
        weights.steps += 1.0;
    }
    losses.add_to(weights);
}

template <class Rows, class T>
void descend_in_batches(const Rows &x, const Visits &visits, const SgdSettings &settings,
                        const BatchSettings &batch, SgdWeights<T> &weights,
                        const Moments &moments) {
    const auto run = [&]<Optimizer kind>() {
        descend_in_batches<kind>(x, visits, settings, batch, weights, moments);
    };
    switch (batch.optimizer) {
        case Optimizer::sgd: return run.template operator()<Optimizer::sgd>();
        case Optimizer::momentum: return run.template operator()<Optimizer::momentum>();
        case Optimizer::nesterov: return run.template operator()<Optimizer::nesterov>();
        case Optimizer::adagrad: return run.template operator()<Optimizer::adagrad>();
        case Optimizer::adam: return run.template operator()<Optimizer::adam>();
    }
}

}  // namespace shoal
