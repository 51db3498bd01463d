// Python's view of nearest rows: checks types and lengths, then drops the GIL.
#include "bindings.hpp"
#include "neighbors.hpp"

namespace shoal {
namespace {

template <class T, class Kept>
void search(const Strided<T> &X, const Input<std::int64_t> &numbers, const Table<T> &queries,
            const Input<double> &shift, bool inner_product, Kept &kept) {
    const auto rows = matrix<T>(X);
    require_centers(queries, rows.columns);
    require_length(shift, rows.columns, "shift");
    require_length(numbers, rows.rows, "numbers");
    require(rows.rows < (Index(1) << 31), "X has too many rows for one call");
    const Index count = Index(queries.shape(0));
    if (!inner_product)
        return search_euclidean(rows, numbers.data(), queries.data(), count, shift.data(), kept);
    // Inner products change where rows are moved, distances do not.
    const std::vector<double> origin(rows.columns);
    search_by_floats<T, NegativeInnerProduct>(rows, numbers.data(), queries.data(), count,
                                              origin.data(), kept);
}

template <class Value> auto owned(std::vector<Value> &&values) {
    auto *kept = new std::vector<Value>(std::move(values));
    nb::capsule owner(kept, [](void *p) noexcept { delete static_cast<std::vector<Value> *>(p); });
    return nb::ndarray<nb::numpy, Value, nb::ndim<1>>(kept->data(), {kept->size()}, owner);
}

template <class T> void bind(nb::module_ &m) {
    m.def(
        "nearest_rows",
        [](Strided<T> X, Input<std::int64_t> numbers, Table<T> queries, Input<double> shift,
           Output<double, 2> distances, Output<std::int64_t, 2> rows, bool inner_product) {
            const Index k = Index(distances.shape(1));
            require(k > 0, "distances have no column");
            require_length(distances, Index(queries.shape(0)), "distances");
            require(rows.shape(0) == distances.shape(0) && rows.shape(1) == distances.shape(1),
                    "rows and distances differ in shape");
            nb::gil_scoped_release unlocked;
            NearestKept kept(k, distances.data(), rows.data());
            search<T>(X, numbers, queries, shift, inner_product, kept);
        },
        "X"_a.noconvert(), "numbers"_a.noconvert(), "queries"_a.noconvert(),
        "shift"_a.noconvert(), "distances"_a.noconvert(), "rows"_a.noconvert(),
        "inner_product"_a = false);
    m.def(
        "rows_within",
        [](Strided<T> X, Input<std::int64_t> numbers, Table<T> queries, Input<double> shift,
           double radius, bool inner_product) {
            RadiusKept kept(radius);
            {
                nb::gil_scoped_release unlocked;
                search<T>(X, numbers, queries, shift, inner_product, kept);
            }
            return nb::make_tuple(owned(std::move(kept.queries)), owned(std::move(kept.rows)),
                                  owned(std::move(kept.distances)));
        },
        "X"_a.noconvert(), "numbers"_a.noconvert(), "queries"_a.noconvert(),
        "shift"_a.noconvert(), "radius"_a, "inner_product"_a = false);
}

}  // namespace

void bind_neighbors(nb::module_ &m) {
    bind<float>(m);
    bind<double>(m);
}

}  // namespace shoal
