// Checks the shape of what Python hands over, then copies without the GIL.
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

}  // namespace

void bind_rows(nb::module_ &m) {
    bind_copy<float>(m);
    bind_copy<double>(m);
}

}  // namespace shoal
