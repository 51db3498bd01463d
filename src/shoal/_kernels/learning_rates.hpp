// Learning rates of stochastic gradient descent.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "vector_math.hpp"

namespace shoal {

// Powers step^-power of steps one after the other. Late ones follow from one amid 64 of them by the
// binomial series: with |u| and |power u| up to 1 / 512, terms left out are below 2^-53 of 1.
class InversePowers {
  public:
    InversePowers(double power, double first)
        : power_(power), by_series_(first > 256.0 * run * std::max(1.0, power)) {
        for (int n = 0; n < terms; ++n) ratios_[n] = (power + n) / (n + 1);
    }

    // Of steps `first + i` and on; i in ascending order from 0.
    Doubles operator()(Doubles steps, double first, std::int64_t i) {
        if (!by_series_) return exp(-power_ * log(steps));
        if (i % run == 0) {
            amid_ = first + double(i + run / 2);
            inverse_ = 1.0 / amid_;
            power_amid_ = exp(-power_ * log(broadcast(amid_)));
        }
        const Doubles u = (steps - amid_) * inverse_;
        Doubles series = broadcast(1.0);
        for (int n = terms; n-- > 0;) series = 1.0 - ratios_[n] * u * series;
        return power_amid_ * series;
    }

  private:
    static constexpr int run = 64, terms = 5;
    double power_, amid_ = 0.0, inverse_ = 0.0, ratios_[terms];
    bool by_series_;
    Doubles power_amid_{};
};

enum class Rates : int { constant, optimal, invscaling };

struct Schedule {
    Rates kind;
    double rate, power, offset;
};

// Learning rates of `count` steps after the first `steps`; whole vectors are written.
inline void learning_rates(const Schedule &schedule, double steps, std::int64_t count,
                           double *rates) {
    InversePowers inverse_powers(schedule.power, steps + 1.0);
    for (std::int64_t i = 0; i < count; i += lanes) {
        Doubles step;
        for (int l = 0; l < lanes; ++l) step[l] = steps + double(i + l);
        Doubles rate = broadcast(schedule.rate);
        if (schedule.kind == Rates::optimal)
            rate = 1.0 / (schedule.rate * (schedule.offset + step));
        else if (schedule.kind == Rates::invscaling)
            rate = schedule.rate * inverse_powers(step + 1.0, steps + 1.0, i);
        std::memcpy(rates + i, &rate, sizeof rate);
    }
}

}  // namespace shoal
