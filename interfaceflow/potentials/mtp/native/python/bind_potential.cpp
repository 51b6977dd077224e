#include "../core/potential.hpp"
#include "arrays.hpp"

namespace mtp {

namespace {

using Rows4 = std::vector<std::array<int, 4>>;

Rows4 rows4_of(const InIntegers& array, const std::string& name) {
  need_shape(array, {-1, 4}, name);
  Rows4 out(static_cast<std::size_t>(array.shape(0)));
  for (std::size_t i = 0; i < out.size(); ++i)
    for (std::size_t k = 0; k < 4; ++k) out[i][k] = integer_of(array.data()[4 * i + k], name);
  return out;
}

py::array_t<int> array_of_rows4(const Rows4& rows) {
  return array_of(reinterpret_cast<const int*>(rows.data()), {static_cast<py::ssize_t>(rows.size()), 4});
}

std::vector<std::array<int, 2>> rows2_of(const InIntegers& array, py::ssize_t n) {
  need_shape(array, {n, 2}, "rows");
  std::vector<std::array<int, 2>> out(static_cast<std::size_t>(array.shape(0)));
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = {integer_of(array.data()[2 * i], "rows"), integer_of(array.data()[2 * i + 1], "rows")};
  return out;
}

void check_rows(const Selection& s) {
  for (const auto& row : s.rows)
    if ((row[0] < 0) != (row[1] < 0) || row[0] >= static_cast<int>(s.configurations.size()))
      throw InputError("rows hold (" + std::to_string(row[0]) + ", " + std::to_string(row[1]) + "); allowed are (-1, -1), or one of the " +
                       std::to_string(s.configurations.size()) + " configurations with an equation");
}

Selection make_selection(double energy_weight, double force_weight, double stress_weight, double site_energy_weight,
                         int weight_scaling, const InArray& matrix, const InArray& inverse, const InIntegers& rows,
                         const std::vector<Configuration>& configurations) {
  need_shape(rows, {-1, 2}, "rows");
  const py::ssize_t n = rows.shape(0);
  Selection s{energy_weight,  force_weight, stress_weight, site_energy_weight, weight_scaling, vector_of(matrix, {n, n}, "matrix"),
              vector_of(inverse, {n, n}, "inverse"), rows2_of(rows, n), configurations};
  check_rows(s);
  return s;
}

py::ssize_t size_of(const Selection& s) { return static_cast<py::ssize_t>(s.rows.size()); }

void bind_selection(py::module_& module) {
  py::class_<Selection> type(module, "SelectionState");
  type.def(py::init(&make_selection), py::kw_only(), py::arg("energy_weight"), py::arg("force_weight"), py::arg("stress_weight"),
           py::arg("site_energy_weight"), py::arg("weight_scaling"), py::arg("matrix"), py::arg("inverse"), py::arg("rows"),
           py::arg("configurations"));
  type.def_readwrite("energy_weight", &Selection::energy_weight);
  type.def_readwrite("force_weight", &Selection::force_weight);
  type.def_readwrite("stress_weight", &Selection::stress_weight);
  type.def_readwrite("site_energy_weight", &Selection::site_energy_weight);
  type.def_readwrite("weight_scaling", &Selection::weight_scaling);
  type.def_property(
      "matrix", [](const Selection& s) { return array_of(s.matrix.data(), {size_of(s), size_of(s)}); },
      [](Selection& s, const InArray& array) { s.matrix = vector_of(array, {size_of(s), size_of(s)}, "matrix"); });
  type.def_property(
      "inverse", [](const Selection& s) { return array_of(s.inverse.data(), {size_of(s), size_of(s)}); },
      [](Selection& s, const InArray& array) { s.inverse = vector_of(array, {size_of(s), size_of(s)}, "inverse"); });
  type.def_property(
      "rows",
      [](const Selection& s) { return array_of(reinterpret_cast<const int*>(s.rows.data()), {size_of(s), 2}); },
      [](Selection& s, const InIntegers& array) { s.rows = rows2_of(array, size_of(s)); });
  type.def_readwrite("configurations", &Selection::configurations);
}

struct Part {
  const char* name;
  std::size_t (*begin)(const Potential&);
  Shape (*shape)(const Potential&);
};

py::ssize_t signed_size(std::size_t n) { return static_cast<py::ssize_t>(n); }

constexpr Part parts[] = {
    {"coefficients", [](const Potential&) -> std::size_t { return 0; },
     [](const Potential& p) -> Shape { return {signed_size(p.n_coefficients())}; }},
    {"radial_coeffs", [](const Potential&) -> std::size_t { return 0; },
     [](const Potential& p) -> Shape {
       return {signed_size(p.n_species()), signed_size(p.n_species()), p.radial_funcs_count, p.radial_basis_size};
     }},
    {"species_coeffs", [](const Potential& p) { return p.n_radial(); },
     [](const Potential& p) -> Shape { return {signed_size(p.n_species())}; }},
    {"moment_coeffs", [](const Potential& p) { return p.n_radial() + p.n_species(); },
     [](const Potential& p) -> Shape { return {signed_size(p.alpha_moment_mapping.size())}; }},
};

Potential make_potential(const std::vector<int>& species_types, double min_dist, double max_dist, int alpha_moments_count,
                         const InIntegers& alpha_index_basic, const InIntegers& alpha_index_times,
                         const InIntegers& alpha_moment_mapping, const InArray& radial_coeffs, const InArray& species_coeffs,
                         const InArray& moment_coeffs, double scaling, const std::string& name, const std::string& tag) {
  Potential p;
  p.name = name;
  p.tag = tag;
  p.initialised = true;
  p.scaling = scaling;
  p.min_dist = min_dist;
  p.max_dist = max_dist;
  p.species_types = species_types;
  p.alpha_moments_count = alpha_moments_count;
  p.alpha_index_basic = rows4_of(alpha_index_basic, "alpha_index_basic");
  p.alpha_index_times = rows4_of(alpha_index_times, "alpha_index_times");
  p.alpha_moment_mapping = integers_of(alpha_moment_mapping, "alpha_moment_mapping");
  const py::ssize_t n = signed_size(species_types.size());
  need_shape(radial_coeffs, {n, n, -1, -1}, "radial_coeffs");
  p.radial_funcs_count = static_cast<int>(radial_coeffs.shape(2));
  p.radial_basis_size = static_cast<int>(radial_coeffs.shape(3));
  need_shape(species_coeffs, {n}, "species_coeffs");
  need_shape(moment_coeffs, {signed_size(p.alpha_moment_mapping.size())}, "moment_coeffs");
  for (const InArray* array : {&radial_coeffs, &species_coeffs, &moment_coeffs})
    p.coefficients.insert(p.coefficients.end(), array->data(), array->data() + array->size());
  if (const std::string fault = p.fault(); !fault.empty()) throw InputError(fault);
  return p;
}

void set_selection(Potential& p, const std::optional<Selection>& selection) {
  if (selection) {
    if (selection->rows.size() != p.n_coefficients())
      throw InputError("the active set has " + std::to_string(selection->rows.size()) + " rows, the potential " +
                       std::to_string(p.n_coefficients()) + " coefficients");
    check_rows(*selection);
  }
  p.selection = selection;
}

template <class T>
void set_checked(Potential& p, T Potential::*member, const T& value) {
  const T before = p.*member;
  p.*member = value;
  if (const std::string fault = p.fault(); !fault.empty()) {
    p.*member = before;
    throw InputError(fault);
  }
}

}  // namespace

void bind_potential(py::module_& module) {
  bind_selection(module);
  py::class_<Potential> type(module, "Potential");
  type.def(py::init(&make_potential), py::kw_only(), py::arg("species_types"), py::arg("min_dist"), py::arg("max_dist"),
           py::arg("alpha_moments_count"), py::arg("alpha_index_basic"), py::arg("alpha_index_times"),
           py::arg("alpha_moment_mapping"), py::arg("radial_coeffs"), py::arg("species_coeffs"), py::arg("moment_coeffs"),
           py::arg("scaling") = 1.0, py::arg("name") = "MTP", py::arg("tag") = "");
  type.def_static("read", [](const py::object& path) { return Potential::read(path_of(path)); }, py::arg("path"));
  type.def_static(
      "parse",
      [](const py::bytes& content, const std::string& name) { return Potential::parse(std::string_view(content), name); },
      py::arg("content"), py::arg("name") = "<memory>");
  type.def("serialise", [](const Potential& p) { return py::bytes(p.serialise()); });
  type.def("copy", [](const Potential& p) { return Potential(p); });
  type.def_readwrite("name", &Potential::name);
  type.def_readwrite("tag", &Potential::tag);
  type.def_property(
      "scaling", [](const Potential& p) { return p.scaling; },
      [](Potential& p, double value) { set_checked(p, &Potential::scaling, value); });
  type.def_property(
      "min_dist", [](const Potential& p) { return p.min_dist; },
      [](Potential& p, double value) { set_checked(p, &Potential::min_dist, value); });
  type.def_property(
      "max_dist", [](const Potential& p) { return p.max_dist; },
      [](Potential& p, double value) { set_checked(p, &Potential::max_dist, value); });
  for (const Part& part : parts)
    type.def_property(
        part.name, [&part](const Potential& p) { return array_of(p.coefficients.data() + part.begin(p), part.shape(p)); },
        [&part](Potential& p, const InArray& array) {
          need_shape(array, part.shape(p), part.name);
          std::copy_n(array.data(), array.size(), p.coefficients.begin() + static_cast<std::ptrdiff_t>(part.begin(p)));
          p.initialised = true;
        });
  type.def_property(
      "selection", [](const Potential& p) { return p.selection; }, &set_selection);
  type.def_readonly("initialised", &Potential::initialised);
  type.def_readonly("species_types", &Potential::species_types);
  type.def_property_readonly("species_count", &Potential::n_species);
  type.def_readonly("radial_funcs_count", &Potential::radial_funcs_count);
  type.def_readonly("radial_basis_size", &Potential::radial_basis_size);
  type.def_readonly("alpha_moments_count", &Potential::alpha_moments_count);
  type.def_property_readonly("alpha_index_basic", [](const Potential& p) { return array_of_rows4(p.alpha_index_basic); });
  type.def_property_readonly("alpha_index_times", [](const Potential& p) { return array_of_rows4(p.alpha_index_times); });
  type.def_property_readonly("alpha_moment_mapping", [](const Potential& p) {
    return array_of(p.alpha_moment_mapping.data(), {signed_size(p.alpha_moment_mapping.size())});
  });
  type.def_property_readonly("n_coefficients", &Potential::n_coefficients);
  type.def_property_readonly("n_radial_coefficients", &Potential::n_radial);
}

}  // namespace mtp
