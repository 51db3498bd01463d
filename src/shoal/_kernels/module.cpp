// The Python module of the kernels, compiled once for each instruction set (see CMakeLists.txt).
#include <nanobind/nanobind.h>

namespace nb = nanobind;

namespace shoal {

void bind_assign(nb::module_ &m);

// The best instruction set this processor runs, by the names of the x86-64 psABI levels.
const char *best_instruction_set() {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("x86-64-v4")) return "x86_64_v4";
    if (__builtin_cpu_supports("x86-64-v3")) return "x86_64_v3";
#endif
    return "generic";
}

void bind_columns(nb::module_ &m);
void bind_distances(nb::module_ &m);
void bind_linear(nb::module_ &m);
void bind_gram(nb::module_ &m);
void bind_labels(nb::module_ &m);
void bind_lloyd(nb::module_ &m);
void bind_sgd(nb::module_ &m);
void bind_neighbors(nb::module_ &m);
void bind_rows(nb::module_ &m);

}  // namespace shoal

NB_MODULE(SHOAL_MODULE, m) {
    m.def("best_instruction_set", &shoal::best_instruction_set);
    shoal::bind_columns(m);
    shoal::bind_distances(m);
    shoal::bind_gram(m);
    shoal::bind_labels(m);
    shoal::bind_neighbors(m);
    shoal::bind_rows(m);
    shoal::bind_assign(m);
    shoal::bind_linear(m);
    shoal::bind_lloyd(m);
    shoal::bind_sgd(m);
}
