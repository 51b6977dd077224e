#include "potential.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "errors.hpp"

namespace mtp {

namespace {

constexpr int most_species = 1000, most_radial = 100, most_moments = 10'000'000;
constexpr std::size_t most_coefficients = 10'000'000;

// Reserves no more than the rest of the file could hold.
std::size_t checked_count(Scanner& in, const char* field, long long least, long long most, std::size_t bytes_each) {
  const long long count = in.integer(field, least, most);
  if (static_cast<std::size_t>(count) * bytes_each > in.remaining())
    in.fail(std::string(field) + " is " + std::to_string(count) + ", more than the rest of the file can hold");
  return static_cast<std::size_t>(count);
}

void key(Scanner& in, const char* name) {
  in.expect(name, name);
  in.expect("=", name);
}

void read_numbers(Scanner& in, double* out, std::size_t n, const char* field) {
  in.expect("{", field);
  for (std::size_t i = 0; i < n; ++i) {
    if (i > 0) in.expect(",", field);
    out[i] = in.number(field);
  }
  in.expect("}", field);
}

void read_quadruples(Scanner& in, std::vector<std::array<int, 4>>& out, const char* field) {
  in.expect("{", field);
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (i > 0) in.expect(",", field);
    in.expect("{", field);
    for (int k = 0; k < 4; ++k) {
      if (k > 0) in.expect(",", field);
      out[i][k] = static_cast<int>(in.integer(field, -most_moments, most_moments));
    }
    in.expect("}", field);
  }
  in.expect("}", field);
}

std::string too_many(const Potential& p) {
  return "there are " + std::to_string(p.n_coefficients()) + " coefficients, for " + std::to_string(p.n_species()) +
         " species; at most " + std::to_string(most_coefficients) + " are allowed";
}

void read_basis(Scanner& in, Potential& p) {
  key(in, "radial_basis_type");
  const std::string_view type = in.token("radial_basis_type");
  if (type != "RBChebyshev") in.fail("radial_basis_type is " + shown(type) + "; only RBChebyshev is known");
  if (in.peek() == "scaling") {
    key(in, "scaling");
    p.scaling *= in.number("scaling");
  }
  key(in, in.peek() == "min_val" ? "min_val" : "min_dist");
  p.min_dist = in.number("min_dist");
  key(in, in.peek() == "max_val" ? "max_val" : "max_dist");
  p.max_dist = in.number("max_dist");
  key(in, in.peek() == "basis_size" ? "basis_size" : "radial_basis_size");
  p.radial_basis_size = static_cast<int>(in.integer("radial_basis_size", 2, most_radial));
  if (in.peek() == "magnetic_basis_type") in.fail("the potential has a magnetic basis, which is not supported");
  key(in, "radial_funcs_count");
  p.radial_funcs_count = static_cast<int>(in.integer("radial_funcs_count", 1, most_radial));
}

void read_radial_coefficients(Scanner& in, Potential& p) {
  const std::size_t n = p.n_species();
  double* out = p.coefficients.data();
  for (std::size_t a = 0; a < n; ++a)
    for (std::size_t b = 0; b < n; ++b) {
      const std::string pair(in.token("radial_coeffs"));
      const std::size_t dash = pair.find('-');
      int types[2] = {-1, -1};
      if (dash != std::string::npos && dash > 0 && dash + 1 < pair.size() && pair.size() < 12 &&
          pair.find_first_not_of("0123456789-") == std::string::npos && pair.find('-', dash + 1) == std::string::npos) {
        types[0] = std::stoi(pair.substr(0, dash));
        types[1] = std::stoi(pair.substr(dash + 1));
      }
      if (types[0] < 0) in.fail("radial_coeffs should name a pair of species such as 0-1, found " + shown(pair));
      if (a == 0) p.species_types[b] = types[1];
      if (types[0] != p.species_types[a] || types[1] != p.species_types[b])
        in.fail("radial_coeffs of the pair " + pair + " stand where those of " + std::to_string(p.species_types[a]) + "-" +
                std::to_string(p.species_types[b]) + " should");
      for (int mu = 0; mu < p.radial_funcs_count; ++mu, out += p.radial_basis_size)
        read_numbers(in, out, static_cast<std::size_t>(p.radial_basis_size), "radial_coeffs");
    }
}

void read_moments(Scanner& in, Potential& p) {
  key(in, "alpha_moments_count");
  p.alpha_moments_count = static_cast<int>(in.integer("alpha_moments_count", 1, most_moments));
  key(in, "alpha_index_basic_count");
  p.alpha_index_basic.resize(checked_count(in, "alpha_index_basic_count", 1, most_moments, 9));
  key(in, "alpha_index_basic");
  read_quadruples(in, p.alpha_index_basic, "alpha_index_basic");
  key(in, "alpha_index_times_count");
  p.alpha_index_times.resize(checked_count(in, "alpha_index_times_count", 0, most_moments, 9));
  key(in, "alpha_index_times");
  read_quadruples(in, p.alpha_index_times, "alpha_index_times");
  key(in, "alpha_scalar_moments");
  p.alpha_moment_mapping.resize(checked_count(in, "alpha_scalar_moments", 1, most_moments, 2));
  key(in, "alpha_moment_mapping");
  in.expect("{", "alpha_moment_mapping");
  for (std::size_t i = 0; i < p.alpha_moment_mapping.size(); ++i) {
    if (i > 0) in.expect(",", "alpha_moment_mapping");
    p.alpha_moment_mapping[i] = static_cast<int>(in.integer("alpha_moment_mapping", 0, most_moments));
  }
  in.expect("}", "alpha_moment_mapping");
}

void check_equations(Scanner& in, const Selection& s) {
  for (const auto& [configuration, equation] : s.rows) {
    if (configuration < 0) continue;
    const std::size_t index = static_cast<std::size_t>(configuration);
    if (index >= s.configurations.size())
      in.fail("the active set refers to " + std::to_string(index + 1) + " configurations, the file holds " +
              std::to_string(s.configurations.size()) + "; it is truncated");
    const std::size_t n_equations = 1 + 3 * s.configurations[index].size() + 9 + s.configurations[index].size();
    if (static_cast<std::size_t>(equation) >= n_equations)
      in.fail("the active set names the equation " + std::to_string(equation) + " of its configuration " +
              std::to_string(index) + ", which has " + std::to_string(n_equations));
  }
}

Selection read_selection(Scanner& in, std::size_t n) {
  Selection s;
  if (in.peek()[0] == '^')
    in.fail("this is an active-learning state of MLIP-2; give its potential (.mtp) and let train make a new active set");
  in.expect("#MVS_v1.1", "the active set");
  const auto weight = [&in](const char* name) {
    in.expect(name, "the active set");
    return in.number(name);
  };
  s.energy_weight = weight("energy_weight");
  s.force_weight = weight("force_weight");
  s.stress_weight = weight("stress_weight");
  s.site_energy_weight = weight("site_en_weight");
  in.expect("weight_scaling", "the active set");
  s.weight_scaling = static_cast<int>(in.integer("weight_scaling", 0, 100));
  in.skip_past('#', "the matrix of the active set");

  const auto matrix = [&in, n](const char* name) {
    std::vector<double> out(n * n);
    std::memcpy(out.data(), in.raw(n * n * sizeof(double), name).data(), n * n * sizeof(double));
    if (!std::all_of(out.begin(), out.end(), [](double x) { return std::isfinite(x); }))
      in.fail(std::string(name) + " holds a number that is not finite");
    return out;
  };
  if (2 * n * n * sizeof(double) > in.remaining())
    in.fail("the file is truncated in the matrices of the active set: " + std::to_string(2 * n * n * sizeof(double)) +
            " bytes expected for " + std::to_string(n) + " coefficients, " + std::to_string(in.remaining()) + " found");
  s.matrix = matrix("the matrix of the active set");
  const std::vector<double> transposed = matrix("the inverse matrix of the active set");
  s.inverse.resize(n * n);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) s.inverse[j * n + i] = transposed[i * n + j];
  in.expect("#", "the list of the active set");

  s.rows.resize(n);
  for (auto& row : s.rows) {
    row[0] = static_cast<int>(in.integer("a configuration of the active set", -1, most_moments));
    row[1] = static_cast<int>(in.integer("an equation of the active set", -1, 2'000'000'000));
    if ((row[0] < 0) != (row[1] < 0))
      in.fail("a row of the active set has a configuration but no equation, or no configuration but an equation");
  }
  in.expect("#", "the configurations of the active set");
  s.configurations = parse_configurations(in);
  check_equations(in, s);
  return s;
}

void append_quadruples(std::string& out, const std::vector<std::array<int, 4>>& rows) {
  out += "{";
  for (std::size_t i = 0; i < rows.size(); ++i) {
    out += i > 0 ? ", {" : "{";
    for (int k = 0; k < 4; ++k) out += (k > 0 ? ", " : "") + std::to_string(rows[i][k]);
    out += "}";
  }
  out += "}\n";
}

void append_numbers(std::string& out, const double* values, std::size_t n) {
  out += "{";
  for (std::size_t i = 0; i < n; ++i) {
    if (i > 0) out += ", ";
    append_scientific(out, values[i], 15);
  }
  out += "}";
}

void append_selection(std::string& out, const Selection& s) {
  const std::size_t n = s.rows.size();
  const auto weight = [&out](const char* name, double value) {
    out += name;
    append_scientific(out, value, 16);
    out += "\n";
  };
  out += "\n#MVS_v1.1\n";
  weight("energy_weight ", s.energy_weight);
  weight("force_weight ", s.force_weight);
  weight("stress_weight ", s.stress_weight);
  weight("site_en_weight ", s.site_energy_weight);
  out += "weight_scaling " + std::to_string(s.weight_scaling) + "\n#";
  const std::size_t n_bytes = n * n * sizeof(double);
  out.append(reinterpret_cast<const char*>(s.matrix.data()), n_bytes);
  std::vector<double> transposed(n * n);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) transposed[i * n + j] = s.inverse[j * n + i];
  out.append(reinterpret_cast<const char*>(transposed.data()), n_bytes);
  out += "\n#\n";
  for (const auto& row : s.rows) out += std::to_string(row[0]) + " " + std::to_string(row[1]) + "\n";
  out += "#\n";
  for (std::size_t c = 0; c < s.configurations.size(); ++c) {
    std::vector<int> equations;
    for (const auto& row : s.rows)
      if (row[0] == static_cast<int>(c)) equations.push_back(row[1]);
    std::sort(equations.begin(), equations.end());
    std::string list;
    for (const int equation : equations) list += (list.empty() ? "" : ",") + std::to_string(equation);
    Configuration configuration = s.configurations[c];
    configuration.features["selected_eqn_inds"] = list;
    append_configuration(out, configuration, true);
  }
}

}  // namespace

int Potential::species_of(int type) const {
  const auto found = std::find(species_types.begin(), species_types.end(), type);
  return found == species_types.end() ? -1 : static_cast<int>(found - species_types.begin());
}

std::string Potential::fault() const {
  const auto outside = [](int value, std::size_t end) { return value < 0 || value >= static_cast<int>(end); };
  const auto at = [](const char* field, std::size_t i) { return std::string(field) + "[" + std::to_string(i) + "] "; };
  if (species_types.empty()) return "species_types is empty; a potential needs at least one species";
  for (std::size_t i = 0; i < species_types.size(); ++i)
    if (std::count(species_types.begin(), species_types.end(), species_types[i]) > 1)
      return "species_types names the type " + std::to_string(species_types[i]) + " twice";
  if (!std::isfinite(scaling) || scaling == 0.0) return "scaling is " + std::to_string(scaling) + ", it must be a finite number other than 0";
  if (!(min_dist >= 0.0 && max_dist > min_dist && std::isfinite(max_dist)))
    return "min_dist " + std::to_string(min_dist) + " and max_dist " + std::to_string(max_dist) +
           " must be 0 <= min_dist < max_dist";
  if (radial_basis_size < 2 || radial_basis_size > most_radial || radial_funcs_count < 1 || radial_funcs_count > most_radial)
    return "there are " + std::to_string(radial_funcs_count) + " radial functions of " + std::to_string(radial_basis_size) +
           " polynomials; allowed are 1 to 100 functions of 2 to 100 polynomials";
  const std::size_t n_moments = static_cast<std::size_t>(std::max(alpha_moments_count, 0));
  if (alpha_index_basic.empty()) return "alpha_index_basic is empty";
  if (alpha_index_basic.size() > n_moments || n_moments > alpha_index_basic.size() + alpha_index_times.size())
    return "alpha_moments_count is " + std::to_string(alpha_moments_count) + ", not between the number of basic moments, " +
           std::to_string(alpha_index_basic.size()) + ", and that of basic moments and contractions, " +
           std::to_string(alpha_index_basic.size() + alpha_index_times.size());
  for (std::size_t i = 0; i < alpha_index_basic.size(); ++i) {
    const auto& [mu, a, b, c] = alpha_index_basic[i];
    if (outside(mu, static_cast<std::size_t>(radial_funcs_count)))
      return at("alpha_index_basic", i) + "names the radial function " + std::to_string(mu) + " of " +
             std::to_string(radial_funcs_count);
    if (a < 0 || b < 0 || c < 0 || a > 50 || b > 50 || c > 50) return at("alpha_index_basic", i) + "has a power outside 0 to 50";
  }
  std::vector<bool> used(n_moments, false);
  for (std::size_t i = 0; i < alpha_index_times.size(); ++i) {
    const auto& [a, b, factor, c] = alpha_index_times[i];
    if (outside(a, n_moments) || outside(b, n_moments) || outside(c, n_moments))
      return at("alpha_index_times", i) + "names a moment outside 0 to " + std::to_string(alpha_moments_count - 1);
    used[static_cast<std::size_t>(a)] = used[static_cast<std::size_t>(b)] = true;
    if (static_cast<std::size_t>(c) < alpha_index_basic.size() || used[static_cast<std::size_t>(c)])
      return at("alpha_index_times", i) + "adds to a moment that is basic or was used before it was complete";
  }
  for (std::size_t i = 0; i < alpha_moment_mapping.size(); ++i)
    if (outside(alpha_moment_mapping[i], n_moments))
      return at("alpha_moment_mapping", i) + "is " + std::to_string(alpha_moment_mapping[i]) + ", outside 0 to " +
             std::to_string(alpha_moments_count - 1);
  if (n_coefficients() > most_coefficients) return too_many(*this);
  if (coefficients.size() != n_coefficients())
    return "there are " + std::to_string(coefficients.size()) + " coefficients, the basis needs " +
           std::to_string(n_coefficients());
  return "";
}

Potential Potential::parse(std::string_view content, const std::string& file) {
  Scanner in(content, file);
  Potential p;
  p.name.clear();
  in.expect("MTP", "the first line (is this a moment tensor potential?)");
  key(in, "version");
  if (const std::string_view version = in.token("version"); version != "1.1.0")
    in.fail("version is " + shown(version) + ", only 1.1.0 is known");
  if (in.peek() == "potential_name") {
    key(in, "potential_name");
    p.name = readable(in.rest_of_line());
  }
  if (in.peek() == "scaling") {
    key(in, "scaling");
    p.scaling = in.number("scaling");
  }
  p.species_types.assign(1, 0);
  if (in.peek() == "species_count") {
    key(in, "species_count");
    p.species_types.resize(static_cast<std::size_t>(in.integer("species_count", 1, most_species)));
    for (std::size_t i = 0; i < p.n_species(); ++i) p.species_types[i] = static_cast<int>(i);
  }
  if (in.peek() == "potential_tag") {
    key(in, "potential_tag");
    p.tag = readable(in.rest_of_line());
  }
  read_basis(in, p);
  bool has_radial = false;
  if (in.peek() == "radial_coeffs") {
    in.expect("radial_coeffs", "radial_coeffs");
    if (in.peek() != "alpha_moments_count") {
      has_radial = true;
      if (p.n_radial() > most_coefficients) in.fail(too_many(p));
      if (p.n_radial() * 2 > in.remaining()) in.fail("the file is truncated in radial_coeffs");
      p.coefficients.resize(p.n_radial());
      read_radial_coefficients(in, p);
    }
  }
  read_moments(in, p);
  if (p.n_coefficients() > most_coefficients) in.fail(too_many(p));
  p.coefficients.resize(p.n_coefficients(), 0.0);
  if (in.peek() == "species_coeffs") {
    key(in, "species_coeffs");
    read_numbers(in, p.coefficients.data() + p.n_radial(), p.n_species(), "species_coeffs");
    key(in, "moment_coeffs");
    read_numbers(in, p.coefficients.data() + p.n_radial() + p.n_species(), p.alpha_moment_mapping.size(), "moment_coeffs");
    p.initialised = has_radial;
  }
  if (const std::string fault = p.fault(); !fault.empty()) in.fail(fault);
  if (!in.at_end()) p.selection = read_selection(in, p.n_coefficients());
  return p;
}

Potential Potential::read(const std::string& path) { return parse(read_file(path), path); }

std::string Potential::serialise() const {
  if (const std::string problem = fault(); !problem.empty()) throw InputError("the potential cannot be written: " + problem);
  for (const std::string* text : {&name, &tag})
    if (text->find('\n') != std::string::npos)
      throw InputError("the potential cannot be written: its name or its tag " + shown(*text) + " has a line break");
  for (const double value : coefficients)
    if (!std::isfinite(value)) throw InputError("the potential cannot be written: a coefficient is not a finite number");
  std::string out = "MTP\nversion = 1.1.0\npotential_name = " + name + "\n";
  const auto number = [&out](const char* field, double value) {
    out += field;
    append_scientific(out, value, 15);
    out += "\n";
  };
  if (scaling != 1.0) number("scaling = ", scaling);
  out += "species_count = " + std::to_string(n_species()) + "\npotential_tag = " + tag + "\n";
  out += "radial_basis_type = RBChebyshev\n";
  number("\tmin_dist = ", min_dist);
  number("\tmax_dist = ", max_dist);
  out += "\tradial_basis_size = " + std::to_string(radial_basis_size) + "\n";
  out += "\tradial_funcs_count = " + std::to_string(radial_funcs_count) + "\n";
  if (initialised) {
    out += "\tradial_coeffs\n";
    const double* value = coefficients.data();
    for (const int a : species_types)
      for (const int b : species_types) {
        out += "\t\t" + std::to_string(a) + "-" + std::to_string(b) + "\n";
        for (int mu = 0; mu < radial_funcs_count; ++mu, value += radial_basis_size) {
          out += "\t\t\t";
          append_numbers(out, value, static_cast<std::size_t>(radial_basis_size));
          out += "\n";
        }
      }
  }
  out += "alpha_moments_count = " + std::to_string(alpha_moments_count) + "\n";
  out += "alpha_index_basic_count = " + std::to_string(alpha_index_basic.size()) + "\nalpha_index_basic = ";
  append_quadruples(out, alpha_index_basic);
  out += "alpha_index_times_count = " + std::to_string(alpha_index_times.size()) + "\nalpha_index_times = ";
  append_quadruples(out, alpha_index_times);
  out += "alpha_scalar_moments = " + std::to_string(alpha_moment_mapping.size()) + "\nalpha_moment_mapping = {";
  for (std::size_t i = 0; i < alpha_moment_mapping.size(); ++i)
    out += (i > 0 ? ", " : "") + std::to_string(alpha_moment_mapping[i]);
  out += "}\n";
  if (initialised) {
    out += "species_coeffs = ";
    append_numbers(out, coefficients.data() + n_radial(), n_species());
    out += "\nmoment_coeffs = ";
    append_numbers(out, coefficients.data() + n_radial() + n_species(), alpha_moment_mapping.size());
  }
  if (selection) append_selection(out, *selection);
  return out;
}

}  // namespace mtp
