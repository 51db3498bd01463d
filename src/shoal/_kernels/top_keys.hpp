// The highest scores of rows, each in one word with the centre it belongs to.
#pragma once

#include <bit>

#include "tile.hpp"

namespace shoal {

using Integers = IntVector<float>;

// How a score and a centre share a word, the key: the low bits of the score, which is an integer,
// make room for the centre's number. Keys are in the order of their scores, but for those bits.
struct KeyLayout {
    explicit KeyLayout(Index centers) : labels(std::int32_t(std::bit_ceil(std::size_t(centers)))) {}

    Integers key(Integers score, Index center) const {
        return (score & -labels) | broadcast(std::int32_t(center));
    }
    Integers score(Integers key) const { return key & -labels; }
    Integers label(Integers key) const { return key & (labels - 1); }
    // Keys miss the difference of two scores by less.
    float error() const { return float(labels); }

    std::int32_t labels;  // a power of two
};

// A score is its integer times the unit.
template <int places> struct TopKeys {
    // Before any key: the least integer is below all scores.
    template <class Panel>
    explicit TopKeys(const Panel &panel) : layout(panel.layout), unit(panel.units.of_score) {
        unroll<kTileVectors>([&](auto v) SHOAL_INLINE {
            for (int p = 0; p < places; ++p)
                keys[p][v] = broadcast(std::numeric_limits<std::int32_t>::min());
            norms[v] = panel.norms[v];
        });
    }
    // What a key displaces goes on to the next place.
    [[gnu::always_inline]] void offer(Index, const Grid<Integers> &tile) {
        unroll<kTileVectors>([&](auto v) SHOAL_INLINE {
            Integers top[places];
            unroll<places>([&](auto p) SHOAL_INLINE { top[p] = keys[p][v]; });
            over_centers([&](auto c) SHOAL_INLINE {
                Integers key = tile[c][v];
                unroll<places>([&](auto p) SHOAL_INLINE {
                    const Integers lower = key < top[p] ? key : top[p];
                    top[p] = key > top[p] ? key : top[p];
                    key = lower;
                });
            });
            unroll<places>([&](auto p) SHOAL_INLINE { keys[p][v] = top[p]; });
        });
    }
    Vector<float> score(int place, int v) const {
        return __builtin_convertvector(layout.score(keys[place][v]), Vector<float>) * unit;
    }
    Integers label(int place, int v) const { return layout.label(keys[place][v]); }

    Integers keys[places][kTileVectors];
    Vector<float> norms[kTileVectors];
    KeyLayout layout;
    float unit;
};

}  // namespace shoal
