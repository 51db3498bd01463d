// The order in which the rows of a window are visited.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

#include "philox.hpp"

namespace shoal {

// Words of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): a few instructions each.
class Words64 {
  public:
    explicit Words64(std::uint64_t state) : state_(state) {}

    // Uniform in 0 .. bound - 1, but for a bias below bound / 2^32.
    std::int32_t below(std::int64_t bound) {
        std::uint64_t word = state_ += 0x9E3779B97F4A7C15u;
        word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9u;
        word = (word ^ (word >> 27)) * 0x94D049BB133111EBu;
        word ^= word >> 31;
        return std::int32_t(((word >> 32) * std::uint64_t(bound)) >> 32);
    }

  private:
    std::uint64_t state_;
};

// Fisher and Yates' shuffle.
inline void shuffle(Words64 &words, std::int32_t *values, std::int64_t n) {
    for (std::int64_t left = n; left > 1; --left)
        std::swap(values[left - 1], values[words.below(left)]);
}

// A random order of the n rows from `begin` on, a function of (seed, purpose, first_row) alone. Runs
// of neighbouring rows are put into random order, which `arrivals` keeps, then the rows within each
// group of so many rows: any row may come anywhere, while the rows of a group are few pages, which
// fit the processor's caches.
inline void shuffled_rows(std::uint64_t seed, std::uint64_t purpose, std::uint64_t first_row,
                          std::int64_t run_rows, std::int64_t group_rows, std::int64_t begin,
                          std::int32_t *order, std::int32_t *arrivals, std::int64_t n) {
    Words64 words(philox(seed, purpose, first_row));
    std::vector<std::int32_t> runs((n + run_rows - 1) / run_rows);
    std::iota(runs.begin(), runs.end(), 0);
    shuffle(words, runs.data(), std::int64_t(runs.size()));
    std::int32_t *to = order;
    for (const std::int32_t run : runs) {
        const std::int64_t first = run * run_rows, count = std::min(run_rows, n - first);
        std::iota(to, to + count, std::int32_t(begin + first));
        to += count;
    }
    std::copy_n(order, n, arrivals);
    for (std::int64_t first = 0; first < n; first += group_rows)
        shuffle(words, order + first, std::min(group_rows, n - first));
}

}  // namespace shoal
