// The rows nearest to each query: the k nearest, or all within a radius.
//
// The truth is the distance in double precision, summed in a fixed order: squared_distance, or
// minus the inner product. Bounds only tell which rows may be near enough: rows lie across the
// lanes, queries are broadcast, and every pair has a bound of how near it may be: the larger, the
// nearer. A row below the query's threshold is passed over; the others are appended to a short
// buffer of the query. A full buffer is cut by selection to the k of largest bound and those that
// rounding might confuse with them; what is left at the end is decided by the truth. No distance is
// stored, and which rows become candidates changes no result.
//
// Bounds are on floats (float_bounds.hpp) or, two and four times as fast, on a lattice of integers
// (lattice_bounds.hpp).
#pragma once

#include <numeric>
#include <optional>

#include "float_bounds.hpp"
#include "lattice_bounds.hpp"

namespace shoal {

// Bit i: whether lane i of a comparison holds.
#if defined(__AVX512F__)
inline unsigned lanes_of(IntVector<float> holds) {
    return _mm512_movepi32_mask(__m512i(holds));
}
inline unsigned lanes_of(IntVector<double> holds) {
    return _mm512_movepi64_mask(__m512i(holds));
}
inline unsigned lanes_of(Shorts holds) { return _mm512_movepi16_mask(__m512i(holds)); }
#elif defined(__AVX2__)
inline unsigned lanes_of(IntVector<float> holds) {
    return unsigned(_mm256_movemask_ps(__m256(holds)));
}
inline unsigned lanes_of(IntVector<double> holds) {
    return unsigned(_mm256_movemask_pd(__m256d(holds)));
}
inline unsigned lanes_of(Shorts holds) {
    const __m256i bytes = _mm256_packs_epi16(__m256i(holds), __m256i{});
    const unsigned bits = unsigned(_mm256_movemask_epi8(bytes));
    return (bits & 0xff) | bits >> 8;
}
#else
template <class V> inline unsigned lanes_of(V holds) {
    unsigned bits = 0;
    for (unsigned i = 0; i < sizeof holds / sizeof holds[0]; ++i) bits |= unsigned(holds[i] & 1) << i;
    return bits;
}
#endif

// The bound of a row that cannot be told from the nearest.
template <class V>
inline constexpr V kNearest = std::numeric_limits<V>::has_infinity
                                  ? std::numeric_limits<V>::infinity()
                                  : std::numeric_limits<V>::max();

// A row of the database beside its distance: smaller is nearer, ties go to the lower row.
struct Neighbor {
    double distance;
    std::int64_t row;
    bool operator<(const Neighbor &other) const {
        return distance != other.distance ? distance < other.distance : row < other.row;
    }
};

// The k nearest so far of each query, sorted, in arrays of the caller.
class NearestKept {
  public:
    NearestKept(Index k, double *distances, std::int64_t *rows)
        : k(k), distances(distances), rows(rows) {}

    Index wanted() const { return k; }
    double reach(Index query) const { return distances[query * k + k - 1]; }

    // Merges the rows found into those kept; returns how many of them belong there.
    Index keep(Index query, std::vector<Neighbor> &found) {
        std::sort(found.begin(), found.end());
        double *const distance = distances + query * k;
        std::int64_t *const row = rows + query * k;
        before.clear();
        for (Index i = 0; i < k; ++i) before.push_back({distance[i], row[i]});
        auto mine = before.begin();
        auto new_one = found.begin();
        for (Index i = 0; i < k; ++i) {
            const bool is_new = new_one != found.end() && *new_one < *mine;
            const Neighbor next = is_new ? *new_one++ : *mine++;
            distance[i] = next.distance;
            row[i] = next.row;
        }
        return new_one - found.begin();
    }

  private:
    Index k;
    double *distances;
    std::int64_t *rows;
    std::vector<Neighbor> before;
};

// All rows within a distance of each query, in no order.
class RadiusKept {
  public:
    explicit RadiusKept(double radius) : radius(radius) {}

    Index wanted() const { return 0; }
    double reach(Index) const { return radius; }

    Index keep(Index query, const std::vector<Neighbor> &found) {
        const std::size_t before = rows.size();
        for (const Neighbor &one : found)
            if (one.distance <= radius) {
                queries.push_back(query);
                rows.push_back(one.row);
                distances.push_back(one.distance);
            }
        return Index(rows.size() - before);
    }

    std::vector<std::int64_t> queries, rows;
    std::vector<double> distances;

  private:
    double radius;
};

inline constexpr Index kFirstRun = 2304;

// Rows that are worth a coarse lattice, and those of its first run: few, as it may let all through.
inline constexpr Index kCoarseRows = 1024, kFirstCoarseRun = 192;

template <class T, class Bounds, class Kept> class NeighborSearch {
  public:
    // numbers: of each row in the database; rows whose number is negative are passed over.
    NeighborSearch(const Matrix<T> &matrix, const std::int64_t *numbers, const T *queries,
                   Bounds &bounds, Kept &kept)
        : matrix(matrix), numbers(numbers), queries(queries), bounds(bounds), kept(kept),
          capacity(16 + 2 * kept.wanted()), candidates(bounds.block() * capacity),
          counts(bounds.block()),
          thresholds(padded(bounds.count()), kNearest<Value>) {}

    // Looks at rows first, ..., last - 1 for every query; returns how many of the distances that
    // were taken bounds of no error would have spared.
    Index look(Index first, Index last) {
        const Rows<T> rows{matrix, nullptr, last};
        const Index before = n_spare;
        for (Index block = 0; block < bounds.count(); block += bounds.block()) {
            const Index end = std::min(bounds.count(), block + bounds.block());
            bounds.pack_queries(block);
            for (Index q = block; q < end; ++q) thresholds[q] = bounds.threshold(q, kept.reach(q));
            for (first_row = first; first_row < last; first_row += Bounds::kRows) {
                bounds.pack_rows(rows, first_row);
                bounds.visit(block, end, [&](Index q, const Grid<Lanes> &grid) SHOAL_INLINE {
                    if (has_candidate(q, grid)) collect(q, grid, last);
                });
            }
            for (Index q = block; q < end; ++q) settle(q);
        }
        return n_spare - before;
    }

  private:
    using Value = typename Bounds::Value;
    using Lanes = typename Bounds::Lanes;
    static constexpr int kWidth = sizeof(Lanes) / sizeof(Value);
    static constexpr unsigned kAll = ~0u >> (32 - kWidth);

    struct Candidate {
        Value bound;
        std::int32_t row;
    };

    static Index padded(Index n) { return (n + kTileCenters - 1) / kTileCenters * kTileCenters; }

    [[gnu::always_inline]] bool has_candidate(Index first, const Grid<Lanes> &grid) const {
        auto under = ~(Lanes{} < Lanes{});
        over_centers([&](auto c) SHOAL_INLINE {
            const Lanes least = broadcast(thresholds[first + c]);
            unroll<kTileVectors>([&](auto v) SHOAL_INLINE { under &= grid[c][v] < least; });
        });
        return lanes_of(under) != kAll;
    }

    [[gnu::noinline]] void collect(Index first, const Grid<Lanes> &grid, Index last) {
        for (int c = 0; c < kTileCenters && first + c < bounds.count(); ++c)
            for (int v = 0; v < kTileVectors; ++v) {
                unsigned near = ~lanes_of(grid[c][v] < broadcast(thresholds[first + c])) & kAll;
                for (; near; near &= near - 1) {
                    const int i = __builtin_ctz(near);
                    const Index row = first_row + v * kWidth + i;
                    if (row < last) append(first + c, row, grid[c][v][i]);
                }
            }
    }

    void append(Index query, Index row, Value bound) {
        if (numbers[row] < 0) return;
        int &count = counts[query % bounds.block()];
        const Value certain = std::isnan(double(bound)) ? kNearest<Value> : bound;
        buffer(query)[count++] = {certain, std::int32_t(row)};
        if (count == capacity) cut(query);
    }

    // Makes room in a full buffer; where bounds cannot, the truth does.
    void cut(Index query) {
        thin(query);
        if (counts[query % bounds.block()] > (capacity + kept.wanted()) / 2) settle(query);
    }

    // Leaves the k candidates of largest bound and those that may be as near.
    void thin(Index query) {
        const Index k = kept.wanted();
        int &count = counts[query % bounds.block()];
        if (k == 0 || count <= k) return;
        Candidate *first = buffer(query), *end = first + count;
        std::nth_element(first, first + k - 1, end, [](const Candidate &a, const Candidate &b) {
            return a.bound > b.bound;
        });
        thresholds[query] =
            std::max(thresholds[query], bounds.threshold_beside(query, first[k - 1].bound));
        const Value least = thresholds[query];
        end = std::partition(first, end, [&](const Candidate &a) { return !(a.bound < least); });
        count = int(end - first);
    }

    void settle(Index query) {
        thin(query);
        int &count = counts[query % bounds.block()];
        if (count == 0) return;
        found.clear();
        for (const Candidate *one = buffer(query), *end = one + count; one < end; ++one)
            found.push_back({Bounds::distance(matrix.row(one->row), matrix.column_stride,
                                              queries + query * matrix.columns, matrix.columns),
                             numbers[one->row]});
        n_spare += count - kept.keep(query, found);
        count = 0;
        thresholds[query] =
            std::max(thresholds[query], bounds.threshold(query, kept.reach(query)));
    }

    Candidate *buffer(Index query) {
        return candidates.data() + query % bounds.block() * capacity;
    }

    const Matrix<T> &matrix;
    const std::int64_t *numbers;
    const T *queries;
    Bounds &bounds;
    Kept &kept;
    Index capacity, first_row = 0, n_spare = 0;
    std::vector<Candidate> candidates;
    std::vector<int> counts;
    Buffer<Value> thresholds;
    std::vector<Neighbor> found;
};

// The rows nearest to the queries by floats.
template <class T, class Metric, class Kept>
void search_by_floats(const Matrix<T> &matrix, const std::int64_t *numbers, const T *queries,
                      Index count, const double *shift, Kept &kept) {
    Centers<T> centers(queries, count, matrix.columns, shift);
    FloatBounds<T, Metric> bounds(centers);
    NeighborSearch<T, FloatBounds<T, Metric>, Kept>(matrix, numbers, queries, bounds, kept)
        .look(0, matrix.rows);
}

template <class Lattice> bool suits(Index features) {
    return features >= Lattice::kLeastFeatures && features <= Lattice::kMostFeatures;
}

// The nearest by euclidean distance on a lattice: run by run, while that pays.
template <class Lattice, class T, class Kept> class LatticeSearch {
  public:
    LatticeSearch(const Matrix<T> &matrix, const std::int64_t *numbers, const T *queries,
                  Index count, const std::vector<T> &origin, double length, Kept &kept)
        : count(count), kept(kept),
          bounds(queries, count, origin, lattice_scale<Lattice>(matrix.columns, length)),
          search(matrix, numbers, queries, bounds, kept) {}

    // Looks at rows first, ..., last - 1; returns whether that took so few distances that the
    // lattice saved more time. The first k rows of a query do not count: bounds that are as good as
    // any let as many more through.
    bool look(Index first, Index last) {
        const Index first_ones = std::isinf(kept.reach(0)) ? kept.wanted() : 0;
        const Index spared = count * (last - first) / Lattice::kPairsADistance;
        return search.look(first, last) <= spared + count * first_ones;
    }

  private:
    Index count;
    Kept &kept;
    LatticeBounds<T, Lattice> bounds;
    NeighborSearch<T, LatticeBounds<T, Lattice>, Kept> search;
};

// The nearest by euclidean distance. Once there are neighbours the coarse lattice is tried on a run
// of rows, and goes on with longer ones while that pays; where it does not the fine one takes a run,
// each twice as long as the one before, until neighbours are near enough. Where the fine one does
// not pay either, because rows are closer than it is fine, floats look at the rest.
template <class T, class Kept>
void search_euclidean(const Matrix<T> &matrix, const std::int64_t *numbers, const T *queries,
                      Index count, const double *shift, Kept &kept) {
    Index first = 0;
    const std::vector<T> origin(shift, shift + matrix.columns);
    const double length = lattice_length(matrix, queries, count, origin);
    const bool is_coarse_apt =
        kHasByteTile && suits<CoarseLattice>(matrix.columns) && matrix.rows >= kCoarseRows;
    // Where there is no tile for it, it is not even compiled.
    using Coarse = std::conditional_t<kHasByteTile, CoarseLattice, FineLattice>;
    std::optional<LatticeSearch<Coarse, T, Kept>> coarse;
    std::optional<LatticeSearch<FineLattice, T, Kept>> fine;
    bool pays = length > 0 && suits<FineLattice>(matrix.columns);
    for (Index fine_run = kFirstRun; pays && first < matrix.rows; fine_run *= 2) {
        const auto look = [&](auto &search, Index run) {
            if (!search) search.emplace(matrix, numbers, queries, count, origin, length, kept);
            const Index last = std::min(first + run, matrix.rows);
            const bool has_paid = search->look(first, last);
            first = last;
            return has_paid;
        };
        bool go_on = is_coarse_apt && std::isfinite(kept.reach(0));
        for (Index run = kFirstCoarseRun; go_on && first < matrix.rows; run *= 4)
            go_on = look(coarse, run);
        if (first < matrix.rows) pays = look(fine, fine_run);
    }
    if (first < matrix.rows)
        search_by_floats<T, SquaredEuclidean>(matrix.between(first, matrix.rows), numbers + first,
                                              queries, count, shift, kept);
}

}  // namespace shoal
