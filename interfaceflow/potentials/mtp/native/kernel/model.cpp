#include "model.hpp"

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <new>
#include <numeric>
#include <set>

#include "../core/errors.hpp"

namespace mtp {

namespace {

// More than any basis in use has, and few enough for the memory of a batch.
constexpr int largest_degree = 24;
// Powers of the variable are cheaper than Chebyshev polynomials, but their coefficients grow as 2^degree.
constexpr int most_powers = 12;

int n_monomials(int degree) { return (degree + 1) * (degree + 2) * (degree + 3) / 6; }

// Where x^a y^b z^c stands among the monomials up to a degree, in the order of kernel/shapes.hpp.
int monomial_index(int degree, int a, int b, int c) {
  int index = 0;
  for (int i = 0; i < a; ++i) index += (degree - i + 1) * (degree - i + 2) / 2;
  for (int j = 0; j < b; ++j) index += degree - a - j + 1;
  return index + c;
}

// The coefficients of powers of xi that make the same polynomial as n coefficients of Chebyshev polynomials.
std::vector<double> powers_of_chebyshev(const double* coefficients, std::size_t n) {
  std::vector<double> sum(n, 0.0), before(n, 0.0), now(n, 0.0);
  now[0] = 1.0;  // T_0; T_1 = xi; T_(k+1) = 2 xi T_k - T_(k-1)
  for (std::size_t k = 0; k < n; ++k) {
    for (std::size_t i = 0; i < n; ++i) sum[i] += coefficients[k] * now[i];
    std::vector<double> next(n, 0.0);
    for (std::size_t i = 0; i + 1 < n; ++i) next[i + 1] = (k == 0 ? 1.0 : 2.0) * now[i];
    for (std::size_t i = 0; i < n; ++i) next[i] -= before[i];
    before = now;
    now = next;
  }
  return sum;
}

}  // namespace

template <class Real>
Coefficients<Real> Model::Numbers<Real>::view() const {
  return {radial.data(), powers.empty() ? nullptr : powers.data(), products.data(), uses.data(), of_moment.data()};
}

Model::Model(const Potential& p) : n_radial_(p.n_radial()) {
  if (const std::string fault = p.fault(); !fault.empty()) throw InputError(fault);
  view_.n_species = static_cast<int>(p.n_species());
  view_.n_radial_functions = p.radial_funcs_count;
  view_.n_chebyshev = p.radial_basis_size;
  view_.min_dist = p.min_dist;
  view_.max_dist = p.max_dist;
  view_.scaling = p.scaling;
  arrange_coefficients(p);
  const std::vector<int> place = arrange_moments(p);
  arrange_contractions(p, place);
  arrange_scalars(p, place);
  view_.in_double = in_double_.view();
  view_.in_single = in_single_.view();
}

void Model::arrange_coefficients(const Potential& p) {
  const auto radial_end = p.coefficients.begin() + static_cast<std::ptrdiff_t>(n_radial_);
  const auto species_end = radial_end + static_cast<std::ptrdiff_t>(p.n_species());
  in_double_.radial.assign(p.coefficients.begin(), radial_end);
  in_single_.radial.assign(p.coefficients.begin(), radial_end);
  species_.assign(radial_end, species_end);
  scalar_coefficient_.assign(species_end, p.coefficients.end());
  view_.species = species_.data();
  view_.scalar_coefficient = scalar_coefficient_.data();
  const std::size_t n = static_cast<std::size_t>(p.radial_basis_size);
  if (p.radial_basis_size > most_powers) return;
  for (std::size_t at = 0; at < n_radial_; at += n) {
    const std::vector<double> powers = powers_of_chebyshev(p.coefficients.data() + at, n);
    in_double_.powers.insert(in_double_.powers.end(), powers.begin(), powers.end());
  }
}

std::vector<int> Model::arrange_moments(const Potential& p) {
  degree_.assign(static_cast<std::size_t>(p.radial_funcs_count), 0);
  for (const auto& [mu, a, b, c] : p.alpha_index_basic) {
    int& degree = degree_[static_cast<std::size_t>(mu)];
    degree = std::max(degree, a + b + c);
    if (degree > largest_degree)
      throw InputError("alpha_index_basic has a monomial of degree " + std::to_string(degree) + "; supported are up to " +
                       std::to_string(largest_degree));
  }
  for (std::size_t mu = degree_.size() - 1; mu > 0; --mu) degree_[mu - 1] = std::max(degree_[mu - 1], degree_[mu]);
  basic_begin_.assign(1, 0);
  for (const int degree : degree_) basic_begin_.push_back(basic_begin_.back() + n_monomials(degree));
  view_.degree = degree_.data();
  view_.basic_begin = basic_begin_.data();

  const std::size_t n_basic = p.alpha_index_basic.size(), n_moments = static_cast<std::size_t>(p.alpha_moments_count);
  std::vector<int> place(n_moments);
  for (std::size_t i = 0; i < n_basic; ++i) {
    const auto& [mu, a, b, c] = p.alpha_index_basic[i];
    const std::size_t function = static_cast<std::size_t>(mu);
    place[i] = basic_begin_[function] + monomial_index(degree_[function], a, b, c);
  }
  // The others in the order in which they are completed, so that each comes behind all it is made of.
  std::vector<std::size_t> completed(n_moments, 0), order(n_moments - n_basic);
  for (std::size_t k = 0; k < p.alpha_index_times.size(); ++k)
    completed[static_cast<std::size_t>(p.alpha_index_times[k][3])] = k + 1;
  std::iota(order.begin(), order.end(), n_basic);
  std::stable_sort(order.begin(), order.end(),
                   [&completed](std::size_t a, std::size_t b) { return completed[a] < completed[b]; });
  int next = basic_begin_.back();
  for (const std::size_t moment : order) place[moment] = next++;
  view_.n_moments = next;
  return place;
}

void Model::arrange_contractions(const Potential& p, const std::vector<int>& place) {
  const int n_basic = basic_begin_.back(), n_moments = view_.n_moments;
  std::vector<std::vector<Term<double>>> products(static_cast<std::size_t>(n_moments - n_basic));
  std::vector<std::vector<Term<double>>> uses(static_cast<std::size_t>(n_moments));
  for (const auto& [a, b, times, c] : p.alpha_index_times) {
    const int first = place[static_cast<std::size_t>(a)], second = place[static_cast<std::size_t>(b)];
    const int target = place[static_cast<std::size_t>(c)];
    const double factor = times;
    products[static_cast<std::size_t>(target - n_basic)].push_back({first, second, factor});
    uses[static_cast<std::size_t>(first)].push_back({target, second, first == second ? 2.0 * factor : factor});
    if (first != second) uses[static_cast<std::size_t>(second)].push_back({target, first, factor});
  }
  const auto join = [](const std::vector<std::vector<Term<double>>>& lists, std::vector<int>& begin, auto& in_double,
                       auto& in_single) {
    begin.assign(1, 0);
    for (const auto& list : lists) {
      for (const Term<double>& term : list) {
        in_double.push_back(term);
        in_single.push_back({term.first, term.second, static_cast<float>(term.factor)});
      }
      begin.push_back(static_cast<int>(in_double.size()));
    }
  };
  join(products, products_begin_, in_double_.products, in_single_.products);
  join(uses, uses_begin_, in_double_.uses, in_single_.uses);
  view_.products = {n_basic, products_begin_.data()};
  view_.uses = {0, uses_begin_.data()};
}

void Model::arrange_scalars(const Potential& p, const std::vector<int>& place) {
  in_double_.of_moment.assign(static_cast<std::size_t>(view_.n_moments), 0.0);
  for (std::size_t k = 0; k < p.alpha_moment_mapping.size(); ++k) {
    scalar_.push_back(place[static_cast<std::size_t>(p.alpha_moment_mapping[k])]);
    in_double_.of_moment[static_cast<std::size_t>(scalar_.back())] += scalar_coefficient_[k];
  }
  in_single_.of_moment.assign(in_double_.of_moment.begin(), in_double_.of_moment.end());
  view_.n_scalars = static_cast<int>(scalar_.size());
  view_.scalar = scalar_.data();
}

void Model::prepare_basis() {
  const int n_basic = basic_begin_.back();
  made_of_begin_.assign(1, 0);
  support_begin_.clear();
  made_of_.clear();
  for (const int scalar : scalar_) {
    // From the scalar down through everything that its products name; a set is sorted, and sources come before targets.
    std::set<int, std::greater<int>> made_of = {scalar};
    for (auto moment = made_of.begin(); moment != made_of.end() && *moment >= n_basic; ++moment) {
      const std::size_t at = static_cast<std::size_t>(*moment - n_basic);
      for (int e = products_begin_[at]; e < products_begin_[at + 1]; ++e)
        made_of.insert({in_double_.products[static_cast<std::size_t>(e)].first,
                        in_double_.products[static_cast<std::size_t>(e)].second});
    }
    const auto support = made_of.upper_bound(n_basic);
    support_begin_.push_back(static_cast<int>(made_of_.size()) + static_cast<int>(std::distance(made_of.begin(), support)));
    made_of_.insert(made_of_.end(), made_of.begin(), made_of.end());
    made_of_begin_.push_back(static_cast<int>(made_of_.size()));
  }
  view_.n_made_of = static_cast<int>(made_of_.size());
  view_.made_of_begin = made_of_begin_.data();
  view_.support_begin = support_begin_.data();
  view_.made_of = made_of_.data();
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
