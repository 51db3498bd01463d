// Losses of raw predictions, with first and second derivatives, in scikit-learn's names and factors.
//
// Rows come in groups: arrays of (outputs, rows), the rows filled up to whole vectors.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

#include "vector_math.hpp"

namespace shoal {

struct LossTerms {
    Doubles value, gradient, hessian;
};

inline Doubles where(Integers condition, double yes, double no) {
    return condition ? broadcast(yes) : broadcast(no);
}

// Saturates, as exp does: what grows without bound stays finite.
inline Doubles saturated(Doubles x) {
    constexpr double largest = std::numeric_limits<double>::max();
    return clamp(x, -largest, largest);
}

struct HalfSquaredError {
    explicit HalfSquaredError(double) {}
    LossTerms operator()(Doubles y, Doubles raw) const {
        const Doubles error = raw - y;
        return {0.5 * error * error, error, broadcast(1.0)};
    }
};

struct Huber {
    double epsilon;
    LossTerms operator()(Doubles y, Doubles raw) const {
        const Doubles error = raw - y, distance = abs(error);
        const Integers near = distance <= epsilon;
        return {near ? 0.5 * error * error : epsilon * (distance - 0.5 * epsilon),
                clamp(error, -epsilon, epsilon), where(near, 1.0, 0.0)};
    }
};

struct EpsilonInsensitive {
    double epsilon;
    LossTerms operator()(Doubles y, Doubles raw) const {
        const Doubles error = raw - y;
        return {max(abs(error) - epsilon, Doubles{}),
                where(error > epsilon, 1.0, 0.0) - where(error < -epsilon, 1.0, 0.0), Doubles{}};
    }
};

struct SquaredEpsilonInsensitive {
    double epsilon;
    LossTerms operator()(Doubles y, Doubles raw) const {
        const Doubles error = raw - y, excess = max(abs(error) - epsilon, Doubles{});
        return {excess * excess, 2.0 * (error > 0.0 ? excess : -excess),
                where(excess > 0.0, 2.0, 0.0)};
    }
};

struct Quantile {
    double quantile;
    LossTerms operator()(Doubles y, Doubles raw) const {
        const Doubles slope = where(y >= raw, -quantile, 1.0 - quantile);
        return {slope * (raw - y), slope, Doubles{}};
    }
};

struct HalfPoisson {
    explicit HalfPoisson(double) {}
    LossTerms operator()(Doubles y, Doubles raw) const {
        const Doubles mean = exp(raw);
        return {saturated(mean - y * raw), saturated(mean - y), mean};
    }
};

struct HalfGamma {
    explicit HalfGamma(double) {}
    LossTerms operator()(Doubles y, Doubles raw) const {
        const Doubles ratio = saturated(y * exp(-raw));
        return {saturated(raw + ratio), 1.0 - ratio, ratio};
    }
};

// The half deviance of power p outside {0, 1, 2}, with logarithmic link.
struct HalfTweedie {
    double power;
    LossTerms operator()(Doubles y, Doubles raw) const {
        const double one = 1.0 - power, two = 2.0 - power;
        const Doubles mean = exp(two * raw), tilt = y * exp(one * raw);
        return {saturated(mean / two - tilt / one), saturated(mean - tilt),
                saturated(two * mean - one * tilt)};
    }
};

// The half deviance of power 0, with logarithmic link: half the squared error of e^raw.
struct HalfSquaredErrorOfExp {
    explicit HalfSquaredErrorOfExp(double) {}
    LossTerms operator()(Doubles y, Doubles raw) const {
        const Doubles mean = exp(raw), error = mean - y;
        return {saturated(0.5 * error * error), saturated(error * mean),
                saturated((mean + error) * mean)};
    }
};

// log(1 + e^raw) - y raw for y in [0, 1]. Gradients keep their digits where they are small.
struct HalfBinomial {
    explicit HalfBinomial(double) {}
    LossTerms operator()(Doubles y, Doubles raw) const {
        const Doubles tail = exp(-abs(raw)), inverse = 1.0 / (1.0 + tail);
        const Doubles gradient =
            raw > 0.0 ? (1.0 - y) - y * tail : (1.0 - y) * tail - y;
        return {(max(raw, Doubles{}) - y * raw) + log1p(tail), gradient * inverse,
                tail * inverse * inverse};
    }
};

struct Hinge {
    explicit Hinge(double) {}
    LossTerms operator()(Doubles y, Doubles raw) const {
        const Doubles margin = y * raw;
        return {max(1.0 - margin, Doubles{}), margin <= 1.0 ? -y : Doubles{}, Doubles{}};
    }
};

struct SquaredHinge {
    explicit SquaredHinge(double) {}
    LossTerms operator()(Doubles y, Doubles raw) const {
        const Doubles short_by = max(1.0 - y * raw, Doubles{});
        return {short_by * short_by, -2.0 * y * short_by, where(short_by > 0.0, 2.0, 0.0)};
    }
};

struct ModifiedHuber {
    explicit ModifiedHuber(double) {}
    LossTerms operator()(Doubles y, Doubles raw) const {
        const Doubles margin = y * raw, short_by = max(1.0 - margin, Doubles{});
        const Integers far = margin < -1.0;
        return {far ? -4.0 * margin : short_by * short_by, far ? -4.0 * y : -2.0 * y * short_by,
                where((short_by > 0.0) & ~far, 2.0, 0.0)};
    }
};

struct Perceptron {
    explicit Perceptron(double) {}
    LossTerms operator()(Doubles y, Doubles raw) const {
        const Doubles margin = y * raw;
        return {max(-margin, Doubles{}), margin <= 0.0 ? -y : Doubles{}, Doubles{}};
    }
};

// Arrays of (outputs, stride), of whose rows the first `rows`, whole vectors, are used. Targets:
// (outputs, stride), or one row for all outputs; hessian: null where it is not wanted.
struct LossGroup {
    int64_t rows, stride, outputs, targets;
    const double *target, *raw;
    double *value, *gradient, *hessian;
};

inline void store(double *to, Doubles values) { std::memcpy(to, &values, sizeof values); }

// Each output by itself.
template <class Loss>
void independent_terms(double parameter, const LossGroup &group) {
    const Loss loss{parameter};
    for (int64_t k = 0; k < group.outputs; ++k) {
        const double *target = group.target + (group.targets == 1 ? 0 : k * group.stride);
        for (int64_t i = 0, at = k * group.stride; i < group.rows; i += lanes, at += lanes) {
            const LossTerms terms = loss(load<Doubles>(target + i), load<Doubles>(group.raw + at));
            store(group.value + at, terms.value);
            store(group.gradient + at, terms.gradient);
            if (group.hessian) store(group.hessian + at, terms.hessian);
        }
    }
}

// log sum_k e^raw_k - raw_y, where y is the number of a class. Gradients pass through the arrays of
// gradients as exponentials; the value is that of the first output, and 0 for all others.
inline void multinomial_terms(double, const LossGroup &group) {
    for (int64_t i = 0; i < group.rows; i += lanes) {
        const Doubles y = load<Doubles>(group.target + i);
        const auto raw = [&](int64_t k) { return load<Doubles>(group.raw + k * group.stride + i); };
        Doubles largest = raw(0), sum{}, chosen{};
        for (int64_t k = 1; k < group.outputs; ++k) largest = max(largest, raw(k));
        for (int64_t k = 0; k < group.outputs; ++k) {
            const Doubles e = exp(raw(k) - largest);
            store(group.gradient + k * group.stride + i, e);
            sum += e;
            chosen = y == double(k) ? raw(k) : chosen;
        }
        const Doubles inverse = 1.0 / sum;
        for (int64_t k = 0; k < group.outputs; ++k) {
            const int64_t at = k * group.stride + i;
            const Doubles p = load<Doubles>(group.gradient + at) * inverse;
            store(group.gradient + at, p - where(y == double(k), 1.0, 0.0));
            store(group.value + at, k ? Doubles{} : (largest - chosen) + log(sum));
            if (group.hessian) store(group.hessian + at, p * (1.0 - p));
        }
    }
}

using TermsFunction = void (*)(double parameter, const LossGroup &group);

struct NamedLoss {
    std::string_view name;
    TermsFunction terms;
};

constexpr NamedLoss named_losses[] = {
    {"half_squared_error", independent_terms<HalfSquaredError>},
    {"huber", independent_terms<Huber>},
    {"epsilon_insensitive", independent_terms<EpsilonInsensitive>},
    {"squared_epsilon_insensitive", independent_terms<SquaredEpsilonInsensitive>},
    {"quantile", independent_terms<Quantile>},
    {"half_poisson", independent_terms<HalfPoisson>},
    {"half_gamma", independent_terms<HalfGamma>},
    {"half_tweedie", independent_terms<HalfTweedie>},
    {"half_squared_error_of_exp", independent_terms<HalfSquaredErrorOfExp>},
    {"half_binomial", independent_terms<HalfBinomial>},
    {"half_multinomial", multinomial_terms},
    {"hinge", independent_terms<Hinge>},
    {"squared_hinge", independent_terms<SquaredHinge>},
    {"modified_huber", independent_terms<ModifiedHuber>},
    {"perceptron", independent_terms<Perceptron>},
};

// Null where there is no loss of this name.
constexpr TermsFunction find_loss(std::string_view name) {
    for (const NamedLoss &loss : named_losses)
        if (loss.name == name) return loss.terms;
    return nullptr;
}

// Terms of n rows of raw predictions, row-major (n, outputs); the value is that of the first output.
inline void loss_terms(TermsFunction terms, double parameter, const double *target,
                       const double *raw, int64_t n, int64_t outputs, double *value,
                       double *gradient, double *hessian) {
    constexpr int64_t most = 256;
    std::vector<double> targets(most), raws(outputs * most), values(outputs * most),
        gradients(outputs * most), hessians(outputs * most);
    for (int64_t first = 0; first < n; first += most) {
        const int64_t rows = std::min(most, n - first);
        std::copy_n(target + first, rows, targets.data());
        for (int64_t r = 0; r < rows; ++r)
            for (int64_t k = 0; k < outputs; ++k)
                raws[k * most + r] = raw[(first + r) * outputs + k];
        terms(parameter, {most, most, outputs, 1, targets.data(), raws.data(), values.data(),
                          gradients.data(), hessians.data()});
        std::copy_n(values.data(), rows, value + first);
        for (int64_t r = 0; r < rows; ++r)
            for (int64_t k = 0; k < outputs; ++k) {
                gradient[(first + r) * outputs + k] = gradients[k * most + r];
                hessian[(first + r) * outputs + k] = hessians[k * most + r];
            }
    }
}

}  // namespace shoal
