// Derivatives with respect to coefficients, atom by atom: selection matrices, grades, linear least squares.
#include <algorithm>
#include <cmath>

#include "../core/errors.hpp"
#include "../kernel/grade_table.hpp"
#include "configuration_set.hpp"
#include "workers.hpp"

namespace mtp {

namespace {

constexpr double multiplicity[6] = {1.0, 1.0, 1.0, 2.0, 2.0, 2.0};

const Selection& selection_of(const Potential& potential) {
  if (!potential.selection)
    throw InputError("the potential has no active set (#MVS_v1.1); train it with an active set to get grades");
  return *potential.selection;
}

bool by_neighbourhood(const Selection& s) {
  return s.site_energy_weight != 0.0 && s.energy_weight == 0.0 && s.force_weight == 0.0 && s.stress_weight == 0.0;
}

bool by_configuration(const Selection& s) {
  return s.energy_weight != 0.0 && s.site_energy_weight == 0.0 && s.force_weight == 0.0 && s.stress_weight == 0.0;
}

}  // namespace

template <class Visit>
void ConfigurationSet::for_rows(const Potential& potential, int n_threads, const Visit& visit) const {
  const Prepared prepared(*this, potential);
  const std::size_t lanes = static_cast<std::size_t>(lanes_);
  for_blocks(prepared, n_threads, [&](const Block&, std::size_t, Worker& worker) {
    for (const Group& group : worker.packed->groups) {
      const Batch batch = batch_of(*worker.packed, group, prepared);
      kernel().energy(prepared.model.view(), batch, worker.scratch, worker.energies, nullptr, nullptr, worker.rows);
      const std::vector<int> own = prepared.model.coefficients_of(batch.central);
      for (std::size_t lane = 0; lane < lanes; ++lane) {
        const int atom = worker.packed->atom_of_lane[group.first_lane + lane];
        if (atom >= 0) visit(static_cast<std::size_t>(atom), own, worker.rows, lane);
      }
    }
  });
}

std::vector<double> ConfigurationSet::site_gradients(const Potential& potential, int n_threads) const {
  const std::size_t lanes = static_cast<std::size_t>(lanes_), n = potential.n_coefficients();
  std::vector<double> out(n_atoms() * n, 0.0);
  for_rows(potential, n_threads, [&](std::size_t atom, const std::vector<int>& own, const double* rows, std::size_t lane) {
    for (std::size_t row = 0; row < own.size(); ++row)
      out[atom * n + static_cast<std::size_t>(own[row])] = rows[row * lanes + lane];
  });
  return out;
}

std::vector<double> ConfigurationSet::energy_gradients(const Potential& potential, int n_threads) const {
  const std::size_t lanes = static_cast<std::size_t>(lanes_), n = potential.n_coefficients();
  std::vector<double> out(n_configurations() * n, 0.0);
  for_rows(potential, n_threads, [&](std::size_t atom, const std::vector<int>& own, const double* rows, std::size_t lane) {
    double* sums = out.data() + static_cast<std::size_t>(configuration_of_atom_[atom]) * n;
    for (std::size_t row = 0; row < own.size(); ++row) sums[own[row]] += rows[row * lanes + lane];
  });
  return out;
}

std::vector<double> ConfigurationSet::site_grades(const Potential& potential, int n_threads) const {
  const Selection& selection = selection_of(potential);
  if (!by_neighbourhood(selection))
    throw InputError("the potential's active set is one of configurations; grades of neighbourhoods need one made with "
                     "--al_mode=nbh");
  const Prepared prepared(*this, potential);
  const std::size_t lanes = static_cast<std::size_t>(lanes_), n_rows = prepared.model.n_rows();
  const std::vector<GradeTable> tables = grade_tables(prepared.model, selection);
  std::vector<double> out(n_atoms(), 0.0);
  for_blocks(prepared, n_threads, [&](const Block&, std::size_t, Worker& worker) {
    const PackedBlock& packed = *worker.packed;
    const std::vector<Group>& groups = packed.groups;
    for (std::size_t g = 0; g < groups.size();) {
      // Groups of one species together, so that the active set is read once for all of them.
      const int type = groups[g].type;
      std::size_t end = g;
      while (end < groups.size() && groups[end].type == type && end - g < Worker::groups_at_once) ++end;
      double* rows = worker.many_rows.get(Worker::groups_at_once * n_rows * lanes);
      double* grades = worker.many_grades.get(Worker::groups_at_once * lanes);
      for (std::size_t k = g; k < end; ++k)
        kernel().energy(prepared.model.view(), batch_of(packed, groups[k], prepared), worker.scratch, worker.energies,
                        nullptr, nullptr, rows + (k - g) * n_rows * lanes);
      const GradeView& table = tables[static_cast<std::size_t>(prepared.species[static_cast<std::size_t>(type)])].view();
      double* scratch = worker.grade_scratch.get(static_cast<std::size_t>(kernel().grade_scratch_size(table)) / sizeof(double));
      kernel().grades(table, static_cast<int>(end - g), scratch, rows, grades);
      for (std::size_t k = g; k < end; ++k)
        for (std::size_t lane = 0; lane < lanes; ++lane) {
          const int atom = packed.atom_of_lane[groups[k].first_lane + lane];
          if (atom >= 0)
            out[static_cast<std::size_t>(atom)] = std::fabs(selection.site_energy_weight) * grades[(k - g) * lanes + lane];
        }
      g = end;
    }
  });
  return out;
}

std::vector<double> ConfigurationSet::configuration_grades(const Potential& potential, int n_threads) const {
  const Selection& selection = selection_of(potential);
  std::vector<double> out(n_configurations(), 0.0);
  if (by_neighbourhood(selection)) {
    const std::vector<double> sites = site_grades(potential, n_threads);
    for (std::size_t c = 0; c < out.size(); ++c)
      for (std::size_t atom = offsets_[c]; atom < offsets_[c + 1]; ++atom) out[c] = std::max(out[c], sites[atom]);
    return out;
  }
  if (!by_configuration(selection))
    throw InputError("the potential's active set holds equations of forces, stresses, or of several kinds; grades need one "
                     "made with --al_mode=cfg or --al_mode=nbh");
  const std::vector<double> rows = energy_gradients(potential, n_threads);
  const std::size_t n = potential.n_coefficients();
  std::vector<double> product(n);
  for (std::size_t c = 0; c < out.size(); ++c) {
    const double size = static_cast<double>(offsets_[c + 1] - offsets_[c]);
    std::fill(product.begin(), product.end(), 0.0);
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t k = 0; k < n; ++k) product[k] += rows[c * n + i] * selection.inverse[i * n + k];
    for (const double value : product) out[c] = std::max(out[c], std::fabs(value));
    if (size > 0.0) out[c] *= std::fabs(selection.energy_weight) / std::pow(size, 0.5 * selection.weight_scaling);
  }
  return out;
}

void ConfigurationSet::block_linear_system(const Prepared& prepared, const Targets& t, const Block& block,
                                           Worker& worker, LinearSystem& out) const {
  const std::size_t lanes = static_cast<std::size_t>(lanes_);
  const std::size_t n_species = static_cast<std::size_t>(prepared.model.view().n_species);
  const std::size_t n_scalars = prepared.model.n_scalars(), n = n_species + n_scalars;
  const std::size_t first_atom = offsets_[block.first_configuration], last_atom = offsets_[block.last_configuration];
  const std::size_t n_configurations = block.last_configuration - block.first_configuration;
  // The design matrix: three rows per atom's force, then one per energy, then six per stress.
  const std::size_t stride = (n + 15) / 16 * 16;
  const std::size_t energy_rows = 3 * (last_atom - first_atom), stress_rows = energy_rows + n_configurations;
  const std::size_t n_rows = stress_rows + 6 * n_configurations;
  double* design = worker.design.get(n_rows * stride);
  std::fill_n(design, n_rows * stride, 0.0);
  std::vector<double> reference(n_rows, 0.0), weight(n_rows, 0.0);
  for (std::size_t local = 0; local < n_configurations; ++local) {
    const std::size_t c = block.first_configuration + local;
    weight[energy_rows + local] = t.energy_weights[c];
    reference[energy_rows + local] = t.energies[c];
    for (std::size_t k = 0; k < 6; ++k) {
      weight[stress_rows + 6 * local + k] = multiplicity[k] * t.stress_weights[c];
      reference[stress_rows + 6 * local + k] = t.plus_stresses[6 * c + k];
    }
    for (std::size_t atom = offsets_[c]; atom < offsets_[c + 1]; ++atom)
      for (std::size_t a = 0; a < 3; ++a) {
        weight[3 * (atom - first_atom) + a] = t.force_weights[atom];
        reference[3 * (atom - first_atom) + a] = t.forces[3 * atom + a];
      }
  }
  double* values = worker.basis_values.get(n_scalars * lanes);
  double* sums = worker.basis_sums.get(9 * n_scalars * lanes);
  std::vector<int> neighbour;
  const PackedBlock& packed = *worker.packed;
  for (const Group& group : packed.groups) {
    const Batch batch = batch_of(packed, group, prepared);
    const auto own = packed.neighbour.begin() + static_cast<std::ptrdiff_t>(group.first_slot * lanes);
    neighbour.assign(own, own + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(group.n_slots) * lanes));
    for (int& atom : neighbour) atom -= static_cast<int>(first_atom);
    kernel().basis(prepared.model.view(), batch, worker.scratch, neighbour.data(), values, sums, design + n_species,
                   static_cast<long>(stride));
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      if (packed.atom_of_lane[group.first_lane + lane] < 0) continue;
      const std::size_t atom = static_cast<std::size_t>(packed.atom_of_lane[group.first_lane + lane]);
      const std::size_t local = static_cast<std::size_t>(configuration_of_atom_[atom]) - block.first_configuration;
      double* energy = design + (energy_rows + local) * stride;
      double* force = design + 3 * (atom - first_atom) * stride + n_species;
      double* stress = design + (stress_rows + 6 * local) * stride + n_species;
      energy[batch.central] += 1.0;
      for (std::size_t k = 0; k < n_scalars; ++k) {
        energy[n_species + k] += values[k * lanes + lane];
        for (std::size_t a = 0; a < 3; ++a) force[a * stride + k] += sums[(9 * k + a) * lanes + lane];
        for (std::size_t v = 0; v < 6; ++v) stress[v * stride + k] -= sums[(9 * k + 3 + v) * lanes + lane];
      }
    }
  }
  kernel().normal_equations(static_cast<int>(n), static_cast<long>(n_rows), static_cast<long>(stride), design, weight.data(),
                            reference.data(), out.matrix.data(), out.vector.data());
  for (std::size_t row = 0; row < n_rows; ++row)
    if (weight[row] != 0.0) out.constant += weight[row] * reference[row] * reference[row];
}

LinearSystem ConfigurationSet::linear_system(const Potential& potential, const Targets& targets, int n_threads) const {
  Prepared prepared(*this, potential);
  prepared.model.prepare_basis();
  const std::size_t n = potential.n_linear();
  const LinearSystem nothing{std::vector<double>(n * n, 0.0), std::vector<double>(n, 0.0), 0.0};
  std::vector<LinearSystem> parts(n_parts(), nothing);
  for_blocks(prepared, n_threads, [&](const Block& block, std::size_t part, Worker& worker) {
    block_linear_system(prepared, targets, block, worker, parts[part]);
  });
  LinearSystem out = nothing;
  for (const LinearSystem& part : parts) {
    for (std::size_t k = 0; k < n * n; ++k) out.matrix[k] += part.matrix[k];
    for (std::size_t k = 0; k < n; ++k) out.vector[k] += part.vector[k];
    out.constant += part.constant;
  }
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = i + 1; j < n; ++j) out.matrix[i * n + j] = out.matrix[j * n + i];
  return out;
}

}  // namespace mtp
