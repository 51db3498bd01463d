// Checks shapes and ranges of what Python hands over, then runs the kernels without the GIL.
#include <nanobind/stl/string.h>

#include "bindings.hpp"
#include "linear_gradient.hpp"

namespace shoal {
namespace {

TermsFunction named_loss(const std::string &name) {
    const TermsFunction terms = find_loss(name);
    require(terms, "there is no loss called " + name);
    return terms;
}

void require_exponents(const int32_t *exponents, int64_t n, const char *name) {
    require_within<int32_t>(exponents, n, -1022, 1024, name);
}

template <class Array>
void require_shape(const Array &array, Index rows, Index columns, const char *name) {
    require(Index(array.shape(0)) == rows && Index(array.shape(1)) == columns,
            std::string(name) + " has shape (" + std::to_string(array.shape(0)) + ", " +
                std::to_string(array.shape(1)) + "), expected (" + std::to_string(rows) + ", " +
                std::to_string(columns) + ")");
}

LinearModel linear_model(const Table<double> &coef, const Input<double> &intercept,
                         const Optional<Input<double>> &shift, Index columns) {
    const Index outputs = Index(coef.shape(0));
    require_shape(coef, outputs, columns, "coef");
    require(outputs > 0, "coef has no rows");
    require_length(intercept, outputs, "intercept");
    if (shift) require_length(*shift, columns, "shift");
    return {coef.data(), intercept.data(), shift ? shift->data() : nullptr, outputs, columns};
}

// Multinomial losses have one target, the class, for all outputs.
Observed observed(const Table<double> &target, const Optional<Input<double>> &weights, Index rows,
                  Index outputs) {
    const Index targets = Index(target.shape(1));
    require(targets == 1 || targets == outputs, "target has neither one column nor that of coef");
    require_shape(target, rows, targets, "target");
    if (weights) require_length(*weights, rows, "weights");
    return {target.data(), weights ? weights->data() : nullptr, targets};
}

struct FixedPoint {
    int32_t gradient_exponent, value_exponent, low_bits;
};

LossSums loss_sums(const Output<int64_t, 3> &sums, const Output<int64_t, 2> &intercept_sums,
                   const Output<int64_t> &value_sums, const Output<double> &largest,
                   const FixedPoint &point, Index outputs, Index columns) {
    const Index limbs = Index(sums.shape(0));
    require(limbs == 1 || limbs == 2, "sums must have 1 or 2 limbs");
    require(Index(sums.shape(1)) == outputs && Index(sums.shape(2)) == columns,
            "sums and coef differ in shape");
    require_shape(intercept_sums, limbs, outputs, "intercept_sums");
    require_length(value_sums, 2, "value_sums");
    require_length(largest, 2, "largest");
    require_exponents(&point.gradient_exponent, 1, "gradient_exponent");
    require_exponents(&point.value_exponent, 1, "value_exponent");
    require_within<int32_t>(&point.low_bits, 1, 0, 51, "low_bits");
    const auto words = [](int64_t *data) { return reinterpret_cast<uint64_t *>(data); };
    return {words(sums.data()), words(intercept_sums.data()), words(value_sums.data()),
            largest.data(), largest.data() + 1, limbs, std::ldexp(1.0, point.gradient_exponent),
            std::ldexp(1.0, point.value_exponent), std::ldexp(1.0, point.low_bits)};
}

// Exponents are limited so that the rounders of columns are normal.
std::vector<double> column_scale(const Input<int32_t> &exponents, Index columns) {
    require_length(exponents, columns, "exponents");
    require_within<int32_t>(exponents.data(), columns, -900, 901, "exponents");
    return powers_of_two(exponents.data(), columns);
}

template <class X>
void sum_losses(const X &x, const LinearModel &model, const std::string &name, double parameter,
                const Table<double> &target, const Optional<Input<double>> &weights,
                const Input<int32_t> &exponents, const LossSums &into) {
    const Observed seen = observed(target, weights, x.rows, model.outputs);
    linear_gradient(x, LinearLoss{model, named_loss(name), parameter, seen},
                    column_scale(exponents, x.columns), into);
}

void require_out(const Output<double, 2> &out, Index rows, Index outputs) {
    require_shape(out, rows, outputs, "out");
}

template <class T>
void bind_dense(nb::module_ &m) {
    m.def(
        "linear_predict",
        [](Strided<T> x_, Table<double> coef, Input<double> intercept, Output<double, 2> out,
           Optional<Input<double>> shift) {
            const auto x = matrix(x_);
            const auto model = linear_model(coef, intercept, shift, x.columns);
            require_out(out, x.rows, model.outputs);
            linear_predict(x, model, out.data());
        },
        "X"_a.noconvert(), "coef"_a.noconvert(), "intercept"_a.noconvert(), "out"_a.noconvert(),
        "shift"_a.noconvert() = nb::none(), nb::call_guard<nb::gil_scoped_release>());

    m.def(
        "linear_gradient",
        [](Strided<T> x_, Input<int32_t> exponents, Table<double> coef, Input<double> intercept,
           const std::string &loss, double parameter, Table<double> target,
           Optional<Input<double>> weights, int32_t gradient_exponent, int32_t value_exponent,
           int32_t low_bits, Output<int64_t, 3> sums, Output<int64_t, 2> intercept_sums,
           Output<int64_t> value_sums, Output<double> largest, Optional<Input<double>> shift) {
            const auto x = matrix(x_);
            const auto model = linear_model(coef, intercept, shift, x.columns);
            sum_losses(x, model, loss, parameter, target, weights, exponents,
                       loss_sums(sums, intercept_sums, value_sums, largest,
                                 {gradient_exponent, value_exponent, low_bits}, model.outputs,
                                 x.columns));
        },
        "X"_a.noconvert(), "exponents"_a.noconvert(), "coef"_a.noconvert(),
        "intercept"_a.noconvert(), "loss"_a, "parameter"_a, "target"_a.noconvert(),
        "weights"_a.noconvert().none(), "gradient_exponent"_a, "value_exponent"_a, "low_bits"_a,
        "sums"_a.noconvert(), "intercept_sums"_a.noconvert(), "value_sums"_a.noconvert(),
        "largest"_a.noconvert(), "shift"_a.noconvert() = nb::none(),
        nb::call_guard<nb::gil_scoped_release>());
}

template <class T, class Column>
void bind_csr(nb::module_ &m) {
    m.def(
        "linear_predict_csr",
        [](Input<T> data, Input<Column> indices, Input<Column> indptr, Table<double> coef,
           Input<double> intercept, Output<double, 2> out) {
            const auto x = csr_matrix(data, indices, indptr, coef.shape(1));
            const auto model = linear_model(coef, intercept, {}, x.columns);
            require_out(out, x.rows, model.outputs);
            linear_predict(x, model, out.data());
        },
        "data"_a.noconvert(), "indices"_a.noconvert(), "indptr"_a.noconvert(),
        "coef"_a.noconvert(), "intercept"_a.noconvert(), "out"_a.noconvert(),
        nb::call_guard<nb::gil_scoped_release>());

    m.def(
        "linear_gradient_csr",
        [](Input<T> data, Input<Column> indices, Input<Column> indptr, Input<int32_t> exponents,
           Table<double> coef, Input<double> intercept, const std::string &loss, double parameter,
           Table<double> target, Optional<Input<double>> weights, int32_t gradient_exponent,
           int32_t value_exponent, int32_t low_bits, Output<int64_t, 3> sums,
           Output<int64_t, 2> intercept_sums, Output<int64_t> value_sums,
           Output<double> largest) {
            const auto x = csr_matrix(data, indices, indptr, coef.shape(1));
            const auto model = linear_model(coef, intercept, {}, x.columns);
            sum_losses(x, model, loss, parameter, target, weights, exponents,
                       loss_sums(sums, intercept_sums, value_sums, largest,
                                 {gradient_exponent, value_exponent, low_bits}, model.outputs,
                                 x.columns));
        },
        "data"_a.noconvert(), "indices"_a.noconvert(), "indptr"_a.noconvert(),
        "exponents"_a.noconvert(), "coef"_a.noconvert(), "intercept"_a.noconvert(), "loss"_a,
        "parameter"_a, "target"_a.noconvert(), "weights"_a.noconvert().none(),
        "gradient_exponent"_a, "value_exponent"_a, "low_bits"_a, "sums"_a.noconvert(),
        "intercept_sums"_a.noconvert(), "value_sums"_a.noconvert(), "largest"_a.noconvert(),
        nb::call_guard<nb::gil_scoped_release>());
}

void bind_loss_terms(nb::module_ &m) {
    m.def(
        "loss_terms",
        [](const std::string &loss, double parameter, Input<double> target, Table<double> raw,
           Output<double> value, Output<double, 2> gradient, Output<double, 2> hessian) {
            const Index n = Index(raw.shape(0)), outputs = Index(raw.shape(1));
            require_length(target, n, "target");
            require_length(value, n, "value");
            require_shape(gradient, n, outputs, "gradient");
            require_shape(hessian, n, outputs, "hessian");
            loss_terms(named_loss(loss), parameter, target.data(), raw.data(), n, outputs,
                       value.data(), gradient.data(), hessian.data());
        },
        "loss"_a, "parameter"_a, "target"_a.noconvert(), "raw"_a.noconvert(),
        "value"_a.noconvert(), "gradient"_a.noconvert(), "hessian"_a.noconvert(),
        nb::call_guard<nb::gil_scoped_release>());
}

using VectorFunction = Doubles (*)(Doubles);

void apply(VectorFunction f, const Input<double> &x, const Output<double> &out) {
    require_length(out, x.shape(0), "out");
    for (Index i = 0, n = Index(x.shape(0)); i < n; i += lanes) {
        const Index count = std::min<Index>(lanes, n - i);
        Doubles values = broadcast(1.0);
        std::memcpy(&values, x.data() + i, count * sizeof(double));
        values = f(values);
        std::memcpy(out.data() + i, &values, count * sizeof(double));
    }
}

void bind_functions(nb::module_ &m) {
    const auto bind = [&](const char *name, VectorFunction f) {
        m.def(name, [f](Input<double> x, Output<double> out) { apply(f, x, out); },
              "x"_a.noconvert(), "out"_a.noconvert(), nb::call_guard<nb::gil_scoped_release>());
    };
    bind("exp", exp);
    bind("log", log);
    bind("log1p", log1p);
}

}  // namespace

void bind_linear(nb::module_ &m) {
    bind_dense<float>(m);
    bind_dense<double>(m);
    bind_csr<float, int32_t>(m);
    bind_csr<float, int64_t>(m);
    bind_csr<double, int32_t>(m);
    bind_csr<double, int64_t>(m);
    bind_loss_terms(m);
    bind_functions(m);
}

}  // namespace shoal
