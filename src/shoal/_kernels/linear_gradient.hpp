// Losses of linear predictions and their gradients, summed in fixed point.
#pragma once

#include "linear.hpp"

namespace shoal {

// What rows are compared with: targets, row-major (rows, targets), and weights (null for none).
struct Observed {
    const double *target, *weight;
    int64_t targets;

    // Rows that only fill up a group have weight 0.
    void take(RowGroup &group) const {
        const int64_t rows = group.rows, filled = group.filled(), stride = group.stride;
        double *const w = group.weight.data();
        if (weight)
            std::copy_n(weight + group.first, rows, w);
        else
            std::fill_n(w, rows, 1.0);
        std::fill(w + rows, w + filled, 0.0);
        for (int64_t t = 0; t < targets; ++t)
            for (int64_t r = 0; r < rows; ++r)
                group.target[t * stride + r] = target[(group.first + r) * targets + t];
        for (int64_t k = 0; k < group.outputs; ++k)
            std::fill(&group.raw[k * stride + rows], &group.raw[k * stride] + filled, 0.0);
    }
};

// Fixed-point sums of w g (x - m) in `limbs` planes of (outputs, columns), of w g in planes of
// (outputs), and of w loss in two limbs; and the largest |w g| and |w loss| met.
struct LossSums {
    uint64_t *sums, *intercept_sums, *value_sums;
    double *largest_gradient, *largest_value;
    int64_t limbs;
    double gradient_scale, value_scale, low_scale;
};

// Where the fixed point of each column lies. Adding a rounder rounds to a multiple of its last
// place, which leaves the integer in its low bits without a multiplication by a scale. The low
// limb's scale brings the remainder to integers.
struct ColumnPoint {
    std::vector<double> rounders, low_scales;

    ColumnPoint(const std::vector<double> &scale, double low_scale)
        : rounders(rounded_up(scale.size(), dot_sums), rounder),
          low_scales(rounders.size(), low_scale) {
        for (size_t j = 0; j < scale.size(); ++j) {
            rounders[j] = rounder / scale[j];
            low_scales[j] = low_scale * scale[j];
        }
    }

    uint64_t bias_of(int64_t j, int limb) const {
        return limb ? bias : std::bit_cast<uint64_t>(rounders[j]);
    }
};

// The biased limbs of z g. One limb is the nearest integer to the exact product.
template <int limbs, class D>
[[gnu::always_inline]] inline std::array<WordOf<D>, limbs> product_limbs(D z, D g, D column_rounder,
                                                                         const double *low_scale) {
    if constexpr (limbs == 1) {
        return {std::bit_cast<WordOf<D>>(fma(z, g, column_rounder))};
    } else {
        const D t = z * g, rounded = t + column_rounder;
        const D remainder = t - (rounded - column_rounder);
        return {std::bit_cast<WordOf<D>>(rounded),
                std::bit_cast<WordOf<D>>(remainder * load_as<D>(low_scale) + rounder)};
    }
}

// Multiplies terms by weight and scale, adds their limbs, and notes the largest. A row of weight 0
// adds nothing whatever its loss; a NaN shows as an infinity.
template <int limbs>
void sum_terms(double *terms, const double *weight, int64_t n, double scale, double low_scale,
               double &largest, uint64_t *sums, int64_t plane) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    Doubles most = broadcast(largest);
    std::array<Words, limbs> totals{};
    for (int64_t i = 0; i < n; i += lanes) {
        const Doubles w = load_as<Doubles>(weight + i);
        const Doubles term = w == 0.0 ? Doubles{} : w * load_as<Doubles>(terms + i);
        const Doubles size = abs(term), scaled = term * scale;
        most = max(most, size == size ? size : broadcast(infinity));
        store(terms + i, scaled);
        const auto words = biased_limbs<limbs>(scaled, low_scale);
        unroll<limbs>([&](auto limb) SHOAL_INLINE { totals[limb] += words[limb]; });
    }
    for (int l = 0; l < lanes; ++l) largest = std::max<double>(largest, most[l]);
    for (int limb = 0; limb < limbs; ++limb) {
        for (int l = 0; l < lanes; ++l) sums[limb * plane] += totals[limb][l];
        sums[limb * plane] -= bias * n;
    }
}

// Sums of products over dense rows. Words hold the bias once for each row until finish().
template <int limbs, bool centred> class DenseProducts {
  public:
    DenseProducts(const LinearModel &model, const ColumnPoint &point)
        : model(model), point(point), plane(model.outputs * model.width), totals(limbs * plane) {}

    template <class T> void add(DenseRows<T> &rows, const RowGroup &group) {
        for (int64_t k = 0; k < model.outputs; ++k) {
            const double *g = group.gradient.data() + k * group.stride;
            uint64_t *const sums = totals.data() + k * model.width;
            rows.template for_each_wide_block<wide>(
                [&]<int blocks>(const T *x, int64_t stride, int64_t j) SHOAL_INLINE {
                    add_products<blocks>(x, stride, group.rows, j, g, sums + j, rows.next);
                });
        }
        counted += group.rows;
    }

    void finish(uint64_t *sums) const {
        for (int64_t limb = 0; limb < limbs; ++limb)
            for (int64_t k = 0; k < model.outputs; ++k)
                for (int64_t j = 0; j < model.columns; ++j)
                    *sums++ += totals[limb * plane + k * model.width + j] -
                               point.bias_of(j, limb) * counted;
    }

  private:
    static constexpr int wide = std::max<int>(1, 4 / limbs / dot_vectors);

    // Adds the biased limbs of z g to `blocks` times 8 columns of sums, which stay in registers
    // over the rows of a group. Inlined, its loop would share the registers of its callers.
    template <int blocks, class T>
    [[gnu::noinline]] void add_products(const T *x, int64_t stride, int64_t rows, int64_t column,
                                        const double *g, uint64_t *sums,
                                        RowsAhead<T> &next) const {
        constexpr int vectors = blocks * dot_vectors;
        std::array<std::array<Words, limbs>, vectors> words;
        std::array<Doubles, vectors> rounders;
        const auto for_each_word = [&](auto visit) SHOAL_INLINE {
            unroll<vectors>([&](auto v) SHOAL_INLINE {
                unroll<limbs>([&](auto limb) SHOAL_INLINE {
                    visit(sums + limb * plane + v * lanes, words[v][limb]);
                });
            });
        };
        for_each_word([](uint64_t *from, Words &word) SHOAL_INLINE {
            std::memcpy(&word, from, sizeof word);
        });
        unroll<vectors>([&](auto v) SHOAL_INLINE {
            rounders[v] = load_as<Doubles>(point.rounders.data() + column + v * lanes);
        });
        const double *const low_scales = point.low_scales.data() + column,
                           *const shift = model.shift.data() + column;
        for (const double *const end = g + rows; g != end; ++g, x += stride) {
            if ((end - g) % 2 == 0) next.ask(1);
            const Doubles gradient = broadcast(*g);
            unroll<vectors>([&](auto v) SHOAL_INLINE {
                const auto more = product_limbs<limbs>(
                    centre<centred>(x + v * lanes, shift + v * lanes), gradient, rounders[v],
                    low_scales + v * lanes);
                unroll<limbs>([&](auto limb) SHOAL_INLINE { words[v][limb] += more[limb]; });
            });
        }
        for_each_word([](uint64_t *to, const Words &word) SHOAL_INLINE {
            std::memcpy(to, &word, sizeof word);
        });
    }

    const LinearModel &model;
    const ColumnPoint &point;
    int64_t plane;
    uint64_t counted = 0;
    std::vector<uint64_t> totals;
};

// Sums of products over the stored values of sparse rows.
template <int limbs, class T, class Column>
void add_products(const SparseRows<T, Column> &rows, const RowGroup &group, int64_t columns,
                  const ColumnPoint &point, uint64_t *sums) {
    const int64_t plane = group.outputs * columns;
    for (int64_t k = 0; k < group.outputs; ++k)
        for (int64_t r = 0; r < group.rows; ++r) {
            const double g = group.gradient[k * group.stride + r];
            rows.for_each_stored(r, [&](int64_t j, double z) {
                const auto words = product_limbs<limbs>(z, g, point.rounders[j],
                                                        point.low_scales.data() + j);
                for (int limb = 0; limb < limbs; ++limb)
                    sums[limb * plane + k * columns + j] += words[limb] - point.bias_of(j, limb);
            });
        }
}

// The loss of linear predictions against what was observed.
struct LinearLoss {
    const LinearModel &model;
    TermsFunction terms;
    double parameter;
    const Observed &observed;

    // Sums the terms of a group, and leaves its gradients weighted and scaled.
    template <int limbs> void sum(RowGroup &group, const LossSums &into) const {
        observed.take(group);
        const int64_t n = group.filled();
        terms(parameter, {n, group.stride, group.outputs, observed.targets, group.target.data(),
                          group.raw.data(), group.value.data(), group.gradient.data(), nullptr});
        for (int64_t k = 0; k < group.outputs; ++k) {
            const double *weight = group.weight.data();
            sum_terms<2>(&group.value[k * group.stride], weight, n, into.value_scale,
                         into.low_scale, *into.largest_value, into.value_sums, 1);
            sum_terms<limbs>(&group.gradient[k * group.stride], weight, n, into.gradient_scale,
                             into.low_scale, *into.largest_gradient, into.intercept_sums + k,
                             group.outputs);
        }
    }
};

template <int limbs, bool centred, class T>
void add_dense(const Matrix<T> &x, const LinearLoss &loss, const ColumnPoint &point,
               const LossSums &into) {
    RowGroup group(most_rows(x), loss.model.outputs, loss.observed.targets);
    DenseProducts<limbs, centred> products(loss.model, point);
    for_each_group(x, loss.model, group, [&](DenseRows<T> &rows, RowGroup &predicted) {
        loss.sum<limbs>(predicted, into);
        products.add(rows, predicted);
    });
    products.finish(into.sums);
}

template <int limbs, class T>
void add_loss(const Matrix<T> &x, const LinearLoss &loss, const ColumnPoint &point,
              const LossSums &into) {
    loss.model.shift.empty() ? add_dense<limbs, false>(x, loss, point, into)
                             : add_dense<limbs, true>(x, loss, point, into);
}

template <int limbs, class T, class Column>
void add_loss(const CsrMatrix<T, Column> &x, const LinearLoss &loss, const ColumnPoint &point,
              const LossSums &into) {
    RowGroup group(most_rows(x), loss.model.outputs, loss.observed.targets);
    for_each_group(x, loss.model, group, [&](const auto &rows, RowGroup &predicted) {
        loss.sum<limbs>(predicted, into);
        add_products<limbs>(rows, predicted, x.columns, point, into.sums);
    });
}

template <class X>
void linear_gradient(const X &x, const LinearLoss &loss, const std::vector<double> &scale,
                     const LossSums &into) {
    const ColumnPoint point(scale, into.low_scale);
    into.limbs == 1 ? add_loss<1>(x, loss, point, into) : add_loss<2>(x, loss, point, into);
}

}  // namespace shoal
