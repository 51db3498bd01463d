// The nearest centre of every row of a compressed sparse row matrix.
//
// Only stored values are multiplied: the centres are copied transposed, so that a stored value
// meets its feature of many centres in consecutive lanes. Rows are not centred, which would fill
// them. A score is the chain of `assign` over the stored values; close rows are decided by the same
// D.
#pragma once

#include "assign.hpp"

namespace shoal {

template <class T, class Column> class SparseAssignment {
  public:
    SparseAssignment(const CsrMatrix<T, Column> &matrix, const T *centers, Index count,
                     Index features)
        : matrix(matrix), centers(centers), count(count), features(features),
          width((count + group - 1) / group * group), transposed(features * width),
          offsets(width, -std::numeric_limits<T>::infinity()), scores(width), dense(features) {
        double largest = 0;
        for (Index j = 0; j < count; ++j) {
            double norm = 0;
            for (Index f = 0; f < features; ++f) {
                const double c = transposed[f * width + j] = centers[j * features + f];
                norm += c * c;
            }
            offsets[j] = T(-norm / 2);
            largest = std::max(largest, norm);
        }
        largest_norm = std::nextafter(T(std::sqrt(largest)), std::numeric_limits<T>::infinity());
    }

    void run(std::int32_t *labels, double *distances) {
        for (Index i = 0; i < matrix.rows; ++i) {
            score(i);
            const auto [label, best, second] = leader();
            const T needed = margin(i);
            const bool clear = best - second > needed;
            if (!clear || distances) scatter(i);
            labels[i] = clear ? label : recheck(best - needed);
            if (distances) distances[i] = distance_to(labels[i]);
            if (!clear || distances) clear_scattered(i);
        }
    }

  private:
    static constexpr int lanes = kLanes<T>, vectors = 8, group = vectors * lanes;
    struct Leader {
        std::int32_t label;
        T best, second;
    };

    void score(Index row) {
        const Index first = matrix.indptr[row], last = matrix.indptr[row + 1];
        for (Index j = 0; j < width; j += group) {
            Vector<T> sums[vectors];
            unroll<vectors>([&](auto v) SHOAL_INLINE {
                sums[v] = load(offsets.data() + j + v * lanes);
            });
            for (Index e = first; e < last; ++e) {
                const T *feature = transposed.data() + Index(matrix.indices[e]) * width + j;
                const Vector<T> x = broadcast(matrix.data[e]);
                unroll<vectors>([&](auto v) SHOAL_INLINE {
                    sums[v] = fma(x, load(feature + v * lanes), sums[v]);
                });
            }
            unroll<vectors>([&](auto v) SHOAL_INLINE {
                store(scores.data() + j + v * lanes, sums[v]);
            });
        }
    }

    // Lane by lane, then across lanes. Equal scores are rechecked, whichever leads.
    Leader leader() const {
        Vector<T> best = broadcast(-std::numeric_limits<T>::infinity()), second = best;
        IntVector<T> label{};
        for (Index j = 0; j < width; j += lanes) {
            const Vector<T> score = load(scores.data() + j), loser = score < best ? score : best;
            label = score > best ? Integer(j) - IntVector<T>{} : label;
            second = loser > second ? loser : second;
            best = score > best ? score : best;
        }
        Leader all{0, best[0], second[0]};
        all.label = std::int32_t(label[0]);
        for (int i = 1; i < lanes; ++i) {
            const bool wins = best[i] > all.best;
            all.second = std::max({all.second, T(second[i]), wins ? all.best : T(best[i])});
            if (wins) all.best = best[i], all.label = std::int32_t(label[i]) + i;
        }
        return all;
    }

    T margin(Index row) const {
        T norm = 0;
        const Index first = matrix.indptr[row], last = matrix.indptr[row + 1];
        for (Index e = first; e < last; ++e) norm += matrix.data[e] * matrix.data[e];
        return Margin<T>(last - first, features, largest_norm)(norm);
    }

    std::int32_t recheck(T threshold) const {
        std::int32_t label = 0;
        double least = std::numeric_limits<double>::infinity();
        for (Index j = 0; j < count; ++j) {
            if (scores[j] < threshold) continue;
            if (const double distance = distance_to(j); distance < least) {
                least = distance;
                label = std::int32_t(j);
            }
        }
        return label;
    }

    double distance_to(Index center) const {
        return squared_distance(dense.data(), 1, centers + center * features, features);
    }
    void scatter(Index row) {
        for (Index e = matrix.indptr[row]; e < matrix.indptr[row + 1]; ++e)
            dense[matrix.indices[e]] = matrix.data[e];
    }
    void clear_scattered(Index row) {
        for (Index e = matrix.indptr[row]; e < matrix.indptr[row + 1]; ++e)
            dense[matrix.indices[e]] = 0;
    }

    using Integer = typename VectorOf<T>::Integer;
    const CsrMatrix<T, Column> &matrix;
    const T *centers;
    Index count, features, width;
    Buffer<T> transposed, offsets, scores, dense;
    T largest_norm;
};

}  // namespace shoal
