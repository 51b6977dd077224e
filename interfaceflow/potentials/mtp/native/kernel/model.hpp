// A potential, rearranged for the kernel.
#pragma once

#include <memory>
#include <vector>

#include "../core/potential.hpp"
#include "kernel.hpp"

namespace mtp {

// Owns the arrays that a ModelView points to. Species are those of the potential, in its order.
class Model {
 public:
  explicit Model(const Potential& potential);
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  const ModelView& view() const { return view_; }
  // Lists what each scalar is made of, which Kernel::basis needs and nothing else.
  void prepare_basis();
  std::size_t n_scalars() const { return scalar_.size(); }
  // Rows a central atom of one species has: S * F * B radial ones, one of its species, the scalars.
  std::size_t n_rows() const;
  // Where in the vector of all coefficients those rows are.
  std::vector<int> coefficients_of(int central) const;

 private:
  // Each enters its arrays into the view; `place` is where each moment of the potential is in the view's order.
  void arrange_coefficients(const Potential& potential);
  std::vector<int> arrange_moments(const Potential& potential);
  void arrange_contractions(const Potential& potential, const std::vector<int>& place);
  void arrange_scalars(const Potential& potential, const std::vector<int>& place);

  // Coefficients<double> and <float> point into these.
  template <class Real>
  struct Numbers {
    std::vector<Real> radial, powers, of_moment;
    std::vector<Term<Real>> products, uses;
    Coefficients<Real> view() const;
  };

  ModelView view_{};
  Numbers<double> in_double_;
  Numbers<float> in_single_;
  std::vector<double> species_, scalar_coefficient_;
  std::vector<int> degree_, basic_begin_, products_begin_, uses_begin_, scalar_;
  std::vector<int> made_of_begin_, support_begin_, made_of_;
  std::size_t n_radial_ = 0;
};

// Memory aligned for the kernel, grown on demand.
class AlignedBuffer {
 public:
  double* get(std::size_t n_doubles);

 private:
  struct Free {
    void operator()(double* memory) const;
  };
  std::unique_ptr<double[], Free> memory_;
  std::size_t size_ = 0;
};

}  // namespace mtp
