// A labelled configuration, and MLIP's .cfg text.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text.hpp"

namespace mtp {

using Vector3 = std::array<double, 3>;

struct Configuration {
  std::vector<int> types;
  std::vector<Vector3> positions;  // A
  std::array<Vector3, 3> cell{};   // rows, A; a row of zeros is a direction without periodicity
  std::optional<double> energy;    // eV
  std::optional<std::vector<Vector3>> forces;         // eV/A
  std::optional<std::array<double, 6>> plus_stress;   // xx yy zz yz xz xy, eV
  std::optional<std::vector<double>> site_energies;   // eV
  std::optional<std::vector<double>> charges;         // e
  std::optional<std::vector<double>> grades;          // nbh_grades
  std::map<std::string, std::string> features;

  std::size_t size() const { return types.size(); }
};

// Reads all configurations that are left in the text.
std::vector<Configuration> parse_configurations(Scanner& scanner);

// Appends one configuration; lossless: 17 significant digits instead of fixed columns.
void append_configuration(std::string& out, const Configuration& configuration, bool lossless);

}  // namespace mtp
