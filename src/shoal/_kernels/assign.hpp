// The nearest centre of every row.
//
// The truth is D(x, c) = sum (x_i - c_i)^2 in double precision, summed as squared_distance does; a
// row's label is the lowest j of least D. The tile computes scores x'.c' - |c'|^2 / 2 in the data's
// precision instead, with x' = x - shift and c' = c - shift, and decides only where its rounding
// cannot matter; the other rows are decided by D.
//
// Rounding of a score (u: unit roundoff of the data's type, v: of double, C: largest |c'|).
// Centring rounds each x'_i and c'_i once: 2u |x'| C on the product, 2u C^2 / 2 on the norm;
// rounding the halved norm adds u C^2 / 2. A chain of m fused multiply-adds from -|c'|^2 / 2 adds
// m u (|x'| C + C^2 / 2). Two scores thus miss their exact difference by at most
// 2 gamma_u(m + 6) (|x'| + C) C, with room to spare for the margin's own arithmetic. Norms summed
// in double and half the difference of two D add at most gamma_v(d + 6) (|x'| + C)^2 each.
// Underflow adds at most the smallest normal number an operation. If (|x'| + C)^2 overflows so may
// a chain: the margin is then infinite or NaN and the row is decided by D.
#pragma once

#include "top_keys.hpp"

namespace shoal {

// The worst relative error of n roundings; infinite where the usual bound has no meaning.
inline double rounding_error(Index n, double unit_roundoff) {
    const double error = double(n) * unit_roundoff;
    return error < 0.5 ? error / (1 - error) : std::numeric_limits<double>::infinity();
}

inline constexpr double kDoubleRoundoff = std::numeric_limits<double>::epsilon() / 2;

// Adds the squares of four differences, in double, to four partial sums.
template <class T, class Doubles>
[[gnu::always_inline]] inline void add_squares(const T *x, const T *c, Doubles &sums) {
    typedef T Four __attribute__((vector_size(4 * sizeof(T))));
    Four a, b;
    std::memcpy(&a, x, sizeof a);
    std::memcpy(&b, c, sizeof b);
    const Doubles difference =
        __builtin_convertvector(a, Doubles) - __builtin_convertvector(b, Doubles);
    sums += difference * difference;
}

// D in eight interleaved partial sums: an order every instruction set can keep. What does not fill
// eight contiguous values is copied; the zeros that fill it up change no sum.
template <class T>
double squared_distance(const T *x, Index stride, const T *center, Index features) {
    typedef double Four __attribute__((vector_size(32)));
    Four low{}, high{};
    Index f = 0;
    for (; stride == 1 && f + 8 <= features; f += 8) {
        add_squares(x + f, center + f, low);
        add_squares(x + f + 4, center + f + 4, high);
    }
    for (; f < features; f += 8) {
        T a[8] = {}, b[8] = {};
        for (int i = 0; i < std::min<Index>(8, features - f); ++i) {
            a[i] = x[(f + i) * stride];
            b[i] = center[f + i];
        }
        add_squares(a, b, low);
        add_squares(a + 4, b + 4, high);
    }
    const Four sums = low + high;
    return (sums[0] + sums[2]) + (sums[1] + sums[3]);
}

// How far apart two scores of a row must be for their order to be certain.
template <class T> struct Margin {
    Margin(Index chain, Index features, T largest_norm) : largest_norm(largest_norm) {
        constexpr double slack = 1.01, roundoff = std::numeric_limits<T>::epsilon() / 2;
        const double error = rounding_error(chain + 6, roundoff);
        norm_factor = T(slack * (1 + error));
        linear = T(slack * 2 * error) * largest_norm;
        quadratic = T(slack * rounding_error(features + 6, kDoubleRoundoff));
        underflow = T(4 * (features + 6)) * std::numeric_limits<T>::min();
    }
    // Of a norm, or a vector of them.
    template <class V> V operator()(V squared_norm) const {
        const V reach = square_root(squared_norm * norm_factor + underflow) + largest_norm;
        return linear * reach + quadratic * (reach * (reach + reach)) + underflow;
    }
    T largest_norm, norm_factor, linear, quadratic, underflow;
};

// The best and second best score of a panel's rows so far. Equal scores are never far enough apart
// for their order to matter here.
template <class T> struct Leaders {
    using Keys = TopKeys<2>;

    Vector<T> best[kTileVectors], second[kTileVectors];
    IntVector<T> label[kTileVectors];
    Vector<T> norms[kTileVectors];

    explicit Leaders(const Panel<T> &panel) {
        for (int v = 0; v < kTileVectors; ++v) {
            best[v] = second[v] = broadcast(-std::numeric_limits<T>::infinity());
            label[v] = IntVector<T>{};
            norms[v] = panel.norms[v];
        }
    }
    // Of the tile on integers.
    Leaders(const Keys &top) {
        unroll<kTileVectors>([&](auto v) SHOAL_INLINE {
            best[v] = top.score(0, v), second[v] = top.score(1, v);
            label[v] = top.label(0, v);
            norms[v] = top.norms[v];
        });
    }
    [[gnu::always_inline]] void offer(Index first, const Tile<T> &tile) {
        using Integer = typename VectorOf<T>::Integer;
        unroll<kTileVectors>([&](auto v) SHOAL_INLINE {
            Vector<T> b = best[v], s = second[v];
            IntVector<T> l = label[v];
            over_centers([&](auto c) SHOAL_INLINE {
                const Vector<T> score = tile[c][v], loser = score < b ? score : b;
                l = score > b ? Integer(first + c) - IntVector<T>{} : l;
                s = loser > s ? loser : s;
                b = score > b ? score : b;
            });
            best[v] = b, second[v] = s, label[v] = l;
        });
    }
};

// Where the rows of a panel stand once all centres have passed.
template <class T, class Leaders> struct Standing {
    template <class Margin>
    Standing(const Leaders &leaders, const Margin &margin) : leaders(leaders) {
        IntVector<T> close{};
        unroll<kTileVectors>([&](auto v) SHOAL_INLINE {
            needed[v] = margin(leaders.norms[v]);
            // NaN makes a row close too.
            close |= ~(leaders.best[v] - leaders.second[v] > needed[v]);
        });
        has_close_row = any(close);
    }
    bool is_clear(int i) const {
        const int v = i / kLanes<T>, lane = i % kLanes<T>;
        return leaders.best[v][lane] - leaders.second[v][lane] > needed[v][lane];
    }
    // The least score within the margin of the best.
    T threshold(int i) const {
        const int v = i / kLanes<T>, lane = i % kLanes<T>;
        return leaders.best[v][lane] - needed[v][lane];
    }
    // Of all rows of a panel.
    void store_labels(std::int32_t *to) const {
        typedef std::int32_t Labels __attribute__((vector_size(4 * kLanes<T>)));
        unroll<kTileVectors>([&](auto v) SHOAL_INLINE {
            store(to + v * kLanes<T>, __builtin_convertvector(leaders.label[v], Labels));
        });
    }

    const Leaders &leaders;
    Vector<T> needed[kTileVectors];
    bool has_close_row;
};

// Decides by D the rows whose scores are too close: D is computed for every centre whose score is
// within the margin of the best, which cannot miss the nearest.
template <class T> class Recheck {
  public:
    Recheck(const Matrix<T> &matrix, Centers<T> &centers) : matrix(matrix), centers(centers) {}

    template <class Emit> [[gnu::noinline]] void add(Index row, T threshold, Emit &emit) {
        rows.push_back(row);
        thresholds.push_back(threshold);
        if (Index(rows.size()) == kRunRows<T>) flush(emit);
    }
    template <class Emit> void flush(Emit &emit) {
        const Index count = Index(rows.size());
        labels.assign(rows.size(), 0);
        distances.assign(rows.size(), std::numeric_limits<double>::infinity());
        thresholds.resize((rows.size() + kPanelRows<T> - 1) / kPanelRows<T> * kPanelRows<T>,
                          std::numeric_limits<T>::infinity());
        scan(Rows<T>{matrix, rows.data(), count}, centers, *this);
        for (Index i = 0; i < count; ++i) emit.rechecked(rows[i], labels[i]);
        rows.clear();
        thresholds.clear();
    }

    void begin(Index row, Index, const Panel<T> &) { run = row; }
    void end(Index, Index) {}
    void visit(Index panel, Index first, const Tile<T> &tile) {
        for (int v = 0; v < kTileVectors; ++v) {
            const Index start = run + panel * kPanelRows<T> + v * kLanes<T>;
            const Vector<T> threshold = load(thresholds.data() + start);
            for (int c = 0; c < kTileCenters; ++c) {
                const IntVector<T> below = tile[c][v] < threshold;
                if (!any(~below)) continue;
                for (int i = 0; i < kLanes<T>; ++i)
                    if (!below[i]) consider(start + i, first + c);
            }
        }
    }

  private:
    void consider(Index i, Index center) {
        if (i >= Index(rows.size()) || center >= centers.count) return;
        const double distance = squared_distance(matrix.row(rows[i]), matrix.column_stride,
                                                 centers.row(center), centers.features);
        if (distance < distances[i]) {
            distances[i] = distance;
            labels[i] = std::int32_t(center);
        }
    }

    const Matrix<T> &matrix;
    Centers<T> &centers;
    std::vector<std::int64_t> rows;
    Buffer<T> thresholds;
    std::vector<std::int32_t> labels;
    std::vector<double> distances;
    Index run = 0;
};

// A visitor of `scan`: calls settle(leaders, first row, rows) for each panel that all centres have
// passed.
template <class T, class Leaders, class Settle> class Race {
  public:
    explicit Race(Settle settle) : settle(settle) {}

    template <class Panel> void begin(Index, Index p, const Panel &panel) {
        if (p == 0) leaders.clear();
        leaders.emplace_back(panel);
    }
    template <class Scores>
    [[gnu::always_inline]] void visit(Index p, Index first, const Scores &tile) {
        leaders[p].offer(first, tile);
    }
    void end(Index run, Index size) {
        for (Index p = 0; p < Index(leaders.size()); ++p) {
            const Index first = p * kPanelRows<T>;
            settle(leaders[p], run + first, int(std::min<Index>(kPanelRows<T>, size - first)));
        }
    }

  private:
    Settle settle;
    std::vector<Leaders, AlignedAllocator<Leaders>> leaders;
};

template <class Leaders, class T, class Centers, class Settle>
void race(const Rows<T> &rows, Centers &centers, Settle settle) {
    Race<T, Leaders, Settle> visitor(settle);
    scan(rows, centers, visitor);
}

template <class T> Margin<T> margin_of(const Centers<T> &centers) {
    return {centers.features, centers.features, centers.largest_norm};
}

// Hands each panel of rows to emit.panel(rows, first, size, standing); then those of its rows whose
// scores are not farther apart than the margin, which are still to be decided, to
// close(row, place in the panel, standing).
template <class T, class Centers, class Margin, class Emit, class Close>
void decide(const Rows<T> &rows, Centers &centers, const Margin &margin, Emit &emit, Close close) {
    using Leaders = typename Emit::Leaders;
    using Contest = typename Centers::template Contest<Leaders>;
    race<Contest>(rows, centers, [&](const Contest &contest, Index first, int size) {
        const Leaders &leaders = contest;
        const Standing<T, Leaders> standing(leaders, margin);
        emit.panel(rows, first, size, standing);
        if (!standing.has_close_row) return;
        for (int i = 0; i < size; ++i)
            if (!standing.is_clear(i)) close(rows[first + i], i, standing);
    });
}

// Decides every row, in any order: as `decide` does, or after that by emit.rechecked(row, label).
template <class T, class Emit>
void nearest_by_tile(const Rows<T> &rows, Centers<T> &centers, Emit &emit) {
    Recheck<T> recheck(rows.matrix, centers);
    decide(rows, centers, margin_of(centers), emit,
           [&](Index row, int place, const auto &standing) {
               recheck.add(row, standing.threshold(place), emit);
           });
    recheck.flush(emit);
}

}  // namespace shoal
