#include "arrays.hpp"

namespace mtp {

namespace {

using MaybeArray = std::optional<InArray>;

py::ssize_t n_atoms(const Configuration& c) { return static_cast<py::ssize_t>(c.size()); }

template <class T>
py::object or_none(const std::optional<T>& value, py::object (*convert)(const T&)) {
  return value ? convert(*value) : py::object(py::none());
}

py::object numbers(const std::vector<double>& values) {
  return array_of(values.data(), {static_cast<py::ssize_t>(values.size())});
}
py::object vectors(const std::vector<Vector3>& values) { return array_of_vectors(values); }
py::object stress(const std::array<double, 6>& values) { return array_of(values.data(), {6}); }

void set_forces(Configuration& c, const MaybeArray& array) {
  if (array)
    c.forces = vectors_of(*array, n_atoms(c), "forces");
  else
    c.forces.reset();
}

void set_stress(Configuration& c, const MaybeArray& array) {
  c.plus_stress.reset();
  if (!array) return;
  need_shape(*array, {6}, "plus_stress");
  c.plus_stress.emplace();
  std::memcpy(c.plus_stress->data(), array->data(), 6 * sizeof(double));
}

using Column = std::optional<std::vector<double>> Configuration::*;

void set_column(Configuration& c, Column column, const MaybeArray& array, const char* name) {
  if (array)
    c.*column = vector_of(*array, {n_atoms(c)}, name);
  else
    (c.*column).reset();
}

template <class Class>
void define_column(Class& type, const char* name, Column column) {
  type.def_property(
      name, [column](const Configuration& c) { return or_none(c.*column, numbers); },
      [column, name](Configuration& c, const MaybeArray& array) { set_column(c, column, array, name); });
}

std::array<Vector3, 3> cell_of(const InArray& array) {
  const std::vector<Vector3> rows = vectors_of(array, 3, "cell");
  return {rows[0], rows[1], rows[2]};
}

Configuration make(const InIntegers& types, const InArray& positions, const InArray& cell, std::optional<double> energy,
                   const MaybeArray& forces, const MaybeArray& plus_stress, const MaybeArray& site_energies,
                   const MaybeArray& charges, const MaybeArray& grades,
                   const std::optional<std::map<std::string, std::string>>& features) {
  Configuration c;
  c.types = integers_of(types, "types");
  c.positions = vectors_of(positions, n_atoms(c), "positions");
  c.cell = cell_of(cell);
  c.energy = energy;
  set_forces(c, forces);
  set_stress(c, plus_stress);
  set_column(c, &Configuration::site_energies, site_energies, "site_energies");
  set_column(c, &Configuration::charges, charges, "charges");
  set_column(c, &Configuration::grades, grades, "grades");
  if (features) c.features = *features;
  return c;
}

std::vector<Configuration> parse(const std::string& content, const std::string& name) {
  Scanner scanner(content, name);
  return parse_configurations(scanner);
}

}  // namespace

void bind_configuration(py::module_& module) {
  py::class_<Configuration> type(module, "Configuration");
  type.def(py::init(&make), py::arg("types"), py::arg("positions"), py::arg("cell"), py::kw_only(),
           py::arg("energy") = py::none(), py::arg("forces") = py::none(), py::arg("plus_stress") = py::none(),
           py::arg("site_energies") = py::none(), py::arg("charges") = py::none(), py::arg("grades") = py::none(),
           py::arg("features") = py::none());
  type.def("__len__", &Configuration::size);
  type.def_property(
      "types", [](const Configuration& c) { return array_of(c.types.data(), {n_atoms(c)}); },
      [](Configuration& c, const InIntegers& array) {
        need_shape(array, {n_atoms(c)}, "types");
        c.types = integers_of(array, "types");
      });
  type.def_property(
      "positions", [](const Configuration& c) { return array_of_vectors(c.positions); },
      [](Configuration& c, const InArray& array) { c.positions = vectors_of(array, n_atoms(c), "positions"); });
  type.def_property(
      "cell", [](const Configuration& c) { return array_of(c.cell[0].data(), {3, 3}); },
      [](Configuration& c, const InArray& array) { c.cell = cell_of(array); });
  type.def_readwrite("energy", &Configuration::energy);
  type.def_property(
      "forces", [](const Configuration& c) { return or_none(c.forces, vectors); }, &set_forces);
  type.def_property(
      "plus_stress", [](const Configuration& c) { return or_none(c.plus_stress, stress); }, &set_stress);
  define_column(type, "site_energies", &Configuration::site_energies);
  define_column(type, "charges", &Configuration::charges);
  define_column(type, "grades", &Configuration::grades);
  type.def_readwrite("features", &Configuration::features);

  module.def(
      "read_configurations",
      [](const py::object& path) {
        const std::string name = path_of(path);
        const py::gil_scoped_release release;
        return parse(read_file(name), name);
      },
      py::arg("path"));
  module.def(
      "parse_configurations", [](const py::bytes& content, const std::string& name) { return parse(content, name); },
      py::arg("content"), py::arg("name") = "<memory>");
  module.def(
      "format_configurations",
      [](const std::vector<Configuration>& configurations, bool lossless) {
        std::string out;
        for (const Configuration& c : configurations) append_configuration(out, c, lossless);
        return py::bytes(out);
      },
      py::arg("configurations"), py::kw_only(), py::arg("lossless") = false);
}

}  // namespace mtp
