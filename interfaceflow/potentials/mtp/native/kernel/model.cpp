#include "model.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <new>
#include <numeric>

#include "../core/errors.hpp"

namespace mtp {

Model::Model(const Potential& p) : coefficients_(p.coefficients), n_radial_(p.n_radial()) {
  if (const std::string fault = p.fault(); !fault.empty()) throw InputError(fault);
  const double* linear = coefficients_.data() + n_radial_;
  scalar_coefficient_.assign(linear + p.n_species(), linear + p.n_linear());
  view_.n_species = static_cast<int>(p.n_species());
  view_.n_radial_functions = p.radial_funcs_count;
  view_.n_chebyshev = p.radial_basis_size;
  view_.min_dist = p.min_dist;
  view_.max_dist = p.max_dist;
  view_.scaling = p.scaling;
  view_.radial = coefficients_.data();
  view_.species = linear;
  view_.scalar_coefficient = scalar_coefficient_.data();

  // Basic moments in the order of their radial functions; all others keep their number.
  const int n_basic = static_cast<int>(p.alpha_index_basic.size());
  std::vector<int> order(static_cast<std::size_t>(n_basic));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&p](int a, int b) { return p.alpha_index_basic[a][0] < p.alpha_index_basic[b][0]; });
  std::vector<int> place(static_cast<std::size_t>(p.alpha_moments_count));
  std::iota(place.begin(), place.end(), 0);
  for (int i = 0; i < n_basic; ++i) place[order[i]] = i;
  arrange_basic_moments(p, order);
  arrange_contractions(p, place);
}

void Model::arrange_basic_moments(const Potential& p, const std::vector<int>& order) {
  // Monomials by degree, with the ancestors that build them.
  using Powers = std::array<int, 3>;
  const auto degree = [](const Powers& q) { return q[0] + q[1] + q[2]; };
  const auto last_axis = [](const Powers& q) { return q[2] > 0 ? 2 : q[1] > 0 ? 1 : 0; };
  std::map<std::pair<int, Powers>, int> monomials = {{{0, Powers{}}, 0}};
  for (const auto& basic : p.alpha_index_basic)
    for (Powers q = {basic[1], basic[2], basic[3]}; degree(q) > 0; --q[last_axis(q)]) monomials.try_emplace({degree(q), q}, 0);
  for (auto& [key, index] : monomials) {
    index = static_cast<int>(parent_.size());
    Powers parent = key.second;
    const int axis = last_axis(parent);
    if (index > 0) --parent[axis];
    axis_.push_back(axis);
    parent_.push_back(index > 0 ? monomials.at({key.first - 1, parent}) : 0);
  }

  std::vector<std::vector<std::array<int, 2>>> uses(monomials.size());
  basic_begin_.assign(static_cast<std::size_t>(p.radial_funcs_count) + 1, 0);
  for (std::size_t i = 0; i < order.size(); ++i) {
    const auto& [mu, a, b, c] = p.alpha_index_basic[order[i]];
    monomial_of_.push_back(monomials.at({a + b + c, Powers{a, b, c}}));
    uses[monomial_of_.back()].push_back({mu, static_cast<int>(i)});
    ++basic_begin_[mu + 1];
  }
  std::partial_sum(basic_begin_.begin(), basic_begin_.end(), basic_begin_.begin());
  use_begin_.push_back(0);
  for (const auto& list : uses) {
    for (const auto& [mu, i] : list) {
      use_function_.push_back(mu);
      use_basic_.push_back(i);
    }
    use_begin_.push_back(static_cast<int>(use_basic_.size()));
  }
  view_.n_monomials = static_cast<int>(parent_.size());
  view_.parent = parent_.data();
  view_.axis = axis_.data();
  view_.n_basic = static_cast<int>(order.size());
  view_.basic_begin = basic_begin_.data();
  view_.monomial_of = monomial_of_.data();
  view_.use_begin = use_begin_.data();
  view_.use_function = use_function_.data();
  view_.use_basic = use_basic_.data();
}

void Model::arrange_contractions(const Potential& p, const std::vector<int>& place) {
  for (const auto& [a, b, factor, c] : p.alpha_index_times) {
    if (run_target_.empty() || run_target_.back() != c) {
      run_begin_.push_back(static_cast<int>(first_.size()));
      run_target_.push_back(c);
    }
    first_.push_back(place[a]);
    second_.push_back(place[b]);
    factor_.push_back(factor);
  }
  run_begin_.push_back(static_cast<int>(first_.size()));
  for (const int k : p.alpha_moment_mapping) scalar_.push_back(place[k]);
  view_.n_moments = p.alpha_moments_count;
  view_.n_runs = static_cast<int>(run_target_.size());
  view_.run_begin = run_begin_.data();
  view_.run_target = run_target_.data();
  view_.first = first_.data();
  view_.second = second_.data();
  view_.factor = factor_.data();
  view_.n_scalars = static_cast<int>(scalar_.size());
  view_.scalar = scalar_.data();
}

std::size_t Model::n_rows() const { return n_radial_ / static_cast<std::size_t>(view_.n_species) + 1 + n_scalars(); }

std::vector<int> Model::coefficients_of(int central) const {
  std::vector<int> out(n_rows());
  const int per_species = static_cast<int>(n_radial_) / view_.n_species;
  const auto linear = out.begin() + per_species;
  std::iota(out.begin(), linear, central * per_species);
  *linear = static_cast<int>(n_radial_) + central;
  std::iota(linear + 1, out.end(), static_cast<int>(n_radial_) + view_.n_species);
  return out;
}

GradeTable::GradeTable(const Model& model, const std::vector<double>& inverse, std::size_t n, int central)
    : n_rows_(static_cast<int>(model.n_rows())), n_columns_(static_cast<int>((n + 7) / 8 * 8)) {
  const std::vector<int> own = model.coefficients_of(central);
  inverse_.assign(own.size() * static_cast<std::size_t>(n_columns_), 0.0);
  for (std::size_t row = 0; row < own.size(); ++row)
    std::copy_n(inverse.begin() + static_cast<std::ptrdiff_t>(own[row] * n), n,
                inverse_.begin() + static_cast<std::ptrdiff_t>(row * static_cast<std::size_t>(n_columns_)));
}

void GradeTable::grades(const Kernel& kernel, int n_groups, const double* rows, double* result) const {
  kernel.grades(n_groups, n_rows_, n_columns_, rows, inverse_.data(), result);
}

void AlignedBuffer::Free::operator()(double* memory) const { std::free(memory); }

double* AlignedBuffer::get(std::size_t n_doubles) {
  if (n_doubles > size_) {
    const std::size_t bytes = (n_doubles * sizeof(double) + 63) / 64 * 64;
    memory_.reset(static_cast<double*>(std::aligned_alloc(64, bytes)));
    if (!memory_) {
      size_ = 0;
      throw std::bad_alloc();
    }
    size_ = n_doubles;
  }
  return memory_.get();
}

}  // namespace mtp
