// Linear predictions W (x - m) + b, and the gradients of losses of them summed in one pass.
//
// Rows are widened and centred a group at a time into a buffer that stays in the cache: from there
// they are multiplied with the coefficients, and again with the derivatives of the loss. Memory is
// read once. A dot product has 8 sums, the l-th over columns l, l + 8, ... in order, folded in one
// fixed tree, so its bits depend on neither the instruction set nor the layout.
#pragma once

#include <algorithm>
#include <limits>
#include <vector>

#include "losses.hpp"
#include "strips.hpp"

namespace shoal {

constexpr int64_t dot_sums = 8, dot_vectors = dot_sums / lanes;

inline int64_t rounded_up(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

// Coefficients (outputs, width) and intercepts of columns centred by `shift` and multiplied by
// `scale`, powers of two; filled up to `width` columns with zeros.
struct LinearModel {
    int64_t outputs, columns, width;
    std::vector<double> shift, scale, coef;
    const double *intercept;

    LinearModel(const double *coefficients, const double *intercept, const double *means,
                std::vector<double> powers, int64_t outputs)
        : outputs(outputs), columns(powers.size()), width(rounded_up(columns, dot_sums)),
          shift(width), scale(std::move(powers)), coef(outputs * width), intercept(intercept) {
        if (means) std::copy_n(means, columns, shift.data());
        for (int64_t k = 0; k < outputs; ++k)
            for (int64_t j = 0; j < columns; ++j)
                coef[k * width + j] = coefficients[k * columns + j] / scale[j];
        scale.resize(width);
    }

    const double *of(int64_t output) const { return coef.data() + output * width; }
};

// Raw predictions and what the loss makes of them, (outputs, stride); the rows of a group stand
// side by side, filled up to whole vectors.
struct RowGroup {
    int64_t first = 0, rows = 0, stride, outputs;
    std::vector<double> raw, target, weight, value, gradient;

    RowGroup(int64_t most_rows, int64_t outputs, int64_t targets)
        : stride(rounded_up(most_rows, lanes)), outputs(outputs), raw(outputs * stride),
          target(targets * stride), weight(stride), value(outputs * stride),
          gradient(outputs * stride) {}

    int64_t filled() const { return rounded_up(rows, lanes); }
};

// ((s0 + s4) + (s2 + s6)) + ((s1 + s5) + (s3 + s7)).
inline double fold(const Doubles (&sums)[dot_vectors]) {
    double s[dot_sums];
    std::memcpy(s, sums, sizeof s);
    for (int half = dot_sums / 2; half > 0; half /= 2)
        for (int l = 0; l < half; ++l) s[l] += s[l + half];
    return s[0];
}

// Dot products of `count` neighbouring rows, whose sums do not wait for each other.
template <int count>
void dot_rows(const double *rows, const double *coef, int64_t width, double intercept,
              double *out) {
    Doubles sums[count][dot_vectors]{};
    for (int64_t j = 0; j < width; j += dot_sums)
        for (int v = 0; v < dot_vectors; ++v) {
            const int64_t at = j + v * lanes;
            const Doubles c = load<Doubles>(coef + at);
            for (int r = 0; r < count; ++r)
                sums[r][v] = fma(load<Doubles>(rows + r * width + at), c, sums[r][v]);
        }
    for (int r = 0; r < count; ++r) out[r] = fold(sums[r]) + intercept;
}

// Some rows, centred and scaled, filled up with zeros to `width` columns.
class CenteredRows {
  public:
    explicit CenteredRows(const LinearModel &model) : model(model) {}

    // Takes the columns of a strip; returns whether its rows are complete.
    template <class T> bool take(const Strip<T> &strip) {
        if (int64_t(rows.size()) < strip.count * model.width) rows.resize(strip.count * model.width);
        for (int64_t r = 0; r < strip.count; ++r)
            center(strip.row(r), strip.column, strip.width,
                   rows.data() + r * model.width + strip.column);
        return strip.column + strip.width == model.columns;
    }

    const double *row(int64_t r) const { return rows.data() + r * model.width; }

    void predict(RowGroup &group) const {
        for (int64_t k = 0; k < model.outputs; ++k) {
            double *raw = group.raw.data() + k * group.stride;
            int64_t r = 0;
            for (; r + 4 <= group.rows; r += 4)
                dot_rows<4>(row(r), model.of(k), model.width, model.intercept[k], raw + r);
            for (; r < group.rows; ++r)
                dot_rows<1>(row(r), model.of(k), model.width, model.intercept[k], raw + r);
        }
    }

  private:
    template <class T> void center(const T *x, int64_t column, int64_t n, double *to) const {
        const double *shift = model.shift.data() + column, *scale = model.scale.data() + column;
        int64_t j = 0;
        for (; j + lanes <= n; j += lanes)
            store(to + j, (load<Doubles>(x + j) - load<Doubles>(shift + j)) *
                              load<Doubles>(scale + j));
        for (; j < n; ++j) to[j] = (x[j] - shift[j]) * scale[j];
    }

    const LinearModel &model;
    std::vector<double> rows;
};

// Calls visit(rows, group) for groups of rows with their raw predictions.
template <class T, class Visit>
void for_each_group(const Matrix<T> &x, const LinearModel &model, RowGroup &group, Visit visit) {
    CenteredRows rows(model);
    for_each_strip(x, nullptr, x.rows, [&](const Strip<T> &strip) {
        if (!rows.take(strip)) return;
        group.first = strip.first, group.rows = strip.count;
        rows.predict(group);
        visit(rows, group);
    });
}

template <class T> int64_t most_rows(const Matrix<T> &x) {
    return rows_at_once(std::min(strip_columns, x.columns));
}

// Rows of a compressed sparse row matrix, which is not centred. The sums of a dot product are those
// of a dense one: zeros would add nothing.
template <class T, class Column> struct SparseRows {
    const CsrMatrix<T, Column> &x;
    const LinearModel &model;
    int64_t first;

    double predict(int64_t r, int64_t output) const {
        const double *coef = model.of(output);
        double s[dot_sums]{};
        for_each_stored(r, [&](int64_t j, double z) {
            s[j % dot_sums] = std::fma(z, coef[j], s[j % dot_sums]);
        });
        Doubles sums[dot_vectors];
        std::memcpy(sums, s, sizeof sums);
        return fold(sums) + model.intercept[output];
    }

    template <class Visit> void for_each_stored(int64_t r, Visit visit) const {
        for (int64_t p = x.indptr[first + r]; p < x.indptr[first + r + 1]; ++p)
            visit(x.indices[p], x.data[p] * model.scale[x.indices[p]]);
    }
};

template <class T, class Column> int64_t most_rows(const CsrMatrix<T, Column> &) { return 256; }

template <class T, class Column, class Visit>
void for_each_group(const CsrMatrix<T, Column> &x, const LinearModel &model, RowGroup &group,
                    Visit visit) {
    for (int64_t first = 0; first < x.rows; first += group.stride) {
        const SparseRows<T, Column> rows{x, model, first};
        group.first = first, group.rows = std::min<int64_t>(group.stride, x.rows - first);
        for (int64_t k = 0; k < model.outputs; ++k)
            for (int64_t r = 0; r < group.rows; ++r)
                group.raw[k * group.stride + r] = rows.predict(r, k);
        visit(rows, group);
    }
}

// Raw predictions of all rows, row-major (rows, outputs).
template <class X> void linear_predict(const X &x, const LinearModel &model, double *out) {
    RowGroup group(most_rows(x), model.outputs, 0);
    for_each_group(x, model, group, [&](const auto &, const RowGroup &done) {
        for (int64_t r = 0; r < done.rows; ++r)
            for (int64_t k = 0; k < model.outputs; ++k)
                out[(done.first + r) * model.outputs + k] = done.raw[k * done.stride + r];
    });
}

// What rows are compared with: targets, row-major (rows, targets), and weights (null for none).
struct Observed {
    const double *target, *weight;
    int64_t targets;

    // Rows that only fill up a group have weight 0.
    void take(RowGroup &group) const {
        std::fill(group.weight.begin(), group.weight.end(), 0.0);
        for (int64_t r = 0; r < group.rows; ++r) {
            group.weight[r] = weight ? weight[group.first + r] : 1.0;
            for (int64_t t = 0; t < targets; ++t)
                group.target[t * group.stride + r] = target[(group.first + r) * targets + t];
        }
        for (double *fill = group.raw.data(); fill < group.raw.data() + group.raw.size();
             fill += group.stride)
            std::fill(fill + group.rows, fill + group.filled(), 0.0);
    }
};

// Fixed-point sums of w g (x - m) scale in `limbs` planes of (outputs, columns), of w g in planes
// of (outputs), and of w loss in two limbs; and the largest |w g| and |w loss| met.
struct LossSums {
    uint64_t *sums, *intercept_sums, *value_sums;
    double *largest_gradient, *largest_value;
    int64_t limbs;
    double gradient_scale, value_scale, low_scale;
};

// Multiplies the terms of a group by weight and scale, and notes the largest. A row of weight 0
// adds nothing whatever its loss; a NaN shows as an infinity.
inline void weigh(const RowGroup &group, std::vector<double> &terms, double scale,
                  double &largest) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    Doubles most = broadcast(largest);
    for (int64_t k = 0; k < group.outputs; ++k)
        for (int64_t r = 0; r < group.filled(); r += lanes) {
            const Doubles w = load<Doubles>(group.weight.data() + r);
            double *const at = terms.data() + k * group.stride + r;
            const Doubles product = w == 0.0 ? Doubles{} : w * load<Doubles>(at);
            const Doubles size = abs(product);
            most = max(most, size == size ? size : broadcast(infinity));
            store(at, product * scale);
        }
    for (int l = 0; l < lanes; ++l) largest = std::max<double>(largest, most[l]);
}

// Adds the limbs of n scaled terms, whole vectors.
template <int limbs>
void sum_terms(const double *terms, int64_t n, double low_scale, uint64_t *sums, int64_t plane) {
    std::array<Words, limbs> totals{};
    for (int64_t i = 0; i < n; i += lanes) {
        const auto words = biased_limbs<limbs>(load<Doubles>(terms + i), low_scale);
        for (int limb = 0; limb < limbs; ++limb) totals[limb] += words[limb];
    }
    for (int limb = 0; limb < limbs; ++limb) {
        for (int l = 0; l < lanes; ++l) sums[limb * plane] += totals[limb][l];
        sums[limb * plane] -= bias * n;
    }
}

// The biased limbs of z g. One limb is the nearest integer to the exact product.
template <int limbs>
inline std::array<Words, limbs> product_limbs(Doubles z, Doubles g, double low_scale) {
    if constexpr (limbs == 1)
        return {std::bit_cast<Words>(fma(z, g, broadcast(rounder)))};
    else
        return biased_limbs<limbs>(z * g, low_scale);
}

// Adds the biased limbs of z g to `count` neighbouring vectors of sums, over all rows of a group.
template <int limbs, int count>
void add_products(const double *z, int64_t width, const double *g, int64_t rows, double low_scale,
                  uint64_t *sums, int64_t plane) {
    Words totals[limbs][count];
    for (int limb = 0; limb < limbs; ++limb)
        std::memcpy(totals[limb], sums + limb * plane, sizeof totals[limb]);
    for (int64_t r = 0; r < rows; ++r, z += width) {
        const Doubles gradient = broadcast(g[r]);
        for (int v = 0; v < count; ++v) {
            const auto words =
                product_limbs<limbs>(load<Doubles>(z + v * lanes), gradient, low_scale);
            for (int limb = 0; limb < limbs; ++limb) totals[limb][v] += words[limb];
        }
    }
    for (int limb = 0; limb < limbs; ++limb)
        std::memcpy(sums + limb * plane, totals[limb], sizeof totals[limb]);
}

// Sums over dense rows. Words hold the bias once for each row until finish().
template <int limbs> class DenseProducts {
  public:
    DenseProducts(const LinearModel &model, double low_scale)
        : model(model), low_scale(low_scale), plane(model.outputs * model.width),
          totals(limbs * plane) {}

    void add(const CenteredRows &rows, const RowGroup &group) {
        constexpr int count = 2 * dot_vectors;
        for (int64_t k = 0; k < model.outputs; ++k) {
            const double *g = group.gradient.data() + k * group.stride;
            uint64_t *const sums = totals.data() + k * model.width;
            int64_t j = 0;
            for (; j + 2 * dot_sums <= model.width; j += 2 * dot_sums)
                add_products<limbs, count>(rows.row(0) + j, model.width, g, group.rows, low_scale,
                                           sums + j, plane);
            if (j < model.width)
                add_products<limbs, count / 2>(rows.row(0) + j, model.width, g, group.rows,
                                               low_scale, sums + j, plane);
        }
        counted += group.rows;
    }

    void finish(uint64_t *sums) const {
        for (int64_t limb = 0; limb < limbs; ++limb)
            for (int64_t k = 0; k < model.outputs; ++k)
                for (int64_t j = 0; j < model.columns; ++j)
                    *sums++ += totals[limb * plane + k * model.width + j] - bias * counted;
    }

  private:
    const LinearModel &model;
    double low_scale;
    int64_t plane;
    uint64_t counted = 0;
    std::vector<uint64_t> totals;
};

template <int limbs>
inline void add_product(double z, double g, double low_scale, uint64_t *sums, int64_t plane) {
    if constexpr (limbs == 1)
        *sums += std::bit_cast<uint64_t>(std::fma(z, g, rounder)) - bias;
    else
        add_value<limbs>(z * g, low_scale, sums, plane);
}

template <int limbs, class T, class Column>
void add_products(const SparseRows<T, Column> &rows, const RowGroup &group, const LossSums &into) {
    const int64_t columns = rows.model.columns, plane = group.outputs * columns;
    for (int64_t k = 0; k < group.outputs; ++k)
        for (int64_t r = 0; r < group.rows; ++r) {
            const double g = group.gradient[k * group.stride + r];
            rows.for_each_stored(r, [&](int64_t j, double z) {
                add_product<limbs>(z, g, into.low_scale, into.sums + k * columns + j, plane);
            });
        }
}

// The terms of a group, weighted and scaled, summed but for the products with rows.
template <int limbs>
void sum_group(TermsFunction terms, double parameter, const Observed &observed, RowGroup &group,
               const LossSums &into) {
    observed.take(group);
    terms(parameter, {group.filled(), group.stride, group.outputs, observed.targets,
                      group.target.data(), group.raw.data(), group.value.data(),
                      group.gradient.data(), nullptr});
    weigh(group, group.value, into.value_scale, *into.largest_value);
    weigh(group, group.gradient, into.gradient_scale, *into.largest_gradient);
    for (int64_t k = 0; k < group.outputs; ++k) {
        sum_terms<2>(group.value.data() + k * group.stride, group.filled(), into.low_scale,
                     into.value_sums, 1);
        sum_terms<limbs>(group.gradient.data() + k * group.stride, group.filled(), into.low_scale,
                         into.intercept_sums + k, group.outputs);
    }
}

template <int limbs, class T>
void add_loss(const Matrix<T> &x, const LinearModel &model, TermsFunction terms, double parameter,
              const Observed &observed, const LossSums &into) {
    RowGroup group(most_rows(x), model.outputs, observed.targets);
    DenseProducts<limbs> products(model, into.low_scale);
    for_each_group(x, model, group, [&](const CenteredRows &rows, RowGroup &predicted) {
        sum_group<limbs>(terms, parameter, observed, predicted, into);
        products.add(rows, predicted);
    });
    products.finish(into.sums);
}

template <int limbs, class T, class Column>
void add_loss(const CsrMatrix<T, Column> &x, const LinearModel &model, TermsFunction terms,
              double parameter, const Observed &observed, const LossSums &into) {
    RowGroup group(most_rows(x), model.outputs, observed.targets);
    for_each_group(x, model, group, [&](const auto &rows, RowGroup &predicted) {
        sum_group<limbs>(terms, parameter, observed, predicted, into);
        add_products<limbs>(rows, predicted, into);
    });
}

template <class X>
void linear_gradient(const X &x, const LinearModel &model, TermsFunction terms, double parameter,
                     const Observed &observed, const LossSums &into) {
    into.limbs == 1 ? add_loss<1>(x, model, terms, parameter, observed, into)
                    : add_loss<2>(x, model, terms, parameter, observed, into);
}

}  // namespace shoal
