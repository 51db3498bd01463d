// Elementary functions of vectors of doubles, from + - * /, fma and bit operations alone, so that
// every build computes the same bits; within 2 units in the last place.
#pragma once

#include <cmath>
#include <cstdint>

#include "fixed_point.hpp"

namespace shoal {

typedef int64_t Integers __attribute__((vector_size(vector_bytes)));

// Contraction is off, so a fused multiply-add of vectors has to be asked for by name.
inline Doubles fma(Doubles a, Doubles b, Doubles c) {
#if defined(__AVX512F__)
    return _mm512_fmadd_pd(a, b, c);
#elif defined(__FMA__)
    return _mm256_fmadd_pd(a, b, c);
#else
    for (int i = 0; i < lanes; ++i) c[i] = std::fma(a[i], b[i], c[i]);
    return c;
#endif
}

inline double fma(double a, double b, double c) { return std::fma(a, b, c); }

inline Doubles broadcast(double value) { return value - Doubles{}; }
inline Doubles abs(Doubles x) {
    return std::bit_cast<Doubles>(std::bit_cast<Integers>(x) & INT64_MAX);
}

// a > b ? a : b, and b where one is NaN. GCC 12 does not see that there is an instruction for it.
inline Doubles max(Doubles a, Doubles b) {
#if defined(__AVX__) && !defined(__AVX512F__)
    return _mm256_max_pd(a, b);
#else
    return a > b ? a : b;
#endif
}

inline Doubles min(Doubles a, Doubles b) {
#if defined(__AVX__) && !defined(__AVX512F__)
    return _mm256_min_pd(a, b);
#else
    return a < b ? a : b;
#endif
}

inline Doubles clamp(Doubles x, double low, double high) {
    return min(max(x, broadcast(low)), broadcast(high));
}

// c[first] + c[first + 1] x + ..., n terms, by halves: few steps wait for others (Estrin's scheme).
// powers[i] is x^(2^i).
template <int first, int n, size_t terms>
inline Doubles polynomial(const double (&c)[terms], const Doubles *powers) {
    if constexpr (n == 1) {
        return broadcast(c[first]);
    } else {
        constexpr int half = std::bit_floor(unsigned(n - 1));
        return fma(polynomial<first + half, n - half>(c, powers), powers[std::bit_width(unsigned(half)) - 1],
                   polynomial<first, half>(c, powers));
    }
}

template <size_t terms> inline Doubles polynomial(const double (&c)[terms], Doubles x) {
    const Doubles square = x * x, fourth = square * square;
    const Doubles powers[] = {x, square, fourth, fourth * fourth};
    static_assert(terms <= 16);
    return polynomial<0, int(terms)>(c, powers);
}

// ln 2 in two parts: products of the first with integers below 2^11 are exact.
constexpr double ln2_high = 0x1.62e42fefa38p-1, ln2_low = 0x1.ef35793c7673p-45;

// x = k ln 2 + r with |r| <= ln 2 / 2: the word of k, biased, and e^r, whose Taylor series
// 1 + (r + r^2 (1 / 2 + r / 6 + ...)) to the 13th power leaves 2^-57.
struct ReducedExp {
    Words biased_k;
    Doubles of_rest;
};

inline ReducedExp reduced_exp(Doubles x) {
    constexpr double taylor[] = {1.0 / 2,        1.0 / 6,         1.0 / 24,      1.0 / 120,
                                 1.0 / 720,      1.0 / 5040,      1.0 / 40320,   1.0 / 362880,
                                 1.0 / 3628800,  1.0 / 39916800,  1.0 / 479001600,
                                 1.0 / 6227020800};
    const Doubles rounded = fma(x, broadcast(0x1.71547652b82fep+0), broadcast(rounder));
    const Doubles k = rounded - rounder;
    const Doubles r = fma(k, broadcast(-ln2_low), fma(k, broadcast(-ln2_high), x));
    return {std::bit_cast<Words>(rounded), 1.0 + fma(r * r, polynomial(taylor, r), r)};
}

// e^x, at most the largest double: it saturates instead of overflowing. The factor 2^k comes in two,
// each a normal double, so that small results underflow gradually.
inline Doubles exp(Doubles x) {
    const auto [biased_k, of_rest] = reduced_exp(clamp(x, -746.0, 0x1.62e42fefa39efp+9));
    // Shifts of unsigned words are logical, so k is made positive by an even number.
    constexpr uint64_t even = 4096, exponent_bias = 1023;
    const Words raised = biased_k - bias + even;
    const Words half = raised >> 1, rest = raised - half;
    const auto power = [](Words p) {
        return std::bit_cast<Doubles>((p - even / 2 + exponent_bias) << 52);
    };
    return of_rest * power(half) * power(rest);
}

// log((1 + s) / (1 - s)) = 2 s (1 + s^2 / 3 + s^4 / 5 + ...) for |s| <= 3 - 2 sqrt(2), where the
// terms left out are below 2^-59 of the sum.
inline Doubles log_ratio(Doubles s) {
    constexpr double series[] = {2.0 / 3,  2.0 / 5,  2.0 / 7,  2.0 / 9, 2.0 / 11,
                                 2.0 / 13, 2.0 / 15, 2.0 / 17, 2.0 / 19, 2.0 / 21};
    const Doubles square = s * s;
    return fma(s * square, polynomial(series, square), s + s);
}

// log(1 + t) for 0 <= t <= 1, of 1 + t or, where that is above sqrt(2), of its half.
inline Doubles log1p(Doubles t) {
    const Integers large = t > 0x1.a827999fcef32p-2;
    const Doubles s = (large ? t - 1.0 : t) / (large ? t + 3.0 : t + 2.0);
    return log_ratio(s) + (large ? broadcast(0x1.62e42fefa39efp-1) : Doubles{});
}

// log x for normal x > 0: of x = 2^k f with sqrt(1/2) <= f < sqrt(2).
inline Doubles log(Doubles x) {
    constexpr uint64_t half_root = 0x3fe6a09e667f3bcd, fraction = (uint64_t{1} << 52) - 1;
    const Words offset = std::bit_cast<Words>(x) - half_root;
    const Words f = (offset & fraction) + half_root;
    // The exponent of f's offset is k, which may be negative: as a word it wraps, and the rounder
    // takes its low bits.
    const Words wrapped = (offset >> 52) ^ 2048;
    const Doubles k = std::bit_cast<Doubles>((wrapped & 4095) + bias) - (rounder + 2048.0);
    const Doubles value = std::bit_cast<Doubles>(f);
    const Doubles log_f = log_ratio((value - 1.0) / (value + 1.0));
    return fma(k, broadcast(ln2_high), fma(k, broadcast(ln2_low), log_f));
}

}  // namespace shoal
