// The three nearest centres of every row, as far as bounds need them: who is first and second, and
// how far the second and the third are at least.
#pragma once

#include "assign.hpp"

namespace shoal {

inline float rounded_up(float x) {
    return x * (1 + 0x1p-22f) + std::numeric_limits<float>::min();
}
inline float rounded_down(float x) {
    x = std::min(x, std::numeric_limits<float>::max());
    return std::max(x * (1 - 0x1p-22f) - std::numeric_limits<float>::min(), 0.0f);
}

// As `Leaders`, with the third best score and the label of the second, the rival. With one centre
// the rival is that centre.
template <class T> struct Podium {
    using Keys = TopKeys<3>;

    Vector<T> best[kTileVectors], second[kTileVectors], third[kTileVectors];
    IntVector<T> label[kTileVectors], rival[kTileVectors];
    Vector<T> norms[kTileVectors];

    explicit Podium(const Panel<T> &panel) {
        for (int v = 0; v < kTileVectors; ++v) {
            best[v] = second[v] = third[v] = broadcast(-std::numeric_limits<T>::infinity());
            label[v] = rival[v] = IntVector<T>{};
            norms[v] = panel.norms[v];
        }
    }
    // Of the tile on integers.
    Podium(const Keys &top) {
        unroll<kTileVectors>([&](auto v) SHOAL_INLINE {
            best[v] = top.score(0, v), second[v] = top.score(1, v), third[v] = top.score(2, v);
            label[v] = top.label(0, v), rival[v] = top.label(1, v);
            norms[v] = top.norms[v];
        });
    }
    [[gnu::always_inline]] void offer(Index first, const Tile<T> &tile) {
        using Integer = typename VectorOf<T>::Integer;
        unroll<kTileVectors>([&](auto v) SHOAL_INLINE {
            Vector<T> b = best[v], s = second[v], t = third[v];
            IntVector<T> l = label[v], r = rival[v];
            over_centers([&](auto c) SHOAL_INLINE {
                const Vector<T> score = tile[c][v], loser = score < b ? score : b;
                const IntVector<T> center = Integer(first + c) - IntVector<T>{};
                const IntVector<T> is_best = score > b, is_second = loser > s;
                const IntVector<T> loser_label = is_best ? l : center;
                l = is_best ? center : l;
                b = is_best ? score : b;
                const Vector<T> left = loser < s ? loser : s;
                t = left > t ? left : t;
                r = is_second ? loser_label : r;
                s = is_second ? loser : s;
            });
            best[v] = b, second[v] = s, third[v] = t, label[v] = l, rival[v] = r;
        });
    }
};

// How far |x'|^2 - 2 score can be from a squared distance. From the analysis of `assign`: a score
// misses its exact value by less than `needed`, and |x'|^2 by less than features + 8 units.
template <class T>
Vector<T> square_error(Vector<T> norm, Vector<T> needed, Index features) {
    return 3 * needed + T(features + 8) * std::numeric_limits<T>::epsilon() * norm;
}
template <class V> V root(V square) { return square_root(square > 0 ? square : V{}); }

// Bounds on distances from where scores stand.
template <class T> struct PodiumBounds {
    PodiumBounds(const Standing<T, Podium<T>> &standing, Index features)
        : podium(standing.leaders) {
        for (int v = 0; v < kTileVectors; ++v) {
            const Vector<T> norm = podium.norms[v];
            const Vector<T> error = square_error<T>(norm, standing.needed[v], features);
            const Vector<T> square = norm - 2 * podium.best[v];
            put(farthest, v, square + error);
            put(first, v, square - error);
            put(second, v, norm - 2 * podium.second[v] - error);
            put(third, v, norm - 2 * podium.third[v] - error);
        }
    }
    std::int32_t label(int i) const { return at(podium.label, i); }
    std::int32_t rival(int i) const { return at(podium.rival, i); }
    // The distance to the nearest centre from above, then to the three nearest from below.
    float upper(int i) const { return rounded_up(float(farthest[i])); }
    float first_lower(int i) const { return rounded_down(float(first[i])); }
    float second_lower(int i) const { return rounded_down(float(second[i])); }
    float third_lower(int i) const { return rounded_down(float(third[i])); }

  private:
    static std::int32_t at(const IntVector<T> *labels, int i) {
        return std::int32_t(labels[i / kLanes<T>][i % kLanes<T>]);
    }
    static void put(T *to, int v, Vector<T> square) {
        store(to + v * kLanes<T>, root(square));
    }

    const Podium<T> &podium;
    T farthest[kPanelRows<T>], first[kPanelRows<T>], second[kPanelRows<T>], third[kPanelRows<T>];
};

}  // namespace shoal
