// The inverse active set of a potential, arranged for Kernel::grades.
#pragma once

#include <vector>

#include "model.hpp"

namespace mtp {

// The part for central atoms of one species.
class GradeTable {
 public:
  GradeTable(const Model& model, const Selection& selection, int central);
  const GradeView& view() const { return view_; }

 private:
  std::vector<double> direct_, bound_;
  std::vector<GradeBlock> blocks_;
  GradeView view_;
};

// One for each species.
std::vector<GradeTable> grade_tables(const Model& model, const Selection& selection);

}  // namespace mtp
