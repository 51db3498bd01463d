// Checks shapes and ranges of what Python hands over, then runs the kernels without the GIL.
#include "columns.hpp"
#include "fixed_point_bindings.hpp"
#include "philox.hpp"

namespace shoal {
namespace {

template <class T>
void bind_dense(nb::module_ &m) {
    m.def(
        "column_range",
        [](Strided<T> x_, Output<double> minimum, Output<double> maximum) {
            const auto x = matrix(x_);
            require_length(minimum, x.columns, "minimum");
            require_length(maximum, x.columns, "maximum");
            return column_range(x, minimum.data(), maximum.data());
        },
        "X"_a.noconvert(), "minimum"_a.noconvert(), "maximum"_a.noconvert(),
        nb::call_guard<nb::gil_scoped_release>());
}

Moments moments(const Output<int64_t, 2> &sums, const Output<int64_t, 2> &squares) {
    require_limbs(sums, "sums");
    require(sums.shape(0) == squares.shape(0) && sums.shape(1) == squares.shape(1),
            "sums and squares differ in shape");
    return {words(sums.data()), words(squares.data()), static_cast<int64_t>(sums.shape(0)),
            static_cast<int64_t>(sums.shape(1))};
}

MomentScale moment_scale(const double *shift, const Input<int32_t> &exponents,
                         const Input<int32_t> &square_exponents,
                         const Optional<Input<double>> &weights, int32_t low_bits, int64_t rows,
                         int64_t columns) {
    require_length(exponents, columns, "exponents");
    require_length(square_exponents, columns, "square_exponents");
    require_exponents(exponents.data(), columns, "exponents");
    require_exponents(square_exponents.data(), columns, "square_exponents");
    require_low_bits(low_bits);
    return {shift, weights_of(weights, rows), powers_of_two(exponents.data(), columns),
            powers_of_two(square_exponents.data(), columns), std::ldexp(1.0, low_bits)};
}

template <class T>
void bind_moments(nb::module_ &m) {
    m.def(
        "column_moments",
        [](Strided<T> x_, Input<double> shift, Input<int32_t> exponents,
           Input<int32_t> square_exponents, Output<int64_t, 2> sums, Output<int64_t, 2> squares,
           Optional<Input<double>> weights, int32_t low_bits) {
            const auto x = matrix(x_);
            auto into = moments(sums, squares);
            require(into.columns == x.columns, "sums and X differ in columns");
            require_length(shift, x.columns, "shift");
            column_moments(x,
                           moment_scale(shift.data(), exponents, square_exponents, weights,
                                        low_bits, x.rows, x.columns),
                           into);
        },
        "X"_a.noconvert(), "shift"_a.noconvert(), "exponents"_a.noconvert(),
        "square_exponents"_a.noconvert(), "sums"_a.noconvert(), "squares"_a.noconvert(),
        "weights"_a.noconvert() = nb::none(), "low_bits"_a = 0,
        nb::call_guard<nb::gil_scoped_release>());
}

template <class Column> void bind_columns_of(nb::module_ &m) {
    m.def(
        "has_canonical_rows",
        [](Input<Column> indices, Input<Column> indptr, int64_t columns) {
            const auto rows = static_cast<int64_t>(indptr.shape(0)) - 1;
            require(rows >= 0, "indptr is empty");
            return has_canonical_rows(indices.data(), indptr.data(), rows, columns,
                                      static_cast<int64_t>(indices.shape(0)));
        },
        "indices"_a.noconvert(), "indptr"_a.noconvert(), "columns"_a,
        nb::call_guard<nb::gil_scoped_release>());
}

template <class T, class Column>
void bind_csr(nb::module_ &m) {
    m.def(
        "column_range_csr",
        [](Input<T> data, Input<Column> indices, Output<double> minimum, Output<double> maximum,
           Output<int64_t> counts) {
            const auto stored = static_cast<int64_t>(data.shape(0));
            const auto columns = static_cast<int64_t>(minimum.shape(0));
            require_length(indices, stored, "indices");
            require_within<Column>(indices.data(), stored, 0, columns, "indices");
            require_length(maximum, columns, "maximum");
            require_length(counts, columns, "counts");
            return column_range(data.data(), indices.data(), stored, columns, minimum.data(),
                                maximum.data(), counts.data());
        },
        "data"_a.noconvert(), "indices"_a.noconvert(), "minimum"_a.noconvert(),
        "maximum"_a.noconvert(), "counts"_a.noconvert(), nb::call_guard<nb::gil_scoped_release>());

    m.def(
        "column_moments_csr",
        [](Input<T> data, Input<Column> indices, Input<Column> indptr, Input<int32_t> exponents,
           Input<int32_t> square_exponents, Output<int64_t, 2> sums, Output<int64_t, 2> squares,
           Optional<Input<double>> weights, int32_t low_bits) {
            auto into = moments(sums, squares);
            const auto x = csr_matrix(data, indices, indptr, into.columns);
            column_moments(x,
                           moment_scale(nullptr, exponents, square_exponents, weights, low_bits,
                                        x.rows, x.columns),
                           into);
        },
        "data"_a.noconvert(), "indices"_a.noconvert(), "indptr"_a.noconvert(),
        "exponents"_a.noconvert(), "square_exponents"_a.noconvert(), "sums"_a.noconvert(),
        "squares"_a.noconvert(), "weights"_a.noconvert() = nb::none(), "low_bits"_a = 0,
        nb::call_guard<nb::gil_scoped_release>());
}

void bind_vectors(nb::module_ &m) {
    m.def(
        "sum_values",
        [](Input<double> values, int32_t exponent, int32_t low_bits, Output<int64_t> sums,
           Optional<Input<double>> weights) {
            const auto n = static_cast<int64_t>(values.shape(0));
            require_exponents(&exponent, 1, "exponent");
            require_low_bits(low_bits);
            require_limbs(sums, "sums");
            sum_values(values.data(), weights_of(weights, n), n, std::ldexp(1.0, exponent),
                       std::ldexp(1.0, low_bits), sums.shape(0), words(sums.data()));
        },
        "values"_a.noconvert(), "exponent"_a, "low_bits"_a, "sums"_a.noconvert(),
        "weights"_a.noconvert() = nb::none(), nb::call_guard<nb::gil_scoped_release>());

    m.def(
        "philox",
        [](uint64_t seed, uint64_t purpose, uint64_t first_row, Output<uint64_t> out) {
            for (size_t i = 0; i < out.shape(0); ++i)
                out.data()[i] = philox(seed, purpose, first_row + i);
        },
        "seed"_a, "purpose"_a, "first_row"_a, "out"_a.noconvert(),
        nb::call_guard<nb::gil_scoped_release>());

    m.def(
        "philox_rows",
        [](uint64_t seed, uint64_t purpose, Input<int64_t> rows, Output<uint64_t> out) {
            require_length(out, rows.shape(0), "out");
            for (size_t i = 0; i < out.shape(0); ++i)
                out.data()[i] = philox(seed, purpose, static_cast<uint64_t>(rows.data()[i]));
        },
        "seed"_a, "purpose"_a, "rows"_a.noconvert(), "out"_a.noconvert(),
        nb::call_guard<nb::gil_scoped_release>());
}

}  // namespace

void bind_columns(nb::module_ &m) {
    bind_dense<float>(m);
    bind_dense<double>(m);
    bind_moments<float>(m);
    bind_moments<double>(m);
    bind_columns_of<int32_t>(m);
    bind_columns_of<int64_t>(m);
    bind_csr<float, int32_t>(m);
    bind_csr<float, int64_t>(m);
    bind_csr<double, int32_t>(m);
    bind_csr<double, int64_t>(m);
    bind_vectors(m);
}

}  // namespace shoal
