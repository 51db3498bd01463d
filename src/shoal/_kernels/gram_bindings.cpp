// Checks what Python hands over for second moments, then runs the kernel without the GIL.

#include "bindings.hpp"
#include "gram.hpp"

namespace shoal {
namespace {

// 2^-149 to 2^127 are powers of two of float32, 2^-1074 to 2^1023 of float64.
std::vector<double> factors_of(const Input<int32_t> &exponents, Index columns) {
    require_length(exponents, columns, "exponents");
    require_within<int32_t>(exponents.data(), columns, -1074, 1024, "exponents");
    return powers_of_two(exponents.data(), columns);
}

// Ends of groups ascend to the number of rows, and no group is larger than its buffer.
void require_groups(const Input<Index> &ends, Index rows) {
    Index first = 0;
    for (Index g = 0; g < Index(ends.shape(0)); ++g) {
        require(ends.data()[g] > first && ends.data()[g] <= first + kGroupRows,
                "ends must ascend, by 64 at most");
        first = ends.data()[g];
    }
    require(first == rows, "ends must end with the number of rows");
}

// How Python says where entries are rounded, and what weights are multiplied by.
struct Exponents {
    int32_t weight, entry, low_bits;
};

template <class T, class X>
void add_checked(const X &x, const Table<double> &targets, const Input<double> &shift,
                 const Input<int32_t> &exponents, const Output<int64_t, 3> &sums,
                 const Optional<Input<double>> &weights, const Optional<Input<Index>> &ends,
                 const Exponents &of) {
    const Index count = targets.shape(1), columns = x.columns + count + 1;
    require_length(targets, x.rows, "targets");
    require_length(shift, x.columns + count, "shift");
    require(sums.shape(0) == 1 || sums.shape(0) == 2, "sums must have 1 or 2 limbs");
    require(Index(sums.shape(1)) == columns && Index(sums.shape(2)) == columns,
            "sums must have a row and a column for each feature, each target and 1");
    require_within<int32_t>(&of.weight, 1, -1074, 1024, "weight_exponent");
    require_within<int32_t>(&of.entry, 1, 0, 51, "entry_exponent");
    require_within<int32_t>(&of.low_bits, 1, 0, 51, "low_bits");
    if (weights) require_length(*weights, x.rows, "weights");
    if (ends) require_groups(*ends, x.rows);
    const auto factors = factors_of(exponents, columns);
    const GramScale scale{shift.data(), factors.data(), std::ldexp(1.0, of.weight)};
    const BesideRows beside{targets.data(), weights ? weights->data() : nullptr, count};
    GramGroup<T> group(scale, x.columns, count, weights.has_value());
    const EntryPoint point(of.entry, of.low_bits);
    const auto add = sums.shape(0) == 1 ? add_gram<1, X, T> : add_gram<2, X, T>;
    add(x, beside, scale, point, ends ? ends->data() : nullptr, group,
        reinterpret_cast<uint64_t *>(sums.data()));
}

template <class T> void bind_dense(nb::module_ &m) {
    m.def(
        "gram",
        [](Strided<T> x, Table<double> targets, Input<double> shift, Input<int32_t> exponents,
           Output<int64_t, 3> sums, Optional<Input<double>> weights, Optional<Input<Index>> ends,
           int32_t weight_exponent, int32_t entry_exponent, int32_t low_bits) {
            add_checked<T>(matrix(x), targets, shift, exponents, sums, weights, ends,
                           {weight_exponent, entry_exponent, low_bits});
        },
        "X"_a.noconvert(), "targets"_a.noconvert(), "shift"_a.noconvert(),
        "exponents"_a.noconvert(), "sums"_a.noconvert(), "weights"_a.noconvert() = nb::none(),
        "ends"_a.noconvert() = nb::none(), "weight_exponent"_a = 0, "entry_exponent"_a,
        "low_bits"_a = 0, nb::call_guard<nb::gil_scoped_release>());
}

template <class T, class Column> void bind_csr(nb::module_ &m) {
    m.def(
        "gram_csr",
        [](Input<T> data, Input<Column> indices, Input<Column> indptr, Index columns,
           Table<double> targets, Input<double> shift, Input<int32_t> exponents,
           Output<int64_t, 3> sums, Optional<Input<double>> weights, Optional<Input<Index>> ends,
           int32_t weight_exponent, int32_t entry_exponent, int32_t low_bits) {
            add_checked<T>(csr_matrix(data, indices, indptr, columns), targets, shift, exponents,
                           sums, weights, ends, {weight_exponent, entry_exponent, low_bits});
        },
        "data"_a.noconvert(), "indices"_a.noconvert(), "indptr"_a.noconvert(), "columns"_a,
        "targets"_a.noconvert(), "shift"_a.noconvert(), "exponents"_a.noconvert(),
        "sums"_a.noconvert(), "weights"_a.noconvert() = nb::none(),
        "ends"_a.noconvert() = nb::none(), "weight_exponent"_a = 0, "entry_exponent"_a,
        "low_bits"_a = 0, nb::call_guard<nb::gil_scoped_release>());
}

}  // namespace

void bind_gram(nb::module_ &m) {
    bind_dense<float>(m);
    bind_dense<double>(m);
    bind_csr<float, int32_t>(m);
    bind_csr<float, int64_t>(m);
    bind_csr<double, int32_t>(m);
    bind_csr<double, int64_t>(m);
}

}  // namespace shoal
