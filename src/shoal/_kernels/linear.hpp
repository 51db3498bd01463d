// Linear predictions W (x - m) + b, and the gradients of losses of them summed in one pass.
//
// Rows come in groups that stay in the first-level cache: there they are multiplied with the
// coefficients, and again with the derivatives of the loss, so memory is read once. A dot product
// has 8 sums, the l-th over columns l, l + 8, ... in order, folded in one fixed tree, so its bits
// depend on neither the instruction set nor the layout.
#pragma once

#include <algorithm>
#include <array>
#include <limits>
#include <vector>

#include "losses.hpp"
#include "rows_ahead.hpp"
#include "strips.hpp"
#include "unroll.hpp"

namespace shoal {

constexpr int64_t dot_sums = 8, dot_vectors = dot_sums / lanes;

inline int64_t rounded_up(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

// `rows` times `columns` values, each row filled up with zeros to `width`, whole vectors.
inline std::vector<double> filled_up(const double *values, int64_t rows, int64_t columns) {
    const int64_t width = rounded_up(columns, dot_sums);
    std::vector<double> filled(rows * width);
    for (int64_t r = 0; r < rows; ++r)
        std::copy_n(values + r * columns, columns, filled.data() + r * width);
    return filled;
}

// Coefficients (outputs, width), intercepts (outputs) and the point that rows are centred on
// (width; empty for none).
struct LinearModel {
    int64_t outputs, columns, width;
    std::vector<double> coef, shift;
    const double *intercept;

    LinearModel(const double *coef, const double *intercept, const double *shift, int64_t outputs,
                int64_t columns)
        : outputs(outputs), columns(columns), width(rounded_up(columns, dot_sums)),
          coef(filled_up(coef, outputs, columns)),
          shift(filled_up(shift, shift ? 1 : 0, columns)), intercept(intercept) {}

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

// The 8 sums of a dot product.
using DotSums = std::array<Doubles, dot_vectors>;

template <int distance, int... lane>
inline Doubles swap_lanes(Doubles s, std::integer_sequence<int, lane...>) {
    return __builtin_shufflevector(s, s, (lane ^ distance)...);
}

// Every lane gets the sum of all, added at this distance first, then at half of it.
template <int distance> inline Doubles add_across(Doubles s) {
    if constexpr (distance == 0) {
        return s;
    } else {
        constexpr auto all = std::make_integer_sequence<int, lanes>{};
        return add_across<distance / 2>(s + swap_lanes<distance>(s, all));
    }
}

// ((s0 + s4) + (s2 + s6)) + ((s1 + s5) + (s3 + s7)).
inline double fold(DotSums sums) {
    for (int half = dot_vectors / 2; half > 0; half /= 2)
        for (int v = 0; v < half; ++v) sums[v] += sums[v + half];
    return add_across<lanes / 2>(sums[0])[0];
}

// Rows in one piece each: whole 8 columns where they are, the columns left over in a copy filled
// up with zeros.
template <class T> class DenseRows {
  public:
    explicit DenseRows(const Matrix<T> &x)
        : columns(x.columns), whole(columns - columns % dot_sums),
          rests(whole < columns ? rows_of_group(columns) * dot_sums : 0) {}

    void take(const Strip<T> &rows) {
        strip = rows;
        next = RowsAhead<T>({strip.row(strip.count), strip.count, columns, strip.stride, 1});
        for (int64_t r = 0; whole < columns && r < strip.count; ++r)
            std::copy_n(strip.row(r) + whole, columns - whole, rests.data() + r * dot_sums);
    }

    // Calls visit(rows, stride, column) with 8 columns at a time of the rows from r on.
    template <class Visit> [[gnu::always_inline]] void for_each_block(int64_t r, Visit visit) const {
        const T *x = strip.row(r);
        for (int64_t j = 0; j < whole; j += dot_sums) visit(x + j, strip.stride, j);
        if (whole < columns) visit(rests.data() + r * dot_sums, dot_sums, whole);
    }

    // Calls visit<n>(rows, stride, column) with n times 8 columns at a time, n = `blocks` as long as
    // that many are left, then 1.
    template <int blocks, class Visit>
    [[gnu::always_inline]] void for_each_wide_block(Visit visit) const {
        int64_t j = 0;
        for (; j + blocks * dot_sums <= whole; j += blocks * dot_sums)
            visit.template operator()<blocks>(strip.data + j, strip.stride, j);
        for (; j < whole; j += dot_sums)
            visit.template operator()<1>(strip.data + j, strip.stride, j);
        if (whole < columns) visit.template operator()<1>(rests.data(), dot_sums, whole);
    }

    // The rows of the next group, which are to come while this one is worked on.
    RowsAhead<T> next;

  private:
    int64_t columns, whole;
    Strip<T> strip{};
    std::vector<T> rests;
};

// A vector of columns, centred.
template <bool centred, class T>
[[gnu::always_inline]] inline Doubles centre(const T *x, const double *shift) {
    if constexpr (centred)
        return load_as<Doubles>(x) - load_as<Doubles>(shift);
    else
        return load_as<Doubles>(x);
}

// Predicts `count` neighbouring rows, whose sums do not wait for each other.
template <int count, bool centred, class T>
void predict(const DenseRows<T> &rows, int64_t row, const LinearModel &model, int64_t output,
             double *raw) {
    const double *const coef = model.of(output), *const shift = model.shift.data();
    std::array<DotSums, count> sums{};
    rows.for_each_block(row, [&](const T *x, int64_t stride, int64_t j) SHOAL_INLINE {
        unroll<dot_vectors>([&](auto v) SHOAL_INLINE {
            const Doubles w = load_as<Doubles>(coef + j + v * lanes);
            unroll<count>([&](auto r) SHOAL_INLINE {
                const auto z = centre<centred>(x + r * stride + v * lanes, shift + j + v * lanes);
                sums[r][v] = fma(z, w, sums[r][v]);
            });
        });
    });
    unroll<count>([&](auto r) SHOAL_INLINE { raw[r] = fold(sums[r]) + model.intercept[output]; });
}

template <bool centred, class T>
void predict(DenseRows<T> &rows, const LinearModel &model, RowGroup &group) {
    // Of 64 float32 columns half of the rows that come; products ask for the rest.
    constexpr Index lines_ahead = 8;
    for (int64_t k = 0; k < model.outputs; ++k) {
        double *const raw = group.raw.data() + k * group.stride;
        int64_t r = 0;
        for (; r + 4 <= group.rows; r += 4) {
            rows.next.ask(lines_ahead);
            predict<4, centred>(rows, r, model, k, raw + r);
        }
        for (; r < group.rows; ++r) predict<1, centred>(rows, r, model, k, raw + r);
    }
}

template <class T> int64_t most_rows(const Matrix<T> &x) { return rows_of_group(x.columns); }

// Calls visit(rows, group) for groups of rows with their raw predictions.
template <class T, class Visit>
void for_each_group(const Matrix<T> &x, const LinearModel &model, RowGroup &group, Visit visit) {
    DenseRows<T> rows(x);
    for_each_row_group(x, [&](const Strip<T> &strip) {
        rows.take(strip);
        group.first = strip.first, group.rows = strip.count;
        model.shift.empty() ? predict<false>(rows, model, group)
                            : predict<true>(rows, model, group);
        visit(rows, group);
    });
}

// Rows of a compressed sparse row matrix, which is not centred. The sums of a dot product are those
// of a dense one: zeros would add nothing.
template <class T, class Column> struct SparseRows {
    const CsrMatrix<T, Column> &x;
    int64_t first;

    double predict(int64_t r, const LinearModel &model, int64_t output) const {
        const double *coef = model.of(output);
        double s[dot_sums]{};
        for_each_stored(r, [&](int64_t j, double z) {
            s[j % dot_sums] = std::fma(z, coef[j], s[j % dot_sums]);
        });
        DotSums sums;
        std::memcpy(&sums, s, sizeof sums);
        return fold(sums) + model.intercept[output];
    }

    template <class Visit> void for_each_stored(int64_t r, Visit visit) const {
        for (int64_t p = x.indptr[first + r]; p < x.indptr[first + r + 1]; ++p)
            visit(x.indices[p], x.data[p]);
    }
};

template <class T, class Column> int64_t most_rows(const CsrMatrix<T, Column> &) { return 256; }

template <class T, class Column, class Visit>
void for_each_group(const CsrMatrix<T, Column> &x, const LinearModel &model, RowGroup &group,
                    Visit visit) {
    for (int64_t first = 0; first < x.rows; first += group.stride) {
        const SparseRows<T, Column> rows{x, first};
        group.first = first, group.rows = std::min<int64_t>(group.stride, x.rows - first);
        for (int64_t k = 0; k < model.outputs; ++k)
            for (int64_t r = 0; r < group.rows; ++r)
                group.raw[k * group.stride + r] = rows.predict(r, model, k);
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

}  // namespace shoal
