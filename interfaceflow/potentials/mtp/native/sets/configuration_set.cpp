// Energies, forces, loss and gradients over a ConfigurationSet.
#include "configuration_set.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <exception>
#include <memory>
#include <mutex>
#include <numeric>
#include <thread>

#include "../core/errors.hpp"
#include "workers.hpp"

namespace mtp {

namespace {

// Components of a symmetric tensor in the order xx yy zz yz xz xy, and how often each stands in the full one.
constexpr double multiplicity[6] = {1.0, 1.0, 1.0, 2.0, 2.0, 2.0};
// Sums over blocks are made part by part, so that they need little memory and do not depend on the number of threads.
constexpr std::size_t most_parts = 64;

constexpr int voigt_of[3][3] = {{0, 5, 4}, {5, 1, 3}, {4, 3, 2}};

}  // namespace

ConfigurationSet::Prepared::Prepared(const ConfigurationSet& set, const Potential& potential) : model(potential) {
  if (!potential.initialised)
    throw InputError("the potential has no coefficients yet; train it, or assign to its coefficients");
  if (potential.max_dist > set.cutoff_ * (1.0 + 1e-12))
    throw InputError("the potential's max_dist is " + std::to_string(potential.max_dist) +
                     ", longer than the cutoff of the configuration set, " + std::to_string(set.cutoff_));
  for (const int type : set.known_types_) {
    species.push_back(potential.species_of(type));
    if (species.back() >= 0) continue;
    std::string known;
    for (const int other : potential.species_types) known += (known.empty() ? "" : ", ") + std::to_string(other);
    throw InputError("a configuration has atoms of type " + std::to_string(type) + "; the potential knows the types " + known);
  }
}

Batch ConfigurationSet::batch_of(const PackedBlock& packed, const Group& group, const Prepared& prepared) const {
  const std::size_t at = group.first_slot * static_cast<std::size_t>(lanes_);
  return {prepared.species[static_cast<std::size_t>(group.type)],
          group.n_slots,
          static_cast<int>(known_types_.size()),
          packed.segments.data() + group.segments,
          prepared.species.data(),
          packed.x.data() + at,
          packed.y.data() + at,
          packed.z.data() + at};
}

std::size_t ConfigurationSet::n_parts() const { return std::min(blocks_.size(), most_parts); }

void ConfigurationSet::for_blocks(const Prepared& prepared, int n_threads,
                                  const std::function<void(const Block&, std::size_t, Worker&)>& work) const {
  if (n_threads < 1) throw InputError("n_threads is " + std::to_string(n_threads) + ", at least 1 is needed");
  const std::size_t n = std::min(static_cast<std::size_t>(n_threads), std::max<std::size_t>(n_parts(), 1));
  std::atomic<std::size_t> next{0};
  std::exception_ptr failure;
  std::mutex failing;
  const auto run = [&] {
    try {
      Worker worker(prepared.model.view(), lanes_, most_slots_);
      for (std::size_t part = next++; part < n_parts(); part = next++)
        for (std::size_t k = part * blocks_.size() / n_parts(); k < (part + 1) * blocks_.size() / n_parts(); ++k) {
          const Block& block = blocks_[k];
          worker.packed = &block.packed;
          if (!block.is_packed) {
            find_block_neighbours(block, worker.lists);
            worker.packed_now.clear();
            pack(block, worker.lists, worker.packed_now);
            worker.packed = &worker.packed_now;
          }
          work(block, part, worker);
        }
    } catch (...) {
      const std::lock_guard<std::mutex> guard(failing);
      failure = std::current_exception();
    }
  };
  std::vector<std::thread> threads;
  for (std::size_t k = 1; k < n; ++k) threads.emplace_back(run);
  run();
  for (std::thread& thread : threads) thread.join();
  if (failure) std::rethrow_exception(failure);
}

void ConfigurationSet::evaluate_block(const Prepared& prepared, const Block& block, Worker& worker, Evaluation& out) const {
  const std::size_t lanes = static_cast<std::size_t>(lanes_);
  const PackedBlock& packed = *worker.packed;
  for (const Group& group : packed.groups) {
    kernel().energy(prepared.model.view(), batch_of(packed, group, prepared), worker.scratch, worker.energies,
                    worker.derivatives, worker.sums, nullptr);
    // Where there is no neighbour the derivatives are zero, and whom they are given to does not matter.
    kernel().scatter(group.n_slots, packed.neighbour.data() + group.first_slot * lanes, worker.derivatives, out.forces.data());
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      if (packed.atom_of_lane[group.first_lane + lane] < 0) continue;
      const std::size_t atom = static_cast<std::size_t>(packed.atom_of_lane[group.first_lane + lane]);
      out.site_energies[atom] = worker.energies[lane];
      double* virial = out.plus_stresses.data() + 6 * static_cast<std::size_t>(configuration_of_atom_[atom]);
      for (std::size_t a = 0; a < 3; ++a) out.forces[3 * atom + a] += worker.sums[a * lanes + lane];
      for (std::size_t k = 0; k < 6; ++k) virial[k] -= worker.sums[(3 + k) * lanes + lane];
    }
  }
  for (std::size_t c = block.first_configuration; c < block.last_configuration; ++c)
    for (std::size_t atom = offsets_[c]; atom < offsets_[c + 1]; ++atom) out.energies[c] += out.site_energies[atom];
}

Evaluation ConfigurationSet::nothing() const {
  return {std::vector<double>(n_configurations(), 0.0), std::vector<double>(n_atoms(), 0.0),
          std::vector<double>(3 * n_atoms(), 0.0), std::vector<double>(6 * n_configurations(), 0.0)};
}

Evaluation ConfigurationSet::evaluate(const Potential& potential, int n_threads) const {
  const Prepared prepared(*this, potential);
  Evaluation out = nothing();
  for_blocks(prepared, n_threads, [&](const Block& block, std::size_t, Worker& worker) {
    evaluate_block(prepared, block, worker, out);
  });
  return out;
}

double ConfigurationSet::loss(const Potential& potential, const Targets& targets, int n_threads) const {
  const Prepared prepared(*this, potential);
  Evaluation found = nothing();
  std::vector<double> losses(n_parts(), 0.0);
  for_blocks(prepared, n_threads, [&](const Block& block, std::size_t part, Worker& worker) {
    evaluate_block(prepared, block, worker, found);
    losses[part] += block_loss(targets, block, found);
  });
  return std::accumulate(losses.begin(), losses.end(), 0.0);
}

double ConfigurationSet::block_loss(const Targets& t, const Block& block, const Evaluation& found) const {
  double loss = 0.0;
  for (std::size_t c = block.first_configuration; c < block.last_configuration; ++c) {
    if (t.energy_weights[c] != 0.0) {
      const double error = found.energies[c] - t.energies[c];
      loss += t.energy_weights[c] * error * error;
    }
    if (t.stress_weights[c] != 0.0)
      for (int k = 0; k < 6; ++k) {
        const double error = found.plus_stresses[6 * c + k] - t.plus_stresses[6 * c + k];
        loss += t.stress_weights[c] * multiplicity[k] * error * error;
      }
    for (std::size_t atom = offsets_[c]; atom < offsets_[c + 1]; ++atom) {
      if (t.force_weights[atom] == 0.0) continue;
      for (std::size_t a = 0; a < 3; ++a) {
        const double error = found.forces[3 * atom + a] - t.forces[3 * atom + a];
        loss += t.force_weights[atom] * error * error;
      }
    }
  }
  return loss;
}

void ConfigurationSet::block_gradient(const Prepared& prepared, const Targets& t, const Block& block,
                                      const Evaluation& found, Worker& worker, std::vector<double>& gradient) const {
  const std::size_t lanes = static_cast<std::size_t>(lanes_);
  const std::size_t first_atom = offsets_[block.first_configuration];
  const std::size_t n_own = offsets_[block.last_configuration] - first_atom;
  // d(loss)/d(force), d(loss)/d(plus stress) as a symmetric tensor, d(loss)/d(energy).
  std::vector<double> by_force(3 * n_own, 0.0);
  std::vector<double> by_stress(6 * (block.last_configuration - block.first_configuration), 0.0);
  std::vector<double> by_energy(block.last_configuration - block.first_configuration, 0.0);
  for (std::size_t c = block.first_configuration; c < block.last_configuration; ++c) {
    const std::size_t local = c - block.first_configuration;
    if (t.energy_weights[c] != 0.0) by_energy[local] = 2.0 * t.energy_weights[c] * (found.energies[c] - t.energies[c]);
    if (t.stress_weights[c] != 0.0)
      for (std::size_t k = 0; k < 6; ++k)
        by_stress[6 * local + k] =
            2.0 * t.stress_weights[c] * (found.plus_stresses[6 * c + k] - t.plus_stresses[6 * c + k]);
    for (std::size_t atom = offsets_[c]; atom < offsets_[c + 1]; ++atom)
      if (t.force_weights[atom] != 0.0)
        for (std::size_t a = 0; a < 3; ++a)
          by_force[3 * (atom - first_atom) + a] =
              2.0 * t.force_weights[atom] * (found.forces[3 * atom + a] - t.forces[3 * atom + a]);
  }

  const std::size_t n_rows = prepared.model.n_rows();
  int central = -1;
  const auto flush = [&] {
    if (central < 0) return;
    const std::vector<int> own = prepared.model.coefficients_of(central);
    for (std::size_t row = 0; row < n_rows; ++row)
      for (std::size_t lane = 0; lane < lanes; ++lane)
        gradient[static_cast<std::size_t>(own[row])] += worker.rows[row * lanes + lane];
  };
  const PackedBlock& packed = *worker.packed;
  for (const Group& group : packed.groups) {
    const Batch batch = batch_of(packed, group, prepared);
    if (batch.central != central) {
      flush();
      central = batch.central;
      std::fill_n(worker.rows, n_rows * lanes, 0.0);
    }
    // The loss changes by the sum of by_energy * E and, through forces and stress, of direction . dE/dr.
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      const int atom = packed.atom_of_lane[group.first_lane + lane];
      const bool there = atom >= 0;
      const std::size_t own = there ? static_cast<std::size_t>(atom) : first_atom;
      const std::size_t c = there ? static_cast<std::size_t>(configuration_of_atom_[own]) - block.first_configuration : 0;
      worker.energies[lane] = there ? by_energy[c] : 0.0;
      for (std::size_t slot = 0; slot < static_cast<std::size_t>(group.n_slots); ++slot) {
        const std::size_t at = (group.first_slot + slot) * lanes + lane;
        const std::size_t other = static_cast<std::size_t>(packed.neighbour[at]);
        const double r[3] = {packed.x[at], packed.y[at], packed.z[at]};
        for (std::size_t a = 0; a < 3; ++a) {
          double v = by_force[3 * (own - first_atom) + a] - by_force[3 * (other - first_atom) + a];
          for (std::size_t b = 0; b < 3; ++b) v -= by_stress[6 * c + static_cast<std::size_t>(voigt_of[a][b])] * r[b];
          worker.derivatives[(slot * 3 + a) * lanes + lane] = v;
        }
      }
    }
    kernel().pull_back(prepared.model.view(), batch, worker.scratch, worker.energies, worker.derivatives, worker.rows);
  }
  flush();
}

double ConfigurationSet::loss_and_gradient(const Potential& potential, const Targets& targets, int n_threads,
                                           std::vector<double>& gradient) const {
  const Prepared prepared(*this, potential);
  Evaluation found = nothing();
  std::vector<double> losses(n_parts(), 0.0);
  std::vector<std::vector<double>> gradients(n_parts(), std::vector<double>(potential.n_coefficients(), 0.0));
  for_blocks(prepared, n_threads, [&](const Block& block, std::size_t part, Worker& worker) {
    evaluate_block(prepared, block, worker, found);
    losses[part] += block_loss(targets, block, found);
    block_gradient(prepared, targets, block, found, worker, gradients[part]);
  });
  gradient.assign(potential.n_coefficients(), 0.0);
  for (const std::vector<double>& of_part : gradients)
    for (std::size_t k = 0; k < gradient.size(); ++k) gradient[k] += of_part[k];
  return std::accumulate(losses.begin(), losses.end(), 0.0);
}

}  // namespace mtp
