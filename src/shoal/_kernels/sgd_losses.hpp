// What stochastic gradient descent asks of a loss: its slope at one row, and the sum over many.
#pragma once

#include <algorithm>
#include <string_view>

#include "logistic_table.hpp"
#include "losses.hpp"

namespace shoal {

// Finite where the loss is finite, as in scikit-learn.
constexpr double steepest = 1e12;

template <class Loss>
inline double slope(double parameter, double y, double raw) {
    // In the first lane: to spread a number over all of them takes time that the next step waits.
    const Doubles found = Loss{parameter}(Doubles{y}, Doubles{raw}).gradient;
    return clamp(found, -steepest, steepest)[0];
}

// As far as steps can tell: they wait for the one before, and this takes a quarter as long as the
// loss.
template <> inline double slope<HalfBinomial>(double, double y, double raw) {
    return logistic_table(raw) - y;
}

// What visit.operator()<Loss>() returns for the loss of this name; null where there is none, or one
// whose outputs depend on each other.
template <class Visit> constexpr auto with_loss(std::string_view name, Visit visit) {
    decltype(visit.template operator()<Hinge>()) found{};
    const auto match = [&]<class Loss>(std::string_view of_loss) {
        if (name == of_loss) found = visit.template operator()<Loss>();
    };
    match.template operator()<HalfSquaredError>("half_squared_error");
    match.template operator()<Huber>("huber");
    match.template operator()<EpsilonInsensitive>("epsilon_insensitive");
    match.template operator()<SquaredEpsilonInsensitive>("squared_epsilon_insensitive");
    match.template operator()<Quantile>("quantile");
    match.template operator()<HalfPoisson>("half_poisson");
    match.template operator()<HalfGamma>("half_gamma");
    match.template operator()<HalfBinomial>("half_binomial");
    match.template operator()<Hinge>("hinge");
    match.template operator()<SquaredHinge>("squared_hinge");
    match.template operator()<ModifiedHuber>("modified_huber");
    match.template operator()<Perceptron>("perceptron");
    return found;
}

using Slope = double (*)(double parameter, double y, double raw);

constexpr Slope find_slope(std::string_view name) {
    return with_loss(name, []<class Loss>() -> Slope { return slope<Loss>; });
}

// The weighted sum of the losses of n rows, in their order: its additions wait for each other beside
// the next rows' losses.
template <class Loss>
double sum_of_losses(double parameter, int n, const double *y, const double *raw,
                     const double *weight) {
    const Loss loss{parameter};
    double sum = 0.0;
    for (int first = 0; first < n; first += lanes) {
        const Doubles value =
            loss(load_as<Doubles>(y + first), load_as<Doubles>(raw + first)).value;
        const int count = std::min<int>(lanes, n - first);
        for (int l = 0; l < count; ++l) sum += weight[first + l] * value[l];
    }
    return sum;
}

using SumOfLosses = double (*)(double parameter, int n, const double *y, const double *raw,
                               const double *weight);

constexpr SumOfLosses find_sum_of_losses(std::string_view name) {
    return with_loss(name, []<class Loss>() -> SumOfLosses { return sum_of_losses<Loss>; });
}

}  // namespace shoal
