// Quantisation: reals become integers, whose sums do not depend on their order.
//
// A value v of a column with exponent e becomes one or two int64 limbs:
//     t = v * 2^e,  high = rint(t),  low = rint((t - high) * 2^low_bits).
// The caller chooses e so that |high| <= 2^50, and e and low_bits so that no sum reaches 2^63.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

#if defined(__AVX__)
#include <immintrin.h>
#endif

namespace shoal {

#if defined(__AVX512F__)
constexpr int vector_bytes = 64;
#elif defined(__AVX__)
constexpr int vector_bytes = 32;
#else
constexpr int vector_bytes = 16;
#endif

constexpr int lanes = vector_bytes / 8;
typedef double Doubles __attribute__((vector_size(vector_bytes)));
typedef float Floats __attribute__((vector_size(vector_bytes / 2)));
typedef uint64_t Words __attribute__((vector_size(vector_bytes)));

// Unsigned, because sums of biased words wrap; D is double or Doubles.
template <class D>
using WordOf = std::conditional_t<std::is_same_v<D, double>, uint64_t, Words>;

// GCC 12 takes the vector of AVX apart in __builtin_convertvector.
inline Doubles widen(Floats values) {
#if defined(__AVX__) && !defined(__AVX512F__)
    return (Doubles)_mm256_cvtps_pd((__m128)values);
#else
    return __builtin_convertvector(values, Doubles);
#endif
}

// One value as double, or `lanes` neighbouring values as Doubles, from any alignment.
template <class D, class T>
inline D load_as(const T *from) {
    if constexpr (std::is_same_v<D, double>) {
        return static_cast<double>(*from);
    } else if constexpr (std::is_same_v<T, float>) {
        Floats values;
        std::memcpy(&values, from, sizeof values);
        return widen(values);
    } else {
        D values;
        std::memcpy(&values, from, sizeof values);
        return values;
    }
}

// Adding 1.5 * 2^52 rounds |t| < 2^51 to the nearest integer, ties to even, and leaves that integer
// in the low bits: the word read as an integer is bias + rint(t).
constexpr double rounder = 0x1.8p52;
constexpr uint64_t bias = std::bit_cast<uint64_t>(rounder);

// The biased limbs of t. Sums of n of them exceed the sums of the limbs by n * bias, modulo 2^64.
//
// t - high is exact: either high is 0, or |t - high| <= 1/2 <= |high| / 2 puts t between high / 2
// and 2 * high (Sterbenz). Products with powers of two are exact, so low is the only rounding.
template <int limbs, class D>
inline std::array<WordOf<D>, limbs> biased_limbs(D t, double low_scale) {
    const D rounded = t + rounder;
    std::array<WordOf<D>, limbs> words{std::bit_cast<WordOf<D>>(rounded)};
    if constexpr (limbs == 2) {
        const D remainder = t - (rounded - rounder);
        words[1] = std::bit_cast<WordOf<D>>(remainder * low_scale + rounder);
    }
    return words;
}

template <class Word>
inline void add_to(uint64_t *to, Word words) {
    Word sum;
    std::memcpy(&sum, to, sizeof sum);
    sum += words;
    std::memcpy(to, &sum, sizeof sum);
}

// Adds the limbs of one value to sums[0], sums[limb_stride].
template <int limbs>
inline void add_value(double t, double low_scale, uint64_t *sums, int64_t limb_stride) {
    const auto words = biased_limbs<limbs>(t, low_scale);
    for (int limb = 0; limb < limbs; ++limb) sums[limb * limb_stride] += words[limb] - bias;
}

inline std::vector<double> powers_of_two(const int32_t *exponents, int64_t n) {
    std::vector<double> powers(n);
    for (int64_t j = 0; j < n; ++j) powers[j] = std::ldexp(1.0, exponents[j]);
    return powers;
}

// Calls f<limbs, weighted>() with both known to the compiler.
template <class F>
void with_limbs(int64_t limbs, bool weighted, F f) {
    if (limbs == 1) {
        weighted ? f.template operator()<1, true>() : f.template operator()<1, false>();
    } else {
        weighted ? f.template operator()<2, true>() : f.template operator()<2, false>();
    }
}

}  // namespace shoal
