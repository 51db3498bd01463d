// Python's view of the nearest-centre kernels: checks types and lengths, then drops the GIL.
#include "screen.hpp"
#include "bindings.hpp"
#include "sparse_assign.hpp"

namespace shoal {
namespace {

template <class T>
void py_assign(Strided<T> X, Table<T> centers, Input<double> shift, Output<std::int32_t> labels,
               Optional<Output<double>> distances) {
    require_centers(centers, Index(X.shape(1)));
    require_length(shift, X.shape(1), "shift");
    require_length(labels, X.shape(0), "labels");
    if (distances) require_length(*distances, X.shape(0), "distances");
    nb::gil_scoped_release unlocked;
    const Matrix<T> points = matrix<T>(X);
    Centers<T> packed(centers.data(), Index(centers.shape(0)), points.columns, shift.data());
    Screen<T> screen(points, packed);
    assign(points, packed, screen, labels.data(), distances ? distances->data() : nullptr);
}

template <class T, class Column>
void py_assign_csr(Input<T> data, Input<Column> indices, Input<Column> indptr, Table<T> centers,
                   Output<std::int32_t> labels, Optional<Output<double>> distances) {
    require_centers(centers, Index(centers.shape(1)));
    const auto points = csr_matrix<T, Column>(data, indices, indptr, Index(centers.shape(1)));
    require_length(data, Index(indices.shape(0)), "data");
    require_length(labels, points.rows, "labels");
    if (distances) require_length(*distances, points.rows, "distances");
    nb::gil_scoped_release unlocked;
    SparseAssignment<T, Column>(points, centers.data(), Index(centers.shape(0)),
                                Index(centers.shape(1)))
        .run(labels.data(), distances ? distances->data() : nullptr);
}

template <class T, class Column> void bind_sparse(nb::module_ &m) {
    m.def("assign_csr", &py_assign_csr<T, Column>, "data"_a.noconvert(), "indices"_a.noconvert(),
          "indptr"_a.noconvert(), "centers"_a.noconvert(), "labels"_a.noconvert(),
          "distances"_a.noconvert() = nb::none());
}

template <class T> void bind(nb::module_ &m) {
    m.def("assign", &py_assign<T>, "X"_a.noconvert(), "centers"_a.noconvert(),
          "shift"_a.noconvert(), "labels"_a.noconvert(), "distances"_a.noconvert() = nb::none());
    bind_sparse<T, std::int32_t>(m);
    bind_sparse<T, std::int64_t>(m);
}

}  // namespace

void bind_assign(nb::module_ &m) {
    bind<float>(m);
    bind<double>(m);
}

}  // namespace shoal
