// What a ConfigurationSet computes with: a prepared potential, and each thread's memory.
#pragma once

#include <algorithm>
#include <vector>

#include "configuration_set.hpp"

namespace mtp {

struct ConfigurationSet::Prepared {
  Prepared(const ConfigurationSet& set, const Potential& potential);

  Model model;
  std::vector<int> species;  // of each of the set's known types
};

struct ConfigurationSet::Worker {
  Worker(const ModelView& view, int lanes, int most_slots) {
    const std::size_t n_lanes = static_cast<std::size_t>(lanes), slots = static_cast<std::size_t>(most_slots);
    const std::size_t n_rows = static_cast<std::size_t>(view.n_species * view.n_radial_functions * view.n_chebyshev + 1 +
                                                        view.n_scalars);
    scratch = buffers[0].get(static_cast<std::size_t>(kernel().scratch_size(view, most_slots)) / sizeof(double));
    energies = buffers[1].get(n_lanes);
    derivatives = buffers[2].get(3 * std::max<std::size_t>(slots, 1) * n_lanes);
    rows = buffers[3].get(n_rows * n_lanes);
    sums = buffers[4].get(9 * n_lanes);
  }

  static constexpr std::size_t groups_at_once = 6;

  double *scratch, *energies, *derivatives, *rows, *sums;
  const PackedBlock* packed = nullptr;  // of the block at hand
  PackedBlock packed_now;               // where it is packed, if it was not
  NeighbourLists lists;
  AlignedBuffer many_rows, many_grades, grade_scratch, basis_values, basis_sums, design;

 private:
  AlignedBuffer buffers[5];
};

}  // namespace mtp
