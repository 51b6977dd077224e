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
  const int n_basic = static_cast<int>(p.alpha_index_basic.size());

  // Basic moments in the order of their radial functions; everything else keeps its number.
  std::vector<int> order(static_cast<std::size_t>(n_basic));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&p](int a, int b) { return p.alpha_index_basic[a][0] < p.alpha_index_basic[b][0]; });
  std::vector<int> place(static_cast<std::size_t>(p.alpha_moments_count));
  std::iota(place.begin(), place.end(), 0);
  for (int i = 0; i < n_basic; ++i) place[order[i]] = i;

  // Monomials by degree, with the ancestors that build them.
  using Powers = std::array<int, 3>;
  const auto degree = [](const Powers& q) { return q[0] + q[1] + q[2]; };
  const auto parent_of = [](Powers q, int& axis) {
    axis = q[2] > 0 ? 2 : q[1] > 0 ? 1 : 0;
    --q[axis];
    return q;
  };
  std::map<std::pair<int, Powers>, int> monomials = {{{0, Powers{}}, 0}};
  for (const auto& basic : p.alpha_index_basic)
    for (Powers q = {basic[1], basic[2], basic[3]}; degree(q) > 0;) {
      monomials.try_emplace({degree(q), q}, 0);
      int axis = 0;
      q = parent_of(q, axis);
    }
  int count = 0;
  for (auto& [powers, index] : monomials) {
    index = count++;
    int axis = 0;
    if (index == 0) {
      parent_.push_back(0);
      axis_.push_back(0);
    } else {
      const Powers parent = parent_of(powers.second, axis);
      parent_.push_back(monomials.at({powers.first - 1, parent}));
      axis_.push_back(axis);
    }
  }

  std::vector<std::vector<std::array<int, 2>>> uses(static_cast<std::size_t>(count));
  basic_begin_.assign(static_cast<std::size_t>(p.radial_funcs_count) + 1, 0);
  for (int i = 0; i < n_basic; ++i) {
    const auto& [mu, a, b, c] = p.alpha_index_basic[order[i]];
    const int monomial = monomials.at({a + b + c, Powers{a, b, c}});
    monomial_of_.push_back(monomial);
    uses[monomial].push_back({mu, i});
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
  view_.n_monomials = count;
  view_.parent = parent_.data();
  view_.axis = axis_.data();
  view_.n_basic = n_basic;
  view_.basic_begin = basic_begin_.data();
  view_.monomial_of = monomial_of_.data();
  view_.use_begin = use_begin_.data();
  view_.use_function = use_function_.data();
  view_.use_basic = use_basic_.data();
  view_.n_moments = p.alpha_moments_count;
  view_.n_runs = static_cast<int>(run_target_.size());
  view_.run_begin = run_begin_.data();
  view_.run_target = run_target_.data();
  view_.first = first_.data();
  view_.second = second_.data();
  view_.factor = factor_.data();
  view_.n_scalars = static_cast<int>(scalar_.size());
  view_.scalar = scalar_.data();
  view_.scalar_coefficient = scalar_coefficient_.data();
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
