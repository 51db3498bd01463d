// Checks what Python hands over for windows of stochastic gradient descent, then drops the GIL.
#include <nanobind/stl/string.h>

#include "bindings.hpp"
#include "sgd.hpp"
#include "sgd_batches.hpp"
#include "sgd_groups.hpp"
#include "strips.hpp"
#include "window_order.hpp"

namespace shoal {
namespace {

template <class Value> Value value_of(const nb::dict &from, const char *key) {
    require(from.contains(key), std::string("there is no ") + key);
    return nb::cast<Value>(from[key]);
}

// Null where it is None.
template <class Array> Optional<Array> array_of(const nb::dict &from, const char *key) {
    require(from.contains(key), std::string("there is no ") + key);
    const nb::object value = from[key];
    if (value.is_none()) return {};
    return nb::cast<Array>(value, false);
}

Index position(const std::string &name, std::initializer_list<std::string_view> names) {
    const auto *found = std::find(names.begin(), names.end(), name);
    require(found != names.end(), "nothing is called " + name);
    return found - names.begin();
}

SgdSettings sgd_settings(const nb::dict &from, const std::string &loss) {
    const auto number = [&](const char *key) { return value_of<double>(from, key); };
    const SgdSettings settings{
        loss,
        find_sum_of_losses(loss),
        find_slope(loss),
        number("parameter"),
        number("negative"),
        number("positive"),
        {Rates(position(value_of<std::string>(from, "schedule"),
                        {"constant", "optimal", "invscaling"})),
         number("rate"), number("power"), number("offset")},
        number("l2"),
        number("l1"),
        number("intercept_factor"),
        number("average_from"),
        value_of<bool>(from, "is_first"),
    };
    require(settings.sum_of_losses && settings.slope, "there is no loss of one output called " + loss);
    return settings;
}

BatchSettings batch_settings(const nb::dict &from) {
    const auto number = [&](const char *key) { return value_of<double>(from, key); };
    const BatchSettings settings{
        value_of<Index>(from, "batch_size"),
        Optimizer(position(value_of<std::string>(from, "optimizer"),
                           {"sgd", "momentum", "nesterov", "adagrad", "adam"})),
        number("momentum"),
        number("beta_1"),
        number("beta_2"),
        number("epsilon"),
    };
    require(settings.rows > 0, "a mini-batch has at least one row");
    return settings;
}

template <class Array>
void require_shape(const Array &array, Index rows, Index columns, const char *name) {
    require(Index(array.shape(0)) == rows && Index(array.shape(1)) == columns,
            std::string(name) + " has shape (" + std::to_string(array.shape(0)) + ", " +
                std::to_string(array.shape(1)) + "), expected (" + std::to_string(rows) + ", " +
                std::to_string(columns) + ")");
}

// What Python holds of the weights; counters are those of SgdCounters.
template <class T> class HeldWeights {
  public:
    HeldWeights(const nb::dict &from, Index columns)
        : coef_(nb::cast<Output<T, 2>>(from["coef"], false)),
          intercept_(nb::cast<Output<double>>(from["intercept"], false)),
          counters_(nb::cast<Output<double>>(from["counters"], false)),
          received_(array_of<Output<double, 2>>(from, "received")),
          total_(array_of<Output<double, 2>>(from, "total")),
          first_(array_of<Output<double, 2>>(from, "first")),
          second_(array_of<Output<double, 2>>(from, "second")),
          intercept_total_(array_of<Output<double>>(from, "intercept_total")), columns_(columns) {
        require_shape(coef_, outputs(), columns, "coef");
        require_length(intercept_, outputs(), "intercept");
        require_length(counters_, 7, "counters");
        require(bool(total_) == bool(intercept_total_), "total and intercept_total go together");
        if (intercept_total_) require_length(*intercept_total_, outputs(), "intercept_total");
    }

    SgdWeights<T> weights() const {
        const double *c = counters_.data();
        return {{c[0], c[1], c[2], c[3], c[4], c[5], c[6]},
                outputs(),
                columns_,
                coef_.data(),
                intercept_.data(),
                checked(received_, columns_, "received"),
                checked(total_, columns_, "total"),
                intercept_total_ ? intercept_total_->data() : nullptr};
    }

    Moments moments(Optimizer optimizer) const {
        const bool has_rates = optimizer == Optimizer::adagrad || optimizer == Optimizer::adam;
        require(first_ || optimizer == Optimizer::sgd || optimizer == Optimizer::adagrad,
                "the optimizer needs first moments");
        require(second_ || !has_rates, "the optimizer needs second moments");
        return {checked(first_, columns_ + 1, "first"), checked(second_, columns_ + 1, "second")};
    }

    void keep(const SgdCounters &found) const {
        double *c = counters_.data();
        c[0] = found.steps, c[1] = found.due, c[2] = found.loss, c[3] = found.first_loss;
        c[4] = found.weight, c[5] = found.scale, c[6] = found.scale_total;
    }

  private:
    Index outputs() const { return Index(coef_.shape(0)); }

    double *checked(const Optional<Output<double, 2>> &array, Index columns,
                    const char *name) const {
        if (array) require_shape(*array, outputs(), columns, name);
        return array ? array->data() : nullptr;
    }

    Output<T, 2> coef_;
    Output<double> intercept_, counters_;
    Optional<Output<double, 2>> received_, total_, first_, second_;
    Optional<Output<double>> intercept_total_;
    Index columns_;
};

// A block's rows, contiguous along a row; copied where they are not.
template <class T> class ContiguousRows {
  public:
    explicit ContiguousRows(const Matrix<T> &x) : rows_{x.data, x.row_stride, x.columns} {
        if (x.column_stride == 1) return;
        copy_.resize(x.rows * x.columns);
        for_each_strip(x, [&](const Strip<T> &strip) {
            for (int64_t r = 0; r < strip.count; ++r)
                std::copy_n(strip.row(r), strip.width,
                            copy_.data() + (strip.first + r) * x.columns + strip.column);
        });
        rows_ = {copy_.data(), x.columns, x.columns};
    }

    const DenseRows<T> &rows() const { return rows_; }

  private:
    DenseRows<T> rows_;
    std::vector<T> copy_;
};

// Rows in order of their visits, and of their arrivals.
using Order = nb::ndarray<const int32_t, nb::shape<2, -1>, nb::c_contig, nb::device::cpu>;

// Positions where windows end; each begins where the one before ends.
using Ends = Input<int64_t>;

void require_ends(const Ends &ends, Index last) {
    const Index n = Index(ends.shape(0));
    const int64_t *const end = ends.data();
    require(n > 0 && end[0] >= 0 && std::is_sorted(end, end + n) && end[n - 1] == last,
            "ends must ascend to " + std::to_string(last));
}

// Of all windows, one after the other.
Visits visits(const Ends &ends, const Optional<Order> &order, Index rows,
              const Input<double> &target, const Optional<Input<double>> &weight,
              Index far_ahead) {
    require(far_ahead > 0, "rows_ahead must be positive");
    require_length(target, rows, "target");
    if (weight) require_length(*weight, rows, "weight");
    const Index visited = order ? Index(order->shape(1)) : rows;
    require_ends(ends, visited);
    if (order) require_within<int32_t>(order->data(), 2 * visited, 0, rows, "order");
    const int32_t *const visit = order ? order->data() : nullptr;
    return {visit,         order ? visit + visited : nullptr,      0, visited, visited,
            target.data(), weight ? weight->data() : nullptr, far_ahead};
}

template <class T, class Rows>
void descend(const Rows &x, const Ends &ends, const Visits &visits, const SgdSettings &settings,
             const BatchSettings &batch, const HeldWeights<T> &held) {
    auto weights = held.weights();
    const bool is_one_by_one = batch.rows == 1 && batch.optimizer == Optimizer::sgd;
    Index begin = 0;
    for (Index w = 0; w < Index(ends.shape(0)); ++w) {
        const Index end = ends.data()[w];
        const Visits window = visits.between(begin, end);
        if (is_one_by_one)
            descend(x, window, settings, weights);
        else
            descend_in_batches(x, window, settings, batch, weights, held.moments(batch.optimizer));
        begin = end;
    }
    held.keep(weights);
}

template <class T> void bind_dense(nb::module_ &m) {
    m.def(
        "sgd",
        [](Strided<T> x_, Ends ends, Optional<Order> order, Input<double> target,
           Optional<Input<double>> weight, nb::dict settings, nb::dict weights) {
            const auto x = matrix(x_);
            const auto loss = value_of<std::string>(settings, "loss");
            const auto sgd = sgd_settings(settings, loss);
            const auto batch = batch_settings(settings);
            const auto all = visits(ends, order, x.rows, target, weight,
                                    value_of<Index>(settings, "rows_ahead"));
            const HeldWeights<T> held(weights, x.columns);
            const nb::gil_scoped_release without_gil;
            descend(ContiguousRows<T>(x).rows(), ends, all, sgd, batch, held);
        },
        "X"_a.noconvert(), "ends"_a.noconvert(), "order"_a.noconvert().none(),
        "target"_a.noconvert(), "weight"_a.noconvert().none(), "settings"_a, "weights"_a);
}

// Later epochs bring the columns that the first one has checked.
template <class T, class Column>
CsrMatrix<T, Column> csr_rows(const Input<T> &data, const Input<Column> &indices,
                              const Input<Column> &indptr, Index columns, bool is_first) {
    if (is_first) return csr_matrix(data, indices, indptr, columns);
    const Index rows = Index(indptr.shape(0)) - 1;
    require_length(indices, Index(data.shape(0)), "indices");
    require(rows >= 0 && Index(indptr.data()[rows]) == Index(data.shape(0)),
            "indptr must end at the number of stored values");
    return {data.data(), indices.data(), indptr.data(), rows, columns};
}

template <class T, class Column> void bind_csr(nb::module_ &m) {
    m.def(
        "sgd_csr",
        [](Input<T> data, Input<Column> indices, Input<Column> indptr, Index columns, Ends ends,
           Optional<Order> order, Input<double> target, Optional<Input<double>> weight,
           nb::dict settings, nb::dict weights) {
            const auto loss = value_of<std::string>(settings, "loss");
            const auto sgd = sgd_settings(settings, loss);
            const auto x = csr_rows(data, indices, indptr, columns, sgd.is_first);
            const auto batch = batch_settings(settings);
            const auto all = visits(ends, order, x.rows, target, weight,
                                    value_of<Index>(settings, "rows_ahead"));
            const HeldWeights<T> held(weights, columns);
            const nb::gil_scoped_release without_gil;
            descend(SparseRows<T, Column>{x}, ends, all, sgd, batch, held);
        },
        "data"_a.noconvert(), "indices"_a.noconvert(), "indptr"_a.noconvert(), "columns"_a,
        "ends"_a.noconvert(), "order"_a.noconvert().none(), "target"_a.noconvert(),
        "weight"_a.noconvert().none(), "settings"_a, "weights"_a);
}

}  // namespace

void bind_sgd(nb::module_ &m) {
    m.def(
        "shuffled_rows",
        [](uint64_t seed, uint64_t purpose, Input<int64_t> first_rows, Ends ends, Index run_rows,
           Index group_rows, Output<int32_t, 2> order) {
            require(run_rows > 0 && group_rows > 0, "runs and groups have at least one row");
            require(order.shape(0) == 2, "order has two rows");
            const Index n = Index(order.shape(1)), windows = Index(first_rows.shape(0));
            require_length(ends, windows, "ends");
            require_ends(ends, n);
            Index begin = 0;
            for (Index w = 0; w < windows; ++w) {
                const Index end = ends.data()[w];
                shuffled_rows(seed, purpose, first_rows.data()[w], run_rows, group_rows, begin,
                              order.data() + begin, order.data() + n + begin, end - begin);
                begin = end;
            }
        },
        "seed"_a, "purpose"_a, "first_rows"_a.noconvert(), "ends"_a.noconvert(), "run_rows"_a,
        "group_rows"_a, "order"_a.noconvert(), nb::call_guard<nb::gil_scoped_release>());
    bind_dense<float>(m);
    bind_dense<double>(m);
    bind_csr<float, std::int32_t>(m);
    bind_csr<float, std::int64_t>(m);
    bind_csr<double, std::int32_t>(m);
    bind_csr<double, std::int64_t>(m);
}

}  // namespace shoal
