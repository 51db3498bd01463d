// A register tile on 16-bit integers, faster than that on floats and coarser: a lane holds the
// values of two features, which one instruction multiplies and adds.
//
// Rows are counted in units of a length R, the reach, that most of them and no centre exceed:
// X = round(s x') with s = 31000 / R; the centres in units of the longest, L: C = round(t c') with
// t = 31000 / L. The score of a pair is an integer, X.C - [s t |c'|^2 / 2], of unit 1 / (s t).
// Rounding moves each of m values by at most a half, so |X|, where |x'| <= R, and |C| are at most
// 31000 (1 + gamma(m + 10)) + sqrt(m) / 2 < 32100 where m <= 2^18: values fit 16 bits; by Cauchy
// and Schwarz X.C is less than 32100^2 < 1.04e9 and so is every part of it; s t |c'|^2 / 2 is at
// most 31000^2 / 2 < 0.49e9: so every part of a score fits 31 bits, far above the least integer.
// Two scores miss their difference by at most
//
//     2 unit |X.C - s x'.t c'| <= 2 unit (|X - s x'| |C| + |s x'| |C - t c'|)
//                              <= unit sqrt(m) (32100 + |s x'|),
//
// by two units for [], by what the keys of scores leave out, and by the roundings of s, t, unit and
// of the score itself: fewer than a chain of twelve makes. The integers of longer rows, and of
// those whose norm is NaN, mean nothing.
#pragma once

#include <cmath>
#if defined(__SSE2__)
#include <immintrin.h>
#endif

#include "top_keys.hpp"

namespace shoal {

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

// Extends the chains of one tile by so many pairs of features, one at least.
[[gnu::always_inline]] inline void extend(Grid<Integers> &chains, const std::int32_t *points,
                                          const std::int32_t *centers, Index steps) {
#if defined(__AVX2__) && !defined(__AVX512F__)
    // The tile takes all 16 registers, if in this order: left to itself, GCC spills some of the
    // chains and loses a third of the speed.
#define SHOAL_STEP(offset, chain0, chain1, chain2)                                                 \
    "vpbroadcastd " offset "(%[centers]), %%ymm14\n\t"                                             \
    "vpmaddwd %%ymm12, %%ymm14, %%ymm15\n\t"                                                       \
    "vpaddd %%ymm15, " chain0 ", " chain0 "\n\t"                                                   \
    "vpmaddwd %%ymm13, %%ymm14, %%ymm15\n\t"                                                       \
    "vpmaddwd 64(%[points]), %%ymm14, %%ymm14\n\t"                                                 \
    "vpaddd %%ymm15, " chain1 ", " chain1 "\n\t"                                                   \
    "vpaddd %%ymm14, " chain2 ", " chain2 "\n\t"
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
                chains[c][v] += multiply_pairs(load(points + v * kLanes<float>),
                                               broadcast(centers[c]));
            });
        });
        points += kPanelRows<float>;
        centers += kTileCenters;
    }
#endif
}

// Of the longest vectors, in units; and the least length that is told from zero.
inline constexpr float kUnits = 31000, kMostUnits = 32100, kLeastLength = 0x1p-40f;

inline Integers pair_up(Integers low, Integers high) { return (low & 0xffff) | (high << 16); }

// How many pairs some features make: each is one of their first half and one of their second.
inline Index steps_of(Index features) { return (features + 1) / 2; }
inline Index whole_vectors(Index n) {
    return (n + kLanes<float> - 1) / kLanes<float> * kLanes<float>;
}

// What rows of at most some length are counted in, beside centres of which the longest is so long.
struct RowUnits {
    RowUnits(float length, float longest) {
        const float reach = std::max(length, longest);
        scale = kUnits / reach;
        of_score = reach * (longest / (kUnits * kUnits));
        most = std::min(reach * reach, std::numeric_limits<float>::max());
    }
    float scale, of_score, most;  // most: that a squared norm may be
};

// One panel of rows, centred and in units, with the squared norms of the centred rows.
class QuantisedPanel {
  public:
    QuantisedPanel(Index features, const RowUnits &units, KeyLayout layout)
        : layout(layout), units(units), features(features), steps(steps_of(features)),
          scale(broadcast(units.scale)), pairs(whole_vectors(steps) * rows) {}

    // Packs rows first, first + 1, ...; a short panel repeats the last row.
    void pack(const Rows<float> &from, Index first, const float *shift) {
        if (!from.index && from.matrix.row_stride == 1 && first + rows <= from.count)
            pack_columns(from.matrix, from[first], shift);
        else
            pack_rows(from, first, shift);
    }
    const std::int32_t *step(Index pair) const { return pairs.data() + pair * rows; }

    KeyLayout layout;
    RowUnits units;
    Vector<float> norms[kTileVectors];

  private:
    static constexpr int rows = kPanelRows<float>, lanes = kLanes<float>;

    // The nearest integers, in the low bits: a sum with 3 * 2^22 keeps no fraction.
    Integers rounded(Vector<float> x) const {
        return Integers(fma(x, scale, broadcast(0x1.8p23f)));
    }

    void pack_columns(const Matrix<float> &from, Index first, const float *shift) {
        constexpr Index ahead = 4 * rows;
        if (first % ahead == 0) prefetch_columns(from, first + ahead, ahead, 0, from.columns);
        norms[0] = norms[1] = norms[2] = Vector<float>{};
        for (Index s = 0; s < steps; ++s)
            for (int v = 0; v < kTileVectors; ++v) {
                const auto column = [&](Index f) {
                    const float *x = from.data + f * from.column_stride + first + v * lanes;
                    return f < features ? load(x) - shift[f] : Vector<float>{};
                };
                const Vector<float> low = column(s), high = column(s + steps);
                norms[v] = fma(low, low, fma(high, high, norms[v]));
                store(pairs.data() + s * rows + v * lanes, pair_up(rounded(low), rounded(high)));
            }
    }

    // Copies rows whose values are apart.
    void put_together(const float **pointers, Index stride) {
        together.resize(rows * features);
        for (int i = 0; i < rows; ++i) {
            float *to = together.data() + i * features;
            for (Index f = 0; f < features; ++f) to[f] = pointers[i][f * stride];
            pointers[i] = to;
        }
    }

    void pack_rows(const Rows<float> &from, Index first, const float *shift) {
        const float *pointers[rows];
        for (int i = 0; i < rows; ++i)
            pointers[i] = from.pointer(std::min(first + i, from.count - 1));
        if (from.matrix.column_stride != 1) put_together(pointers, from.matrix.column_stride);
        for (int v = 0; v < kTileVectors; ++v)
            norms[v] = pack_vector(pointers + v * lanes, shift, pairs.data() + v * lanes);
    }

    // One vector of rows, a square of pairs at a time; returns the squared norms.
    Vector<float> pack_vector(const float *const *pointers, const float *shift, std::int32_t *to) {
        Vector<float> squares[lanes] = {};
        const auto pack = [&](Index s, auto load_low, auto load_high) SHOAL_INLINE {
            const Vector<float> of_low = load_low(shift + s);
            const Vector<float> of_high = load_high(shift + steps + s);
            Vector<float> square[lanes];
            unroll<lanes>([&](auto i) SHOAL_INLINE {
                const Vector<float> low = load_low(pointers[i] + s) - of_low;
                const Vector<float> high = load_high(pointers[i] + steps + s) - of_high;
                squares[i] = fma(low, low, fma(high, high, squares[i]));
                square[i] = Vector<float>(pair_up(rounded(low), rounded(high)));
            });
            transpose<float>(square);
            unroll<lanes>([&](auto i) SHOAL_INLINE {
                store(to + (s + i) * rows, Integers(square[i]));
            });
        };
        const auto all = [](const float *x) SHOAL_INLINE { return load(x); };
        const Index whole = (features - steps) / lanes * lanes;
        for (Index s = 0; s < whole; s += lanes) pack(s, all, all);
        for (Index s = whole; s < steps; s += lanes)
            pack(s, LoadFirst(std::min<Index>(steps - s, lanes)),
                 LoadFirst(std::min<Index>(features - steps - s, lanes)));
        transpose<float>(squares);
        Vector<float> norm = squares[0];
        unroll<lanes - 1>([&](auto i) SHOAL_INLINE { norm += squares[i + 1]; });
        return norm;
    }

    Index features, steps;
    Vector<float> scale;
    Buffer<std::int32_t> pairs;
    Buffer<float> together;
};

// All centres in units of the longest, the pairs of a tile's centres interleaved, and what rows are
// counted in beside them.
class QuantisedCenters {
  public:
    template <class Leaders> using Contest = typename Leaders::Keys;

    QuantisedCenters(const Centers<float> &exact, const RowUnits &units)
        : count(exact.count), features(exact.features), block(2 * exact.block),
          shift(exact.shift), layout(count), units(units),
          // Those of padding stay: with its values, zeros, a score below all others.
          starts(exact.offsets.size(), std::numeric_limits<std::int32_t>::min()),
          packed(starts.size() * steps_of(features)) {
        const float scale = kUnits / exact.largest_norm;
        for (Index j = 0; j < count; ++j) {
            starts[j] = std::int32_t(std::lrint(exact.offsets[j] * scale * double(units.scale)));
            pack_center(j, exact.row(j), scale);
        }
    }
    static bool can_tell_apart(const Centers<float> &exact) {
        return exact.features <= 1 << 18 && exact.count <= 1 << 18 &&
               exact.largest_norm >= kLeastLength && exact.largest_norm <= 1 / kLeastLength;
    }

    void pack(Index) const {}  // they are
    QuantisedPanel panel() const { return {features, units, layout}; }
    const std::int32_t *tile(Index j) const { return packed.data() + j * steps_of(features); }
    std::int32_t start(Index j) const { return starts[j]; }

    Index count, features, block;
    const Buffer<float> &shift;
    KeyLayout layout;
    RowUnits units;

  private:
    void pack_center(Index j, const float *center, float scale) {
        const Index steps = steps_of(features);
        std::int32_t *const to =
            packed.data() + j / kTileCenters * kTileCenters * steps + j % kTileCenters;
        const auto value = [&](Index f) {
            return f < features ? std::lrint((center[f] - shift[f]) * scale) : 0;
        };
        for (Index s = 0; s < steps; ++s)
            to[s * kTileCenters] = std::int32_t((value(s) & 0xffff) | (value(s + steps) << 16));
    }

    Buffer<std::int32_t> starts, packed;
};

// Keys are handed on as scores of the tile on floats are; none names a centre that is padding.
template <class Visit>
void score(const QuantisedPanel &panel, const QuantisedCenters &centers, Index first, Index last,
           Visit &&visit) {
    for (Index j = first; j < last; j += kTileCenters) {
        Grid<Integers> tile;
        each([&](auto c, auto v) SHOAL_INLINE { tile[c][v] = broadcast(centers.start(j + c)); });
        extend(tile, panel.step(0), centers.tile(j), steps_of(centers.features));
        each([&](auto c, auto v) SHOAL_INLINE {
            tile[c][v] = centers.layout.key(tile[c][v], std::min(j + c, centers.count - 1));
        });
        visit(j, tile);
    }
}

}  // namespace shoal
