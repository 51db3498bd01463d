// Checks lengths of what Python hands over, then runs the kernels without the GIL.
#include "bindings.hpp"
#include "labels.hpp"

namespace shoal {
namespace {

template <class T> void bind_of_type(nb::module_ &m) {
    m.def(
        "count_labels",
        [](Input<T> target, Input<T> labels, Output<std::int64_t> counts) {
            require_length(counts, Index(labels.shape(0)), "counts");
            return count_labels(target.data(), Index(target.shape(0)), labels.data(),
                                Index(labels.shape(0)), counts.data());
        },
        "target"_a.noconvert(), "labels"_a.noconvert(), "counts"_a.noconvert(),
        nb::call_guard<nb::gil_scoped_release>());
    m.def(
        "label_values",
        [](Input<T> target, Input<T> labels, Input<double> values, Output<double> found) {
            require_length(values, Index(labels.shape(0)), "values");
            require_length(found, Index(target.shape(0)), "found");
            return label_values(target.data(), Index(target.shape(0)), labels.data(),
                                Index(labels.shape(0)), values.data(), found.data());
        },
        "target"_a.noconvert(), "labels"_a.noconvert(), "values"_a.noconvert(),
        "found"_a.noconvert(), nb::call_guard<nb::gil_scoped_release>());
}

}  // namespace

void bind_labels(nb::module_ &m) {
    bind_of_type<std::int8_t>(m);
    bind_of_type<std::int32_t>(m);
    bind_of_type<std::int64_t>(m);
    bind_of_type<float>(m);
    bind_of_type<double>(m);
}

}  // namespace shoal
