// The logistic function of one number after the other, where each waits for the one before: Taylor
// series about the nearest of many points take half as long as an exponential and a division.
#pragma once

#include <array>
#include <bit>

#include "vector_math.hpp"

namespace shoal {

// e^x for |x| <= 700, as `exp` of vectors has it.
constexpr double exp_at_compile_time(double x) {
    const int k = int(x * 0x1.71547652b82fep+0);
    const double r = (x - k * ln2_high) - k * ln2_low;
    double series = 1.0;
    for (int n = 20; n > 0; --n) series = 1.0 + series * r / n;
    return series * std::bit_cast<double>(std::uint64_t(k + 1023) << 52);
}

class LogisticTable {
  public:
    // Coefficients of s(x) = 1 / (1 + e^-x) about each multiple of 1 / 16. As s' = s - s s, those of
    // r^(n + 1) follow from all before. Terms left out, |c_8| / 32^8, are below 2^-53.
    constexpr LogisticTable() {
        for (int point = 0; point < points; ++point) {
            auto &c = coefficients_[point];
            const double x = double(point) / points_a_unit - farthest;
            const double tail = exp_at_compile_time(x < 0.0 ? x : -x), small = tail / (1.0 + tail);
            c[0] = x < 0.0 ? small : 1.0 - small;
            for (int n = 0; n + 1 < terms; ++n) {
                double rest = c[n];
                for (int i = 0; i <= n; ++i) rest -= c[i] * c[n - i];
                c[n + 1] = rest / (n + 1);
            }
        }
    }

    // Within 3e-16. Beyond 40 it is 0 or 1 to that.
    double operator()(double x) const {
        // Numbers near this one are multiples of 1 / 16: adding it rounds.
        constexpr double rounder = 0x1.8p+48;
        constexpr auto first = std::bit_cast<std::uint64_t>(rounder - farthest);
        x = clamp(Doubles{x}, -farthest, farthest)[0];
        const double rounded = x + rounder, r = x - (rounded - rounder);
        const auto &c = coefficients_[std::bit_cast<std::uint64_t>(rounded) - first];
        const double square = r * r, low = std::fma(c[1], r, c[0]), high = std::fma(c[5], r, c[4]);
        return std::fma(std::fma(std::fma(c[7], r, c[6]), square, high), square * square,
                        std::fma(std::fma(c[3], r, c[2]), square, low));
    }

  private:
    static constexpr double farthest = 40.0;
    static constexpr int points_a_unit = 16, points = 2 * 40 * points_a_unit + 1, terms = 8;
    // Those of a point fill one line of the cache.
    alignas(64) std::array<std::array<double, terms>, points> coefficients_{};
};

inline constexpr LogisticTable logistic_table;

}  // namespace shoal
