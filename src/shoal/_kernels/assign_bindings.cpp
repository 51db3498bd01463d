// Python's view of the nearest-centre kernels: checks types and lengths, then drops the GIL.
#include "bindings.hpp"
#include "bounds.hpp"
#include "sparse_assign.hpp"

namespace shoal {
namespace {

template <class T> Centers<T> pack(const Table<T> &centers, const Input<double> &shift) {
    return {centers.data(), Index(centers.shape(0)), Index(centers.shape(1)), shift.data()};
}

template <class T>
void py_assign(Strided<T> X, Table<T> centers, Input<double> shift, Output<std::int32_t> labels,
               Optional<Output<double>> distances,
               Optional<Input<std::int64_t>> rows) {
    require_centers(centers, Index(X.shape(1)));
    require_length(shift, X.shape(1), "shift");
    require_length(labels, X.shape(0), "labels");
    if (distances) require_length(*distances, X.shape(0), "distances");
    if (rows)
        require_within<std::int64_t>(rows->data(), Index(rows->shape(0)), 0, Index(X.shape(0)), "rows");
    nb::gil_scoped_release unlocked;
    const Matrix<T> points = matrix<T>(X);
    Centers<T> packed = pack<T>(centers, shift);
    const Rows<T> chosen = rows ? Rows<T>{points, rows->data(), Index(rows->shape(0))}
                                : Rows<T>{points, nullptr, points.rows};
    assign(chosen, packed, labels.data(), distances ? distances->data() : nullptr);
}

template <class T>
Index py_assign_bounded(Strided<T> X, Table<T> centers, Input<double> shift,
                        Output<std::int32_t> labels, Output<float> upper, Output<float> lower,
                        Input<double> drift, Input<double> separation) {
    require_centers(centers, Index(X.shape(1)));
    require_length(shift, X.shape(1), "shift");
    require_length(labels, X.shape(0), "labels");
    require_within<std::int32_t>(labels.data(), Index(X.shape(0)), 0, Index(centers.shape(0)),
                                 "labels");
    require_length(upper, X.shape(0), "upper");
    require_length(lower, X.shape(0), "lower");
    require_length(drift, centers.shape(0), "drift");
    require_length(separation, centers.shape(0), "separation");
    nb::gil_scoped_release unlocked;
    const Matrix<T> points = matrix<T>(X);
    Centers<T> packed = pack<T>(centers, shift);
    return BoundedAssignment<T>(points, packed, labels.data(), upper.data(), lower.data())
        .step(drift.data(), separation.data());
}

template <class T> nb::object py_pairwise_min_separation(Table<T> centers) {
    const Index k = Index(centers.shape(0)), features = Index(centers.shape(1));
    auto *separation = new double[k];
    nb::capsule owner(separation, [](void *p) noexcept { delete[] static_cast<double *>(p); });
    {
        nb::gil_scoped_release unlocked;
        pairwise_min_separation(Matrix<T>{centers.data(), k, features, features, 1}, separation);
    }
    using Result = nb::ndarray<nb::numpy, double, nb::ndim<1>>;
    return nb::cast(Result(separation, {std::size_t(k)}, owner));
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
          "shift"_a.noconvert(), "labels"_a.noconvert(), "distances"_a.noconvert() = nb::none(),
          "rows"_a.noconvert() = nb::none());
    m.def("assign_bounded", &py_assign_bounded<T>, "X"_a.noconvert(), "centers"_a.noconvert(),
          "shift"_a.noconvert(), "labels"_a.noconvert(), "upper"_a.noconvert(),
          "lower"_a.noconvert(), "drift"_a.noconvert(), "separation"_a.noconvert());
    m.def("pairwise_min_separation", &py_pairwise_min_separation<T>, "centers"_a.noconvert());
    bind_sparse<T, std::int32_t>(m);
    bind_sparse<T, std::int64_t>(m);
}

}  // namespace

void bind_assign(nb::module_ &m) {
    bind<float>(m);
    bind<double>(m);
}

}  // namespace shoal
