// A moment tensor potential as its file holds it: basis, coefficients, active set.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "configuration.hpp"

namespace mtp {

// What follows "#MVS_v1.1" in an .almtp file.
struct Selection {
  double energy_weight = 0.0, force_weight = 0.0, stress_weight = 0.0, site_energy_weight = 1.0;
  int weight_scaling = 2;
  std::vector<double> matrix;                // A, n x n, row by row
  std::vector<double> inverse;               // of A, n x n, row by row (the file holds its transpose)
  std::vector<std::array<int, 2>> rows;      // configuration and equation of each row of A, -1 -1 if there is none
  std::vector<Configuration> configurations;
};

struct Potential {
  std::string name = "MTP";
  std::string tag;
  bool initialised = false;
  double scaling = 1.0;
  double min_dist = 0.0, max_dist = 0.0;
  int radial_basis_size = 0, radial_funcs_count = 0;
  std::vector<int> species_types;
  int alpha_moments_count = 0;
  std::vector<std::array<int, 4>> alpha_index_basic;  // radial function, powers of x, y, z
  std::vector<std::array<int, 4>> alpha_index_times;  // a, b, factor, c: moment[c] += factor moment[a] moment[b]
  std::vector<int> alpha_moment_mapping;
  std::vector<double> coefficients;  // radial (S, S, F, B), species (S), moments (K)
  std::optional<Selection> selection;

  std::size_t n_species() const { return species_types.size(); }
  std::size_t n_radial() const {
    return n_species() * n_species() * static_cast<std::size_t>(radial_funcs_count) *
           static_cast<std::size_t>(radial_basis_size);
  }
  std::size_t n_linear() const { return n_species() + alpha_moment_mapping.size(); }
  std::size_t n_coefficients() const { return n_radial() + n_linear(); }

  // The species of a type of a .cfg file, or -1.
  int species_of(int type) const;
  // What is wrong with the basis or the sizes of arrays; empty if nothing is.
  std::string fault() const;
  // The text of the file, byte for byte as MLIP-3 writes it. Throws InputError if a number is not finite.
  std::string serialise() const;

  static Potential parse(std::string_view content, const std::string& file);
  static Potential read(const std::string& path);
};

}  // namespace mtp
