// Checks the shape of what Python hands over, then copies without the GIL.
#include <nanobind/stl/vector.h>

#include <vector>

#include "bindings.hpp"
#include "rows.hpp"

namespace shoal {
namespace {

template <class T>
void bind_copy(nb::module_ &m) {
    m.def(
        "copy_rows",
        [](Strided<T> x_, Output<T, 2> to) {
            const auto x = matrix(x_);
            require_length(to, x.rows, "to");
            require(Index(to.shape(1)) == x.columns, "X and to differ in columns");
            copy_rows(x, to.data());
        },
        "X"_a.noconvert(), "to"_a.noconvert(), nb::call_guard<nb::gil_scoped_release>());
}

template <class T>
void bind_copy_of_columns(nb::module_ &m) {
    m.def(
        "copy_columns",
        [](const std::vector<Input<T>> &columns, Output<T, 2> to) {
            require(Index(to.shape(1)) == Index(columns.size()), "columns and to differ in columns");
            std::vector<const T *> values;
            for (const Input<T> &column : columns) {
                require_length(column, Index(to.shape(0)), "a column");
                values.push_back(column.data());
            }
            nb::gil_scoped_release release;
            copy_columns(values.data(), Index(values.size()), Index(to.shape(0)), to.data());
        },
        "columns"_a.noconvert(), "to"_a.noconvert());
}

}  // namespace

void bind_rows(nb::module_ &m) {
    bind_copy<float>(m);
    bind_copy<double>(m);
    bind_copy_of_columns<float>(m);
    bind_copy_of_columns<double>(m);
}

}  // namespace shoal
