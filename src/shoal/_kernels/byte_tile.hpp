// A register tile on bytes, twice as fast as that on 16-bit integers: a lane of 16 bits holds the
// values of two features of a row, signed bytes, which one instruction multiplies by two unsigned
// bytes of a centre and adds. Sums are kept modulo 2^16, so that only the last one has to fit.
//
// A centre's values are raised by kRaised, from -kRaised ... kRaised - 1 to 0 ... 2 kRaised - 1, and
// rows' values are at most 127: no sum of two products passes 2 * 127 * 127 < 2^15.
#pragma once

#include "tile.hpp"

namespace shoal {

using Shorts = Vector<std::int16_t>;

inline constexpr int kRaised = 64;

#if defined(__AVX2__)
inline constexpr bool kHasByteTile = true;
#else
inline constexpr bool kHasByteTile = false;
#endif

// Of the two bytes of each 16-bit lane: low * low + high * high, those of `a` unsigned.
inline Shorts multiply_bytes(Shorts a, Shorts b) {
#if defined(__AVX512BW__)
    return Shorts(_mm512_maddubs_epi16(__m512i(a), __m512i(b)));
#elif defined(__AVX2__)
    return Shorts(_mm256_maddubs_epi16(__m256i(a), __m256i(b)));
#else
    return (a & 0xff) * (b << 8 >> 8) + (a >> 8 & 0xff) * (b >> 8);
#endif
}

// The bytes without their signs; none may be -128.
inline Shorts magnitudes(Shorts x) {
#if defined(__AVX512BW__)
    return Shorts(_mm512_abs_epi8(__m512i(x)));
#elif defined(__AVX2__)
    return Shorts(_mm256_abs_epi8(__m256i(x)));
#else
    typedef std::int8_t Bytes __attribute__((vector_size(kVectorBytes)));
    const Bytes bytes = Bytes(x);
    return Shorts(bytes < 0 ? -bytes : bytes);
#endif
}

// Extends the chains of one tile by so many pairs of features, one at least. Pairs of centres stand
// twice in 32 bits, as no load fills a vector with shorter ones.
[[gnu::always_inline]] inline void extend(Grid<Shorts> &chains, const std::int16_t *points,
                                          const std::int32_t *centers, Index steps) {
#if defined(__AVX2__) && !defined(__AVX512F__)
    // All 16 registers, in this order, as in the tile on 16-bit integers.
#define SHOAL_STEP(offset, chain0, chain1, chain2)                                                 \
    "vpbroadcastd " offset "(%[centers]), %%ymm14\n\t"                                             \
    "vpmaddubsw %%ymm12, %%ymm14, %%ymm15\n\t"                                                     \
    "vpaddw %%ymm15, " chain0 ", " chain0 "\n\t"                                                   \
    "vpmaddubsw %%ymm13, %%ymm14, %%ymm15\n\t"                                                     \
    "vpmaddubsw 64(%[points]), %%ymm14, %%ymm14\n\t"                                               \
    "vpaddw %%ymm15, " chain1 ", " chain1 "\n\t"                                                   \
    "vpaddw %%ymm14, " chain2 ", " chain2 "\n\t"
    asm("1:\n\t"
        "vmovdqa (%[points]), %%ymm12\n\t"
        "vmovdqa 32(%[points]), %%ymm13\n\t"
        SHOAL_STEP("0", "%0", "%1", "%2")
        SHOAL_STEP("4", "%3", "%4", "%5")
        SHOAL_STEP("8", "%6", "%7", "%8")
        SHOAL_STEP("12", "%9", "%10", "%11")
        "add $96, %[points]\n\t"
        "add $16, %[centers]\n\t"
        "dec %[steps]\n\t"
        "jnz 1b"
        : "+x"(chains[0][0]), "+x"(chains[0][1]), "+x"(chains[0][2]), "+x"(chains[1][0]),
          "+x"(chains[1][1]), "+x"(chains[1][2]), "+x"(chains[2][0]), "+x"(chains[2][1]),
          "+x"(chains[2][2]), "+x"(chains[3][0]), "+x"(chains[3][1]), "+x"(chains[3][2]),
          [points] "+r"(points), [centers] "+r"(centers), [steps] "+r"(steps)
        :
        : "xmm12", "xmm13", "xmm14", "xmm15", "memory", "cc");
#undef SHOAL_STEP
#else
    for (Index s = 0; s < steps; ++s) {
        over_centers([&](auto c) SHOAL_INLINE {
            unroll<kTileVectors>([&](auto v) SHOAL_INLINE {
                chains[c][v] += multiply_bytes(Shorts(broadcast(centers[c])),
                                               load(points + v * kLanes<std::int16_t>));
            });
        });
        points += kPanelRows<std::int16_t>;
        centers += kTileCenters;
    }
#endif
}

}  // namespace shoal
