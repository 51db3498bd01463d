// Loops whose index is a constant.
#pragma once

#include <type_traits>
#include <utility>

namespace shoal {

#define SHOAL_INLINE __attribute__((always_inline))

// Calls body(0), ..., body(N - 1) with constant arguments: arrays of vectors indexed by them live
// in registers, which a loop does not promise.
template <int N, class Body> [[gnu::always_inline]] inline void unroll(Body &&body) {
    [&]<int... I>(std::integer_sequence<int, I...>) SHOAL_INLINE {
        (body(std::integral_constant<int, I>{}), ...);
    }(std::make_integer_sequence<int, N>{});
}

}  // namespace shoal
