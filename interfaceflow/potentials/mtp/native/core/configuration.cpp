#include "configuration.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include "errors.hpp"

namespace mtp {

namespace {

enum class Column {
  id, type, cartes_x, cartes_y, cartes_z, direct_x, direct_y, direct_z, fx, fy, fz, site_en, charge, grade
};

const std::map<std::string, Column, std::less<>> column_names = {
    {"id", Column::id},           {"type", Column::type},         {"cartes_x", Column::cartes_x},
    {"cartes_y", Column::cartes_y}, {"cartes_z", Column::cartes_z}, {"direct_x", Column::direct_x},
    {"direct_y", Column::direct_y}, {"direct_z", Column::direct_z}, {"fx", Column::fx},
    {"fy", Column::fy},           {"fz", Column::fz},             {"site_en", Column::site_en},
    {"charge", Column::charge},   {"nbh_grades", Column::grade}};

std::vector<Column> read_columns(Scanner& scanner) {
  std::vector<Column> columns;
  std::array<bool, 14> seen{};
  const std::string line = scanner.rest_of_line();
  Scanner names(line, "");
  while (!names.at_end()) {
    const std::string_view name = names.word("a column of AtomData");
    const auto found = column_names.find(name);
    if (name == "ghost")
      scanner.fail("AtomData has the column 'ghost': this is one processor's part of a larger cell, from a parallel run of "
                   "MLIP-3; cut its neighbourhoods out with mlp cut_extrapolative_nbh");
    if (found == column_names.end())
      scanner.fail("AtomData has the column " + shown(name) +
                   "; known are id, type, cartes_x/y/z, direct_x/y/z, fx, fy, fz, site_en, charge, nbh_grades");
    if (seen[static_cast<std::size_t>(found->second)]) scanner.fail("AtomData has the column " + shown(name) + " twice");
    seen[static_cast<std::size_t>(found->second)] = true;
    columns.push_back(found->second);
  }
  const auto has = [&seen](Column column) { return seen[static_cast<std::size_t>(column)]; };
  const bool cartesian = has(Column::cartes_x) && has(Column::cartes_y) && has(Column::cartes_z);
  const bool direct = has(Column::direct_x) && has(Column::direct_y) && has(Column::direct_z);
  const bool any_cartesian = has(Column::cartes_x) || has(Column::cartes_y) || has(Column::cartes_z);
  const bool any_direct = has(Column::direct_x) || has(Column::direct_y) || has(Column::direct_z);
  if (cartesian == direct || any_cartesian == any_direct)
    scanner.fail("AtomData needs either cartes_x, cartes_y, cartes_z or direct_x, direct_y, direct_z");
  if (has(Column::fx) != has(Column::fy) || has(Column::fx) != has(Column::fz))
    scanner.fail("AtomData has some of fx, fy, fz but not all");
  return columns;
}

// Returns whether the positions are direct (fractional) ones.
bool read_atoms(Scanner& scanner, Configuration& out, std::size_t n_atoms) {
  const std::vector<Column> columns = read_columns(scanner);
  if (n_atoms > scanner.remaining() / (2 * columns.size()))
    scanner.fail("Size is " + std::to_string(n_atoms) + ", more atoms than the rest of the file can hold");
  out.types.assign(n_atoms, 0);
  out.positions.assign(n_atoms, Vector3{});
  bool direct = false;
  for (const Column column : columns) {
    if (column == Column::fx) out.forces.emplace(n_atoms);
    if (column == Column::site_en) out.site_energies.emplace(n_atoms);
    if (column == Column::charge) out.charges.emplace(n_atoms);
    if (column == Column::grade) out.grades.emplace(n_atoms);
    if (column == Column::direct_x) direct = true;
  }
  for (std::size_t i = 0; i < n_atoms; ++i)
    for (const Column column : columns) switch (column) {
        case Column::id:
          if (scanner.integer("an atom's id", 0, 1LL << 40) != static_cast<long long>(i) + 1)
            scanner.fail("ids of atoms should be 1, 2, 3, ...");
          break;
        case Column::type: out.types[i] = static_cast<int>(scanner.integer("an atom's type", 0, 1000)); break;
        case Column::cartes_x: case Column::direct_x: out.positions[i][0] = scanner.number("a position"); break;
        case Column::cartes_y: case Column::direct_y: out.positions[i][1] = scanner.number("a position"); break;
        case Column::cartes_z: case Column::direct_z: out.positions[i][2] = scanner.number("a position"); break;
        case Column::fx: (*out.forces)[i][0] = scanner.number("a force"); break;
        case Column::fy: (*out.forces)[i][1] = scanner.number("a force"); break;
        case Column::fz: (*out.forces)[i][2] = scanner.number("a force"); break;
        case Column::site_en: (*out.site_energies)[i] = scanner.number("a site energy"); break;
        case Column::charge: (*out.charges)[i] = scanner.number("a charge"); break;
        case Column::grade: (*out.grades)[i] = scanner.number("a grade"); break;
      }
  return direct;
}

double volume(const std::array<Vector3, 3>& c) {
  return std::fabs(c[0][0] * (c[1][1] * c[2][2] - c[1][2] * c[2][1]) - c[0][1] * (c[1][0] * c[2][2] - c[1][2] * c[2][0]) +
                   c[0][2] * (c[1][0] * c[2][1] - c[1][1] * c[2][0]));
}

std::array<double, 6> read_stress(Scanner& scanner) {
  static const std::array<std::string_view, 6> names = {"xx", "yy", "zz", "yz", "xz", "xy"};
  const std::string line = scanner.rest_of_line();
  Scanner header(line, "");
  std::vector<std::size_t> order;
  std::array<bool, 6> seen{};
  while (!header.at_end()) {
    const std::string_view name = header.word("a component of the stress");
    std::size_t k = 0;
    while (k < 6 && names[k] != name) ++k;
    if (k == 6 || seen[k]) scanner.fail("the stress needs the components xx, yy, zz, yz, xz, xy, each once");
    seen[k] = true;
    order.push_back(k);
  }
  if (order.size() != 6) scanner.fail("the stress needs the components xx, yy, zz, yz, xz, xy, each once");
  std::array<double, 6> stress{};
  for (const std::size_t k : order) stress[k] = scanner.number("a component of the stress");
  return stress;
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

void read_feature(Scanner& scanner, Configuration& out) {
  std::string key = readable(scanner.word("the name of a Feature"));
  std::string value = readable(scanner.raw_line());
  if (!value.empty()) value.erase(0, 1);
  replace_all(key, "\\_", " ");
  replace_all(key, "\\t", "\t");
  const auto [entry, is_new] = out.features.try_emplace(key, value);
  if (!is_new) entry->second += "\n" + value;
}

void read_cell(Scanner& scanner, Configuration& out) {
  for (Vector3& row : out.cell) {
    const std::string_view next = scanner.peek();
    if (next.empty() || (next[0] >= 'A' && next[0] <= 'Z')) break;  // one or two periodic directions
    for (double& value : row) value = scanner.number("Supercell");
  }
}

void make_cartesian(Scanner& scanner, Configuration& out) {
  if (!(volume(out.cell) > 0.0)) scanner.fail("direct_x, direct_y, direct_z need a Supercell of three independent vectors");
  for (Vector3& position : out.positions) {
    Vector3 cartesian{};
    for (int a = 0; a < 3; ++a)
      for (int b = 0; b < 3; ++b) cartesian[b] += position[a] * out.cell[a][b];
    position = cartesian;
  }
}

// What MLIP calls Virial is divided by the volume when it is read.
void divide_by_volume(Scanner& scanner, Configuration& out) {
  if (!(volume(out.cell) > 0.0)) scanner.fail("Virial: needs a Supercell of three independent vectors");
  for (double& value : *out.plus_stress) value /= volume(out.cell);
}

// Positions and stresses that depend on the cell, wherever the cell stood, have become finite numbers.
void check_finite(Scanner& scanner, const Configuration& c) {
  const auto finite = [](double value) { return std::isfinite(value); };
  bool good = !c.plus_stress || std::all_of(c.plus_stress->begin(), c.plus_stress->end(), finite);
  for (const Vector3& position : c.positions) good = good && std::all_of(position.begin(), position.end(), finite);
  if (!good) scanner.fail("with this Supercell, a position or the stress is not a finite number");
}

class ConfigurationReader {
 public:
  explicit ConfigurationReader(Scanner& scanner) : scanner_(scanner) {}

  Configuration read() {
    scanner_.expect("BEGIN_CFG", "a configuration");
    for (std::string field = next_field(); field != "END_CFG"; field = next_field()) read_field(field);
    if (n_atoms_ > 0 && !has("AtomData:"))
      scanner_.fail("a configuration of " + std::to_string(n_atoms_) + " atoms has no AtomData");
    if (is_direct_) make_cartesian(scanner_, out_);
    if (has("Virial:")) divide_by_volume(scanner_, out_);
    if (is_direct_ || has("Virial:")) check_finite(scanner_, out_);
    return std::move(out_);
  }

 private:
  bool has(const char* field) const { return seen_.count(field) > 0; }

  std::string next_field() {
    std::string field(scanner_.word("END_CFG"));
    if (field == "SuperCell") field = "Supercell";
    if (field == "Atomic_data:") field = "AtomData:";
    if (field != "Feature" && !seen_.insert(field).second) scanner_.fail("a configuration has two fields " + shown(field));
    return field;
  }

  void read_field(const std::string& field) {
    if (field == "Size") {
      n_atoms_ = static_cast<std::size_t>(scanner_.integer("Size", 0, 1LL << 40));
    } else if (field == "Supercell") {
      read_cell(scanner_, out_);
    } else if (field == "AtomData:") {
      if (!has("Size")) scanner_.fail("AtomData comes before Size");
      is_direct_ = read_atoms(scanner_, out_, n_atoms_);
    } else if (field == "Energy") {
      out_.energy = scanner_.number("Energy");
    } else if (field == "PlusStress:" || field == "Virial:") {
      if (out_.plus_stress) scanner_.fail("a configuration has PlusStress: and Virial:, only one of them is allowed");
      out_.plus_stress = read_stress(scanner_);
    } else if (field == "Feature") {
      read_feature(scanner_, out_);
    } else if (field == "Stress:") {
      scanner_.fail("Stress: has the other sign, and MLIP refuses it too; change the signs and call it PlusStress:");
    } else {
      scanner_.fail("unknown field " + shown(field) +
                    "; known are Size, Supercell, AtomData:, Energy, PlusStress:, Feature, END_CFG");
    }
  }

  Scanner& scanner_;
  Configuration out_;
  std::set<std::string, std::less<>> seen_;
  std::size_t n_atoms_ = 0;
  bool is_direct_ = false;
};

}  // namespace

std::vector<Configuration> parse_configurations(Scanner& scanner) {
  std::vector<Configuration> out;
  while (!scanner.at_end()) out.push_back(ConfigurationReader(scanner).read());
  return out;
}

void append_configuration(std::string& out, const Configuration& configuration, bool lossless) {
  const auto put = [&](const char* before, double value, int precision, int width) {
    out += before;
    if (lossless)
      append_scientific(out, value, 16);
    else
      append_fixed(out, value, precision, width);
  };
  const auto put_integer = [&](const char* before, long long value, std::size_t width) {
    const std::string digits = std::to_string(value);
    out += before;
    if (!lossless && digits.size() < width) out.append(width - digits.size(), ' ');
    out += digits;
  };
  const auto put_vector = [&](const Vector3& vector, int width) {
    for (int a = 0; a < 3; ++a) put(a == 0 ? "  " : " ", vector[a], 6, width);
  };

  out += "BEGIN_CFG\n Size\n    " + std::to_string(configuration.size()) + "\n";
  int n_rows = 0;
  for (int a = 0; a < 3; ++a)
    for (int b = 0; b < 3; ++b)
      if (configuration.cell[a][b] != 0.0) n_rows = a + 1;
  if (n_rows > 0) {
    out += " Supercell\n";
    for (int a = 0; a < n_rows; ++a) {
      for (int b = 0; b < 3; ++b) put(b == 0 ? "    " : " ", configuration.cell[a][b], 6, 13);
      out += '\n';
    }
  }
  if (configuration.size() > 0) {
    out += " AtomData:  id type       cartes_x      cartes_y      cartes_z";
    if (configuration.site_energies) out += "            site_en";
    if (configuration.forces) out += "           fx          fy          fz";
    if (configuration.charges) out += "      charge";
    if (configuration.grades) out += "       nbh_grades";
    out += '\n';
  }
  for (std::size_t i = 0; i < configuration.size(); ++i) {
    put_integer("    ", static_cast<long long>(i) + 1, 10);
    put_integer(" ", configuration.types[i], 4);
    put_vector(configuration.positions[i], 13);
    if (configuration.site_energies) put("  ", (*configuration.site_energies)[i], 12, 17);
    if (configuration.forces) put_vector((*configuration.forces)[i], 11);
    if (configuration.charges) put("    ", (*configuration.charges)[i], 4, 8);
    if (configuration.grades) put("  ", (*configuration.grades)[i], 5, 15);
    out += '\n';
  }
  if (configuration.energy) {
    put(" Energy\n    ", *configuration.energy, 12, 20);
    out += '\n';
  }
  if (configuration.plus_stress) {
    out += " PlusStress:  xx          yy          zz          yz          xz          xy\n";
    for (int k = 0; k < 6; ++k) put(k == 0 ? "     " : " ", (*configuration.plus_stress)[k], 5, 11);
    out += '\n';
  }
  for (const auto& [name, value] : configuration.features) {
    std::string key = name;
    replace_all(key, " ", "\\_");
    replace_all(key, "\t", "\\t");
    std::string lines = value;
    replace_all(lines, "\n", "\n Feature   " + key + "\t");
    if (!value.empty()) out += " Feature   " + key + "\t" + lines + "\n";
  }
  out += "END_CFG\n\n";
}

}  // namespace mtp
