#include "../sets/configuration_set.hpp"
#include "arrays.hpp"

namespace mtp {

namespace {

py::ssize_t signed_size(std::size_t n) { return static_cast<py::ssize_t>(n); }

using Entry = std::tuple<InIntegers, InArray, InArray, std::array<bool, 3>>;

std::size_t bytes_of(double megabytes) {
  if (!(megabytes >= 0.0 && megabytes < 1e12))
    throw InputError("memory_limit_MB is " + std::to_string(megabytes) + ", allowed are numbers from 0 up");
  return static_cast<std::size_t>(megabytes * 1e6);
}

ConfigurationSet make(const std::vector<Entry>& entries, double cutoff, double memory_limit_MB) {
  const std::size_t memory_limit = bytes_of(memory_limit_MB);
  std::vector<Structure> structures;
  for (const auto& [types, positions, cell, periodic] : entries) {
    const std::string where = "configuration " + std::to_string(structures.size()) + ": ";
    Structure s;
    s.types = integers_of(types, where + "types");
    s.positions = vectors_of(positions, signed_size(s.types.size()), where + "positions");
    const std::vector<Vector3> rows = vectors_of(cell, 3, where + "cell");
    s.cell = {rows[0], rows[1], rows[2]};
    s.periodic = periodic;
    structures.push_back(std::move(s));
  }
  const py::gil_scoped_release release;
  return ConfigurationSet(std::move(structures), cutoff, memory_limit);
}

ConfigurationSet make_of(const std::vector<Configuration>& configurations, double cutoff, double memory_limit_MB) {
  const std::size_t memory_limit = bytes_of(memory_limit_MB);
  std::vector<Structure> structures;
  for (const Configuration& c : configurations) {
    Structure s{c.types, c.positions, c.cell, {}};
    for (std::size_t a = 0; a < 3; ++a) s.periodic[a] = c.cell[a] != Vector3{};
    structures.push_back(std::move(s));
  }
  const py::gil_scoped_release release;
  return ConfigurationSet(std::move(structures), cutoff, memory_limit);
}

Targets targets_of(const ConfigurationSet& set, const InArray& energies, const InArray& forces, const InArray& plus_stresses,
                   const InArray& energy_weights, const InArray& force_weights, const InArray& stress_weights) {
  const py::ssize_t n = signed_size(set.n_configurations()), n_atoms = signed_size(set.n_atoms());
  need_shape(energies, {n}, "energies");
  need_shape(forces, {n_atoms, 3}, "forces");
  need_shape(plus_stresses, {n, 6}, "plus_stresses");
  need_shape(energy_weights, {n}, "energy_weights");
  need_shape(force_weights, {n_atoms}, "force_weights");
  need_shape(stress_weights, {n}, "stress_weights");
  return {energies.data(),       forces.data(),        plus_stresses.data(),
          energy_weights.data(), force_weights.data(), stress_weights.data()};
}

// Binds compute(set, potential, targets, n_threads) as a method (potential, *, references and weights, n_threads).
template <class Class, class Compute>
void define_fit(Class& type, const char* name, const Compute& compute) {
  type.def(
      name,
      [compute](const ConfigurationSet& set, const Potential& potential, const InArray& energies, const InArray& forces,
                const InArray& plus_stresses, const InArray& energy_weights, const InArray& force_weights,
                const InArray& stress_weights, int n_threads) {
        return compute(set, potential,
                       targets_of(set, energies, forces, plus_stresses, energy_weights, force_weights, stress_weights),
                       n_threads);
      },
      py::arg("potential"), py::kw_only(), py::arg("energies"), py::arg("forces"), py::arg("plus_stresses"),
      py::arg("energy_weights"), py::arg("force_weights"), py::arg("stress_weights"), py::arg("n_threads") = 1);
}

// Binds a method (potential, *, n_threads) that returns an array of the given shape.
template <class Class>
void define_rows(Class& type, const char* name, std::vector<double> (ConfigurationSet::*method)(const Potential&, int) const,
                 Shape (*shape)(const ConfigurationSet&, const Potential&)) {
  type.def(
      name,
      [method, shape](const ConfigurationSet& set, const Potential& potential, int n_threads) {
        std::vector<double> out;
        {
          const py::gil_scoped_release release;
          out = (set.*method)(potential, n_threads);
        }
        return array_owning(std::move(out), shape(set, potential));
      },
      py::arg("potential"), py::kw_only(), py::arg("n_threads") = 1);
}

void bind_evaluation(py::module_& module) {
  py::class_<Evaluation> type(module, "Evaluation");
  type.def_property_readonly("energies", [](const Evaluation& e) { return array_of(e.energies.data(), {signed_size(e.energies.size())}); });
  type.def_property_readonly("site_energies", [](const Evaluation& e) {
    return array_of(e.site_energies.data(), {signed_size(e.site_energies.size())});
  });
  type.def_property_readonly("forces", [](const Evaluation& e) {
    return array_of(e.forces.data(), {signed_size(e.site_energies.size()), 3});
  });
  type.def_property_readonly("plus_stresses", [](const Evaluation& e) {
    return array_of(e.plus_stresses.data(), {signed_size(e.energies.size()), 6});
  });
}

}  // namespace

void bind_sets(py::module_& module) {
  bind_evaluation(module);
  py::class_<ConfigurationSet> type(module, "ConfigurationSet");
  type.def(py::init(&make), py::arg("configurations"), py::arg("cutoff"), py::kw_only(), py::arg("memory_limit_MB") = 1e9);
  type.def_static("of", &make_of, py::arg("configurations"), py::arg("cutoff"), py::kw_only(),
                  py::arg("memory_limit_MB") = 1e9);
  type.def("__len__", &ConfigurationSet::n_configurations);
  type.def_property_readonly("n_atoms", &ConfigurationSet::n_atoms);
  type.def_property_readonly("cutoff", &ConfigurationSet::cutoff);
  type.def_property_readonly("types", [](const ConfigurationSet& set) {
    return array_of(set.types().data(), {signed_size(set.n_atoms())});
  });
  type.def_property_readonly("offsets", [](const ConfigurationSet& set) {
    const std::vector<std::int64_t> offsets(set.offsets().begin(), set.offsets().end());
    return array_of(offsets.data(), {signed_size(offsets.size())});
  });
  type.def("minimum_distances", [](const ConfigurationSet& set) {
    const py::ssize_t n = signed_size(set.known_types().size());
    return py::make_tuple(set.known_types(), array_of(set.minimum_distances().data(), {n, n}));
  });
  type.def(
      "evaluate",
      [](const ConfigurationSet& set, const Potential& potential, int n_threads) {
        const py::gil_scoped_release release;
        return set.evaluate(potential, n_threads);
      },
      py::arg("potential"), py::kw_only(), py::arg("n_threads") = 1);
  define_fit(type, "loss", [](const ConfigurationSet& set, const Potential& potential, const Targets& targets, int n_threads) {
    const py::gil_scoped_release release;
    return set.loss(potential, targets, n_threads);
  });
  define_fit(type, "loss_and_gradient",
             [](const ConfigurationSet& set, const Potential& potential, const Targets& targets, int n_threads) {
               std::vector<double> gradient;
               double loss = 0.0;
               {
                 const py::gil_scoped_release release;
                 loss = set.loss_and_gradient(potential, targets, n_threads, gradient);
               }
               const Shape shape = {signed_size(gradient.size())};
               return py::make_tuple(loss, array_owning(std::move(gradient), shape));
             });
  define_fit(type, "linear_system",
             [](const ConfigurationSet& set, const Potential& potential, const Targets& targets, int n_threads) {
               LinearSystem system;
               {
                 const py::gil_scoped_release release;
                 system = set.linear_system(potential, targets, n_threads);
               }
               const py::ssize_t n = signed_size(system.vector.size());
               return py::make_tuple(array_owning(std::move(system.matrix), {n, n}),
                                     array_owning(std::move(system.vector), {n}), system.constant);
             });
  define_rows(type, "site_gradients", &ConfigurationSet::site_gradients, [](const ConfigurationSet& set, const Potential& p) -> Shape {
    return {signed_size(set.n_atoms()), signed_size(p.n_coefficients())};
  });
  define_rows(type, "energy_gradients", &ConfigurationSet::energy_gradients,
              [](const ConfigurationSet& set, const Potential& p) -> Shape {
                return {signed_size(set.n_configurations()), signed_size(p.n_coefficients())};
              });
  define_rows(type, "site_grades", &ConfigurationSet::site_grades,
              [](const ConfigurationSet& set, const Potential&) -> Shape { return {signed_size(set.n_atoms())}; });
  define_rows(type, "configuration_grades", &ConfigurationSet::configuration_grades,
              [](const ConfigurationSet& set, const Potential&) -> Shape { return {signed_size(set.n_configurations())}; });
}

}  // namespace mtp
