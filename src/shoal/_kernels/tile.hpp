// The register tile under every nearest-centre kernel: points lie across the lanes of a few
// vectors, a handful of centres are broadcast against them, and every (point, centre) score is one
// chain of fused multiply-adds over the features in order. A chain belongs to one lane, so its bits
// depend neither on the vector width nor on the shape of the tile.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>
#if defined(__FMA__)
#include <immintrin.h>
#endif

#include "matrix.hpp"
#include "unroll.hpp"

namespace shoal {

// Accumulators fill the vector registers and leave room for one step's operands: 12 of the 16 of
// AVX2, 24 of the 32 of AVX-512 and NEON. Plain x86-64 takes the AVX-512 shape, so that shape is
// tested on processors without it.
#if defined(__AVX2__) && !defined(__AVX512F__)
inline constexpr int kVectorBytes = 32, kTileCenters = 4;
#elif defined(__aarch64__)
inline constexpr int kVectorBytes = 16, kTileCenters = 8;
#else
inline constexpr int kVectorBytes = 64, kTileCenters = 8;
#endif
inline constexpr int kTileVectors = 3;

template <class T> struct VectorOf {
    using Integer = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
    typedef T Float __attribute__((vector_size(kVectorBytes)));
    typedef Integer Int __attribute__((vector_size(kVectorBytes)));
};
template <class T> using Vector = typename VectorOf<T>::Float;
template <class T> using IntVector = typename VectorOf<T>::Int;
template <class T> inline constexpr int kLanes = kVectorBytes / int(sizeof(T));
template <class T> inline constexpr int kPanelRows = kTileVectors * kLanes<T>;

template <class T> struct AlignedAllocator {
    using value_type = T;
    AlignedAllocator() = default;
    template <class U> AlignedAllocator(const AlignedAllocator<U> &) {}
    T *allocate(std::size_t n) {
        return static_cast<T *>(::operator new(n * sizeof(T), std::align_val_t(64)));
    }
    void deallocate(T *p, std::size_t) { ::operator delete(p, std::align_val_t(64)); }
    bool operator==(const AlignedAllocator &) const { return true; }
};
template <class T> using Buffer = std::vector<T, AlignedAllocator<T>>;

template <class T> inline Vector<T> load(const T *from) {
    Vector<T> v;
    std::memcpy(&v, from, sizeof v);
    return v;
}
inline IntVector<float> load(const std::int32_t *from) {
    IntVector<float> v;
    std::memcpy(&v, from, sizeof v);
    return v;
}
// Loads the first n values, and zeros; reads no others.
class LoadFirst {
  public:
#if defined(__AVX512F__)
    explicit LoadFirst(Index n) : mask(__mmask16((1u << n) - 1)) {}
    Vector<float> operator()(const float *from) const { return _mm512_maskz_loadu_ps(mask, from); }

  private:
    __mmask16 mask;
#elif defined(__AVX2__)
    explicit LoadFirst(Index n)
        : mask(IntVector<float>{0, 1, 2, 3, 4, 5, 6, 7} < std::int32_t(n)) {}
    Vector<float> operator()(const float *from) const {
        return _mm256_maskload_ps(from, __m256i(mask));
    }

  private:
    IntVector<float> mask;
#else
    explicit LoadFirst(Index n) : bytes(n * sizeof(float)) {}
    Vector<float> operator()(const float *from) const {
        Vector<float> v{};
        std::memcpy(&v, from, bytes);
        return v;
    }

  private:
    std::size_t bytes;
#endif
};
template <class To, class V> inline void store(To *to, V v) { std::memcpy(to, &v, sizeof v); }
template <class T> inline Vector<T> broadcast(T value) { return value - Vector<T>{}; }
inline IntVector<float> broadcast(std::int32_t value) { return value - IntVector<float>{}; }

// Contraction is off, so a fused multiply-add of vectors has to be asked for by name; and so has a
// square root.
inline float square_root(float x) { return std::sqrt(x); }
inline double square_root(double x) { return std::sqrt(x); }
#if defined(__AVX512F__)
inline Vector<float> square_root(Vector<float> x) { return _mm512_sqrt_ps(x); }
inline Vector<double> square_root(Vector<double> x) { return _mm512_sqrt_pd(x); }
inline Vector<float> fma(Vector<float> a, Vector<float> b, Vector<float> c) {
    return _mm512_fmadd_ps(a, b, c);
}
inline Vector<double> fma(Vector<double> a, Vector<double> b, Vector<double> c) {
    return _mm512_fmadd_pd(a, b, c);
}
#elif defined(__AVX2__)
inline Vector<float> square_root(Vector<float> x) { return _mm256_sqrt_ps(x); }
inline Vector<double> square_root(Vector<double> x) { return _mm256_sqrt_pd(x); }
inline Vector<float> fma(Vector<float> a, Vector<float> b, Vector<float> c) {
    return _mm256_fmadd_ps(a, b, c);
}
inline Vector<double> fma(Vector<double> a, Vector<double> b, Vector<double> c) {
    return _mm256_fmadd_pd(a, b, c);
}
#else
inline Vector<float> square_root(Vector<float> x) {
    for (int i = 0; i < kLanes<float>; ++i) x[i] = __builtin_sqrtf(x[i]);
    return x;
}
inline Vector<double> square_root(Vector<double> x) {
    for (int i = 0; i < kLanes<double>; ++i) x[i] = __builtin_sqrt(x[i]);
    return x;
}
// Where no instruction does it, it is a call of the C library for each lane: not inlined, for
// unrolled tiles would be full of calls, which takes twice as long to compile and runs no faster.
#if defined(__FP_FAST_FMAF)
#define SHOAL_FMA inline
#else
#define SHOAL_FMA [[gnu::noinline]] inline
#endif
SHOAL_FMA Vector<float> fma(Vector<float> a, Vector<float> b, Vector<float> c) {
    for (int i = 0; i < kLanes<float>; ++i) c[i] = __builtin_fmaf(a[i], b[i], c[i]);
    return c;
}
SHOAL_FMA Vector<double> fma(Vector<double> a, Vector<double> b, Vector<double> c) {
    for (int i = 0; i < kLanes<double>; ++i) c[i] = __builtin_fma(a[i], b[i], c[i]);
    return c;
}
#undef SHOAL_FMA
#endif

// Whether any lane of a mask is set.
template <class V> inline bool any(V mask) {
#if defined(__AVX2__) && !defined(__AVX512F__)
    return !_mm256_testz_si256((__m256i)mask, (__m256i)mask);
#else
    auto set = mask[0];
    for (int i = 1; i < int(sizeof mask / sizeof set); ++i) set |= mask[i];
    return set != 0;
#endif
}

// Two vectors mixed in blocks of B lanes: the low (or high) half of every group of G lanes of a,
// then the same half of b.
template <int B, int G, bool High, class V, int... I>
inline V interleave(V a, V b, std::integer_sequence<int, I...>) {
    constexpr int lanes = sizeof...(I), start = High ? G / 2 : 0;
    return __builtin_shufflevector(
        a, b, (I / G * G + start + I % G / (2 * B) * B + I % B + (I / B % 2) * lanes)...);
}

// Swaps the off-diagonal squares of B lanes, then of 2B lanes, up to half a vector.
template <class T, int B> [[gnu::always_inline]] inline void exchange(Vector<T> (&r)[kLanes<T>]) {
    constexpr int lanes = kLanes<T>;
    if constexpr (B < lanes) {
        unroll<lanes>([&](auto row) SHOAL_INLINE {
            if constexpr ((row & B) == 0) {
                const Vector<T> a = r[row], b = r[row + B];
                [&]<int... I>(std::integer_sequence<int, I...>) SHOAL_INLINE {
                    r[row] = __builtin_shufflevector(a, b, (I & B ? lanes + I - B : I)...);
                    r[row + B] = __builtin_shufflevector(a, b, (I & B ? lanes + I : I + B)...);
                }(std::make_integer_sequence<int, lanes>{});
            }
        });
        exchange<T, 2 * B>(r);
    }
}

// Transposes a square of registers: rows become columns. Groups of 16 bytes are transposed by
// interleaving, as every instruction set does in one instruction, then exchanged as wholes.
template <class T> [[gnu::always_inline]] inline void transpose(Vector<T> (&r)[kLanes<T>]) {
    constexpr int lanes = kLanes<T>, group = 16 / int(sizeof(T));
    constexpr auto all = std::make_integer_sequence<int, lanes>{};
    unroll<lanes / group>([&](auto g) SHOAL_INLINE {
        Vector<T> *q = r + g * group;
        const Vector<T> a = interleave<1, group, false>(q[0], q[1], all);
        const Vector<T> b = interleave<1, group, true>(q[0], q[1], all);
        if constexpr (group == 2) {
            q[0] = a, q[1] = b;
        } else {
            const Vector<T> c = interleave<1, group, false>(q[2], q[3], all);
            const Vector<T> d = interleave<1, group, true>(q[2], q[3], all);
            q[0] = interleave<2, group, false>(a, c, all);
            q[1] = interleave<2, group, true>(a, c, all);
            q[2] = interleave<2, group, false>(b, d, all);
            q[3] = interleave<2, group, true>(b, d, all);
        }
    });
    exchange<T, group>(r);
}

// Some rows of a matrix: all of a range, or those an index names.
template <class T> struct Rows {
    const Matrix<T> &matrix;
    const std::int64_t *index;
    Index count, first = 0;
    Index operator[](Index i) const { return index ? index[i] : first + i; }
    Rows between(Index start, Index end) const {
        return index ? Rows{matrix, index + start, end - start}
                     : Rows{matrix, nullptr, end - start, first + start};
    }
    const T *pointer(Index i) const { return matrix.row((*this)[i]); }
    // Asks for a row that comes soon, if there is one and its values are together.
    void prefetch(Index i) const {
        if (i >= count || matrix.column_stride != 1) return;
        for (Index f = 0; f < matrix.columns; f += 64 / sizeof(T)) __builtin_prefetch(pointer(i) + f);
    }
};

// One panel of points, centred and feature-major, with their squared norms.
template <class T> struct Panel {
    static constexpr int rows = kPanelRows<T>, lanes = kLanes<T>;
    explicit Panel(Index features) : points(features * rows) {}

    // Packs rows first, first + 1, ...; a short panel repeats the last row.
    void pack(const Rows<T> &from, Index first, const T *shift) {
        norms[0] = norms[1] = norms[2] = Vector<T>{};
        const bool whole = first + rows <= from.count;
        if (!from.index && from.matrix.row_stride == 1 && whole)
            return pack_columns(from.matrix, from[first], shift);
        const T *pointers[rows];
        if (!from.index && whole)
            for (int i = 0; i < rows; ++i)
                pointers[i] = i ? pointers[i - 1] + from.matrix.row_stride : from.pointer(first);
        else
            for (int i = 0; i < rows; ++i)
                pointers[i] = from.pointer(std::min(first + i, from.count - 1));
        const Index features = from.matrix.columns, stride = from.matrix.column_stride;
        const Index blocked = stride == 1 ? features / lanes * lanes : 0;
        unroll<kTileVectors>([&](auto v) SHOAL_INLINE {
            norms[v] = pack_rows(pointers + v * lanes, blocked, shift, points.data() + v * lanes);
        });
        for (Index f = blocked; f < features; ++f)
            for (int v = 0; v < kTileVectors; ++v) {
                Vector<T> x;
                for (int i = 0; i < lanes; ++i) x[i] = pointers[v * lanes + i][f * stride];
                put(f, v, x - shift[f]);
            }
    }

    Buffer<T> points;
    Vector<T> norms[kTileVectors];

  private:
    void put(Index feature, int v, Vector<T> x) {
        store(points.data() + feature * rows + v * lanes, x);
        norms[v] = fma(x, x, norms[v]);
    }

    void pack_columns(const Matrix<T> &from, Index first, const T *shift) {
        constexpr Index ahead = 4 * rows;
        if (first % ahead == 0) prefetch_columns(from, first + ahead, ahead, 0, from.columns);
        for (Index f = 0; f < from.columns; ++f) {
            const T *column = from.data + first + f * from.column_stride;
            for (int v = 0; v < kTileVectors; ++v)
                put(f, v, load(column + v * lanes) - shift[f]);
        }
    }

    // One vector of rows, a square of lanes x lanes at a time; returns the squared norms.
    static Vector<T> pack_rows(const T *const *pointers, Index features, const T *shift, T *to) {
        Vector<T> norm{};
        for (Index f = 0; f < features; f += lanes) {
            Vector<T> square[lanes];
            unroll<lanes>([&](auto i) SHOAL_INLINE { square[i] = load(pointers[i] + f); });
            transpose<T>(square);
            unroll<lanes>([&](auto i) SHOAL_INLINE {
                const Vector<T> x = square[i] - shift[f + i];
                store(to + (f + i) * rows, x);
                norm = fma(x, x, norm);
            });
        }
        return norm;
    }
};

// Centres minus the shift, packed a block at a time with the features of a tile's centres
// interleaved, so that the tile reads them in order.
template <class T> class Centers {
  public:
    template <class Leaders> using Contest = Leaders;

    Centers(const T *data, Index count, Index features, const double *shift)
        : data(data), count(count), features(features), shift(shift, shift + features),
          offsets(padded(count), -std::numeric_limits<T>::infinity()),
          block(block_size(count, features)), waiting(block * kPanelRows<T>),
          packed(block * features) {
        double largest = 0;
        for (Index j = 0; j < count; ++j) {
            const double norm = squared_norm(j);
            offsets[j] = T(-norm / 2);
            largest = std::max(largest, norm);
        }
        largest_norm = std::nextafter(T(std::sqrt(largest)), std::numeric_limits<T>::infinity());
    }

    // Packs centres first, first + 1, ..., unless they are there already.
    void pack(Index first) {
        if (first == loaded) return;
        loaded = first;
        const Index last = std::min(count, first + block);
        for (Index j = first; j < last; ++j) {
            T *to = packed.data() + (j - first) / kTileCenters * kTileCenters * features +
                    (j - first) % kTileCenters;
            for (Index f = 0; f < features; ++f)
                to[f * kTileCenters] = data[j * features + f] - shift[f];
        }
    }
    Panel<T> panel() const { return Panel<T>(features); }
    const T *row(Index j) const { return data + j * features; }
    const T *tile(Index j) const { return packed.data() + (j - loaded) * features; }

    const T *data;
    Index count, features;
    Buffer<T> shift, offsets;  // offsets: where a score starts, -|c|^2 / 2; padding never wins
    T largest_norm;
    Index block;
    Buffer<T> waiting;  // chains of a panel against a block

  private:
    static Index padded(Index n) { return (n + kTileCenters - 1) / kTileCenters * kTileCenters; }
    // 256 KiB, but enough centres that packing a panel anew for each block costs little, in 8 MiB.
    static Index block_size(Index count, Index features) {
        const auto fitting = [&](Index bytes) {
            return bytes / Index(sizeof(T)) / std::max<Index>(features, 1);
        };
        const Index wanted = std::clamp<Index>(fitting(1 << 18), 256, 1024);
        return padded(std::clamp<Index>(std::min(wanted, fitting(1 << 23)), 1, count));
    }
    double squared_norm(Index j) const {
        double sum = 0;
        for (Index f = 0; f < features; ++f) {
            const double c = T(data[j * features + f] - shift[f]);
            sum += c * c;
        }
        return sum;
    }

    Index loaded = -1;
    Buffer<T> packed;
};

// Over the centres of a tile. Its registers do not hold the tile of plain x86-64: there a loop,
// which compiles in half the time, is a fifth slower with few features and faster with many.
template <class Body> [[gnu::always_inline]] inline void over_centers(Body &&body) {
#if defined(__FP_FAST_FMAF)
    unroll<kTileCenters>(body);
#else
#pragma GCC unroll 1
    for (int c = 0; c < kTileCenters; ++c) body(c);
#endif
}

template <class V> using Grid = V[kTileCenters][kTileVectors];
template <class T> using Tile = Grid<Vector<T>>;

// Extends the chains of one tile by some features.
template <class T>
[[gnu::always_inline]] inline void extend(Tile<T> &tile, const T *points, const T *centers,
                                          Index features) {
#pragma GCC unroll 4
    for (Index f = 0; f < features; ++f) {
        Vector<T> x[kTileVectors];
        unroll<kTileVectors>([&](auto v) SHOAL_INLINE { x[v] = load(points + v * kLanes<T>); });
        over_centers([&](auto c) SHOAL_INLINE {
            const Vector<T> center = broadcast(centers[c]);
            unroll<kTileVectors>(
                [&](auto v) SHOAL_INLINE { tile[c][v] = fma(x[v], center, tile[c][v]); });
        });
        points += kPanelRows<T>;
        centers += kTileCenters;
    }
}

template <class Body> [[gnu::always_inline]] inline void each(Body &&body) {
    over_centers([&](auto c) SHOAL_INLINE {
        unroll<kTileVectors>([&](auto v) SHOAL_INLINE { body(c, v); });
    });
}

// Scores of a panel against one packed block of centres, handed to visit(first centre, tile) a tile
// at a time, centres in order. Only so many features are taken at once that their part of the panel
// stays in L1; between such slices the chains wait.
template <class T, class Visit>
void score(const Panel<T> &panel, Centers<T> &centers, Index first, Index last, Visit &&visit) {
    constexpr Index slice = 24576 / (kPanelRows<T> * Index(sizeof(T)));
    constexpr int tile_size = kTileCenters * kPanelRows<T>;
    for (Index start = 0; start == 0 || start < centers.features; start += slice) {
        const Index width = std::min(slice, centers.features - start);
        const bool is_last = start + width == centers.features;
        const T *points = panel.points.data() + start * kPanelRows<T>;
        for (Index j = first; j < last; j += kTileCenters) {
            T *chains = centers.waiting.data() + (j - first) / kTileCenters * tile_size;
            Tile<T> tile;
            if (start == 0)
                each([&](auto c, auto v) SHOAL_INLINE {
                    tile[c][v] = broadcast(centers.offsets[j + c]);
                });
            else
                each([&](auto c, auto v) SHOAL_INLINE {
                    tile[c][v] = load(chains + (c * kTileVectors + v) * kLanes<T>);
                });
            extend<T>(tile, points, centers.tile(j) + start * kTileCenters, width);
            if (is_last)
                visit(j, tile);
            else
                each([&](auto c, auto v) SHOAL_INLINE {
                    store(chains + (c * kTileVectors + v) * kLanes<T>, tile[c][v]);
                });
        }
    }
}

// Rows are taken in runs: as many panels as one state array holds while the blocks of centres pass;
// where one block holds all centres, a panel, whose state then stays in the first-level cache.
template <class T> inline constexpr Index kRunPanels = 2304 / kPanelRows<T>;
template <class T> inline constexpr Index kRunRows = kRunPanels<T> * kPanelRows<T>;

// Scores of all rows against all centres. For each run: visitor.begin(row, panel) once a panel,
// visitor.visit(panel in the run, first centre, tile) for its tiles, visitor.end(row, rows).
template <class T, class Centers, class Visitor>
void scan(const Rows<T> &rows, Centers &centers, Visitor &visitor) {
    auto panel = centers.panel();
    const Index longest = centers.count <= centers.block ? kPanelRows<T> : kRunRows<T>;
    for (Index run = 0; run < rows.count; run += longest) {
        const Index size = std::min(longest, rows.count - run);
        for (Index block = 0; block < centers.count; block += centers.block) {
            centers.pack(block);
            const Index last = std::min(centers.count, block + centers.block);
            for (Index p = 0; p * kPanelRows<T> < size; ++p) {
                panel.pack(rows, run + p * kPanelRows<T>, centers.shift.data());
                if (block == 0) visitor.begin(run, p, panel);
                const Index next = run + (p + 1) * kPanelRows<T>;
                score(panel, centers, block, last, [&](Index j, const auto &tile) SHOAL_INLINE {
                    const Index tiles = (j - block) / kTileCenters;
                    if (tiles < kPanelRows<T>) rows.prefetch(next + tiles);
                    visitor.visit(p, j, tile);
                });
            }
        }
        visitor.end(run, size);
    }
}

}  // namespace shoal
