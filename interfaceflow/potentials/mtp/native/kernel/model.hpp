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
  std::size_t n_scalars() const { return scalar_.size(); }
  // Rows a central atom of one species has: S * F * B radial ones, one of its species, the scalars.
  std::size_t n_rows() const;
  // Where in the vector of all coefficients those rows are.
  std::vector<int> coefficients_of(int central) const;

 private:
  // Both also enter their arrays into the view. `order` sorts basic moments by radial function, `place` is where each
  // moment of the potential is in that order.
  void arrange_basic_moments(const Potential& potential, const std::vector<int>& order);
  void arrange_contractions(const Potential& potential, const std::vector<int>& place);

  ModelView view_{};
  std::vector<double> coefficients_, scalar_coefficient_, factor_;
  std::vector<int> parent_, axis_, basic_begin_, monomial_of_, use_begin_, use_function_, use_basic_;
  std::vector<int> run_begin_, run_target_, first_, second_, scalar_;
  std::size_t n_radial_ = 0;
};

// The columns of the inverse active set that belong to one central species, padded for Kernel::grades.
class GradeTable {
 public:
  GradeTable(const Model& model, const std::vector<double>& inverse, std::size_t n_coefficients, int central);

  // rows [group][row][lane] as Kernel::energy leaves them; result [group][lane].
  void grades(const Kernel& kernel, int n_groups, const double* rows, double* result) const;

 private:
  int n_rows_, n_columns_;
  std::vector<double> inverse_;
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
