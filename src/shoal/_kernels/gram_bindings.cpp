// Checks what Python hands over for second moments, then runs the kernel without the GIL.

#include "bindings.hpp"
#include "gram.hpp"

namespace shoal {
namespace {

std::vector<double> scales_of(const Table<int32_t> &exponents, Index columns) {
    require(Index(exponents.shape(0)) == columns && Index(exponents.shape(1)) == columns,
            "exponents must have a row and a column for each feature, each target and 1");
    const Index n = columns * columns;
    require_within<int32_t>(exponents.data(), n, -1022, 1024, "exponents");
    return powers_of_two(exponents.data(), n);
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

template <class T, class X>
void add_checked(const X &x, const Table<double> &targets, const Input<double> &shift,
                 const Table<int32_t> &exponents, const Output<int64_t, 3> &sums,
                 const Optional<Input<double>> &weights, const Optional<Input<Index>> &ends,
                 int32_t low_bits) {
    const Index count = targets.shape(1), columns = x.columns + count + 1;
    require_length(targets, x.rows, "targets");
    require_length(shift, x.columns + count, "shift");
    require(sums.shape(0) == 1 || sums.shape(0) == 2, "sums must have 1 or 2 limbs");
    require(Index(sums.shape(1)) == columns && Index(sums.shape(2)) == columns,
            "sums must have a row and a column for each feature, each target and 1");
    require_within<int32_t>(&low_bits, 1, 0, 51, "low_bits");
    if (weights) require_length(*weights, x.rows, "weights");
    if (ends) require_groups(*ends, x.rows);
    const auto scale = scales_of(exponents, columns);
    GramGroup<T> group(columns, weights.has_value());
    add_gram(x, {targets.data(), count, weights ? weights->data() : nullptr}, shift.data(),
             ends ? ends->data() : nullptr, ends ? ends->shape(0) : 0, group,
             {reinterpret_cast<uint64_t *>(sums.data()), scale.data(), std::ldexp(1.0, low_bits),
              int64_t(sums.shape(0)), columns});
}

template <class T> void bind_dense(nb::module_ &m) {
    m.def(
        "gram",
        [](Strided<T> x, Table<double> targets, Input<double> shift, Table<int32_t> exponents,
           Output<int64_t, 3> sums, Optional<Input<double>> weights, Optional<Input<Index>> ends,
           int32_t low_bits) {
            add_checked<T>(matrix(x), targets, shift, exponents, sums, weights, ends, low_bits);
        },
        "X"_a.noconvert(), "targets"_a.noconvert(), "shift"_a.noconvert(),
        "exponents"_a.noconvert(), "sums"_a.noconvert(), "weights"_a.noconvert() = nb::none(),
        "ends"_a.noconvert() = nb::none(), "low_bits"_a = 0,
        nb::call_guard<nb::gil_scoped_release>());
}

template <class T, class Column> void bind_csr(nb::module_ &m) {
    m.def(
        "gram_csr",
        [](Input<T> data, Input<Column> indices, Input<Column> indptr, Index columns,
           Table<double> targets, Input<double> shift, Table<int32_t> exponents,
           Output<int64_t, 3> sums, Optional<Input<double>> weights, Optional<Input<Index>> ends,
           int32_t low_bits) {
            add_checked<T>(csr_matrix(data, indices, indptr, columns), targets, shift, exponents,
                           sums, weights, ends, low_bits);
        },
        "data"_a.noconvert(), "indices"_a.noconvert(), "indptr"_a.noconvert(), "columns"_a,
        "targets"_a.noconvert(), "shift"_a.noconvert(), "exponents"_a.noconvert(),
        "sums"_a.noconvert(), "weights"_a.noconvert() = nb::none(),
        "ends"_a.noconvert() = nb::none(), "low_bits"_a = 0,
        nb::call_guard<nb::gil_scoped_release>());
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
