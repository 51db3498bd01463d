// Checks of the scales and limbs that Python hands over.
#pragma once

#include <string>

#include "bindings.hpp"
#include "fixed_point.hpp"

namespace shoal {

inline void require_exponents(const int32_t *exponents, int64_t n, const char *name) {
    require_within<int32_t>(exponents, n, -1022, 1024, name);
}

inline void require_low_bits(int32_t low_bits) {
    require_within<int32_t>(&low_bits, 1, 0, 51, "low_bits");
}

template <class Array>
void require_limbs(const Array &sums, const char *name) {
    require(sums.shape(0) == 1 || sums.shape(0) == 2,
            std::string(name) + " must have 1 or 2 limbs");
}

template <class T>
const double *weights_of(const Optional<Input<T>> &weights, int64_t rows) {
    if (!weights) return nullptr;
    require_length(*weights, rows, "weights");
    return weights->data();
}

inline uint64_t *words(int64_t *sums) { return reinterpret_cast<uint64_t *>(sums); }

}  // namespace shoal
