// A register tile on 16-bit integers, twice as fast as that on floats and coarser: a lane holds the
// values of two features, which one instruction multiplies and adds.
//
// A row is counted in units of its own length: X = round(s x') with s = 31000 / |x'|; the centres in
// units of the longest: C = round(t c') with t = 31000 / max |c'|. The score of a pair is
// unit X.C - |c'|^2 / 2 with unit = 1 / (s t). Rounding moves each of m values by at most a half, so
// |X| and |C| are at most 31000 (1 + gamma(m + 2)) + sqrt(m) / 2 < 32100 where m <= 2^18: values fit
// 16 bits and, by Cauchy and Schwarz, all of X.C and every part of it fits 31. Two scores miss their
// difference by at most
//
//     2 unit |X.C - s x'.t c'| <= 2 unit (|X - s x'| |C| + |s x'| |C - t c'|)
//                              <= 2 unit (sqrt(m) / 2) 2 * 32100 < unit sqrt(m) 2^16
//
// and by the roundings of s, t, unit and of the score itself: fewer than a chain of eight makes.
// Rows shorter than 2^-40 are counted as of that length, so that no unit underflows. The unit of a
// row whose norm is infinite or NaN is so too, and its integers mean nothing.
#pragma once

#include <cmath>
#if defined(__SSE2__)
#include <immintrin.h>
#endif

#include "tile.hpp"

namespace shoal {

using Integers = IntVector<float>;

// Of each lane's two 16-bit halves: low * low + high * high.
inline Integers multiply_pairs(Integers a, Integers b) {
#if defined(__AVX512BW__)
    return Integers(_mm512_madd_epi16(__m512i(a), __m512i(b)));
#elif defined(__AVX2__)
    return Integers(_mm256_madd_epi16(__m256i(a), __m256i(b)));
#elif defined(__SSE2__)
    __m128i x[sizeof a / 16], y[sizeof a / 16];
    std::memcpy(x, &a, sizeof a);
    std::memcpy(y, &b, sizeof b);
    for (std::size_t i = 0; i < sizeof a / 16; ++i) x[i] = _mm_madd_epi16(x[i], y[i]);
    std::memcpy(&a, x, sizeof a);
    return a;
#else
    return (a << 16 >> 16) * (b << 16 >> 16) + (a >> 16) * (b >> 16);
#endif
}

// One step of one centre's chains. With AVX2 the tile takes all 16 registers, if in this order:
// left to itself, GCC spills some of the chains and loses a third of the speed.
[[gnu::always_inline]] inline void multiply_add_pairs(Integers (&chains)[kTileVectors],
                                                      const std::int32_t *points,
                                                      const std::int32_t &center) {
#if defined(__AVX2__) && !defined(__AVX512F__)
    Integers pair, product;
    asm("vpbroadcastd %[center], %[pair]\n\t"
        "vpmaddwd %[x0], %[pair], %[product]\n\t"
        "vpaddd %[product], %[chain0], %[chain0]\n\t"
        "vpmaddwd %[x1], %[pair], %[product]\n\t"
        "vpaddd %[product], %[chain1], %[chain1]\n\t"
        "vpmaddwd %[x2], %[pair], %[product]\n\t"
        "vpaddd %[product], %[chain2], %[chain2]"
        : [chain0] "+x"(chains[0]), [chain1] "+x"(chains[1]), [chain2] "+x"(chains[2]),
          [pair] "=&x"(pair), [product] "=&x"(product)
        : [x0] "x"(load(points)), [x1] "x"(load(points + kLanes<float>)),
          [x2] "m"(*reinterpret_cast<const Integers *>(points + 2 * kLanes<float>)),
          [center] "m"(center));
#else
    unroll<kTileVectors>([&](auto v) SHOAL_INLINE {
        chains[v] += multiply_pairs(load(points + v * kLanes<float>), broadcast(center));
    });
#endif
}

// Extends the chains of one tile by so many pairs of features.
[[gnu::always_inline]] inline void extend(Grid<Integers> &chains, const std::int32_t *points,
                                          const std::int32_t *centers, Index steps) {
    for (Index s = 0; s < steps; ++s) {
        unroll<kTileCenters>(
            [&](auto c) SHOAL_INLINE { multiply_add_pairs(chains[c], points, centers[c]); });
        points += kPanelRows<float>;
        centers += kTileCenters;
    }
}

// Lengths in units, and the least length of a row.
inline constexpr float kUnits = 31000, kLeastLength = 0x1p-40f;

inline Integers pair_up(Integers low, Integers high) { return (low & 0xffff) | (high << 16); }

class QuantisedPanel {
  public:
    explicit QuantisedPanel(Index features)
        : exact(features + features % 2), pairs(exact.points.size() / 2) {}

    void pack(const Rows<float> &from, Index first, const float *shift) {
        exact.pack(from, first, shift);
        unroll<kTileVectors>([&](auto v) SHOAL_INLINE {
            norms[v] = exact.norms[v];
            lengths[v] = length(norms[v]);
            const Vector<float> scale = kUnits / lengths[v];
            const float *x = exact.points.data() + v * kLanes<float>;
            std::int32_t *to = pairs.data() + v * kLanes<float>;
            for (std::size_t i = 0; i < pairs.size(); i += rows, x += 2 * rows)
                store(to + i, pair_up(rounded(load(x), scale), rounded(load(x + rows), scale)));
        });
    }
    static Vector<float> length(Vector<float> squared_norm) {
        return square_root(squared_norm + kLeastLength * kLeastLength);
    }
    const std::int32_t *step(Index pair) const { return pairs.data() + pair * rows; }

    Vector<float> norms[kTileVectors], lengths[kTileVectors];

  private:
    static constexpr int rows = kPanelRows<float>;

    // The nearest integers, in the low bits: a sum with 3 * 2^22 keeps no fraction.
    static Integers rounded(Vector<float> x, Vector<float> scale) {
        return Integers(fma(x, scale, broadcast(0x1.8p23f)));
    }

    Panel<float> exact;
    Buffer<std::int32_t> pairs;
};

class QuantisedCenters {
  public:
    using Points = QuantisedPanel;

    explicit QuantisedCenters(const Centers<float> &exact)
        : exact(exact), count(exact.count), features(exact.features), block(exact.block),
          shift(exact.shift), unit_length(exact.largest_norm / (kUnits * kUnits)),
          packed(block * steps()) {}

    bool can_be_told_apart() const {
        return features <= 1 << 18 && exact.largest_norm >= kLeastLength &&
               exact.largest_norm <= 1 / kLeastLength;
    }
    // The unit of rows so long.
    Vector<float> unit(Vector<float> length) const { return length * unit_length; }

    void pack(Index first) {
        if (first == loaded) return;
        loaded = first;
        const double scale = kUnits / double(exact.largest_norm);
        for (Index j = first; j < std::min(count, first + block); ++j) {
            std::int32_t *to = packed.data() + (j - first) / kTileCenters * kTileCenters * steps() +
                               (j - first) % kTileCenters;
            const auto value = [&](Index f) {
                return f < features ? std::lrint((exact.row(j)[f] - shift[f]) * scale) : 0;
            };
            for (Index f = 0; f < features; f += 2)
                to[f / 2 * kTileCenters] =
                    std::int32_t((value(f) & 0xffff) | (value(f + 1) << 16));
        }
    }
    const std::int32_t *tile(Index j) const { return packed.data() + (j - loaded) * steps(); }

    Index steps() const { return (features + 1) / 2; }
    float offset(Index j) const { return exact.offsets[j]; }

  private:
    const Centers<float> &exact;

  public:
    Index count, features, block;
    const Buffer<float> &shift;

  private:
    float unit_length;
    Index loaded = -1;
    Buffer<std::int32_t> packed;
};

// Scores as those of the tile on floats are handed on.
template <class Visit>
void score(const QuantisedPanel &panel, const QuantisedCenters &centers, Index first, Index last,
           Visit &&visit) {
    for (Index j = first; j < last; j += kTileCenters) {
        Grid<Integers> chains{};
        extend(chains, panel.step(0), centers.tile(j), centers.steps());
        Tile<float> tile;
        each([&](auto c, auto v) SHOAL_INLINE {
            tile[c][v] = fma(__builtin_convertvector(chains[c][v], Vector<float>),
                             centers.unit(panel.lengths[v]), broadcast(centers.offset(j + c)));
        });
        visit(j, tile);
    }
}

}  // namespace shoal
