// Many configurations with their neighbour lists, packed for the kernel, and everything training asks of them.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "../core/potential.hpp"
#include "../kernel/model.hpp"
#include "neighbours.hpp"

namespace mtp {

struct Evaluation {
  std::vector<double> energies;                     // per configuration, eV
  std::vector<double> site_energies;                // per atom, eV
  std::vector<double> forces;                       // atom, axis, eV/A
  std::vector<double> plus_stresses;                // configuration, (xx yy zz yz xz xy), eV
};

// References and weights of the loss; sizes as in Evaluation, force weights per atom.
struct Targets {
  const double* energies;
  const double* forces;
  const double* plus_stresses;
  const double* energy_weights;
  const double* force_weights;
  const double* stress_weights;
};

struct LinearSystem {
  std::vector<double> matrix, vector;
  double constant = 0.0;
};

// Neighbours of the atoms of some consecutive configurations, as the kernel reads them.
struct PackedBlock {
  // `lanes` atoms of one type, with the packed slots of their neighbours.
  struct Group {
    int type;                // index into the set's known types
    std::size_t first_lane;  // into atom_of_lane
    std::size_t first_slot;  // into the packed neighbours, in units of `lanes`
    int n_slots;
    std::size_t segments;    // into segments: known types + 1 slot numbers
  };
  std::vector<Group> groups;
  std::vector<int> segments;
  std::vector<int> atom_of_lane;  // number in the set; -1 stands for none
  std::vector<int> neighbour;     // [slot][lane]; any atom of the block where there is none
  std::vector<double> x, y, z;    // [slot][lane]; cutoff, 0, 0 where there is none

  void clear();
  std::size_t n_bytes() const;
};

class ConfigurationSet {
 public:
  // Packed neighbours take about a kilobyte an atom. Those that do not fit into memory_limit bytes are found anew each
  // time they are needed.
  ConfigurationSet(std::vector<Structure> structures, double cutoff, std::size_t memory_limit);

  std::size_t n_configurations() const { return offsets_.size() - 1; }
  std::size_t n_atoms() const { return types_.size(); }
  double cutoff() const { return cutoff_; }
  const std::vector<std::size_t>& offsets() const { return offsets_; }
  const std::vector<int>& types() const { return types_; }
  const std::vector<int>& known_types() const { return known_types_; }
  // Smallest distance of each pair of known types, infinite where there is none within the cutoff.
  const std::vector<double>& minimum_distances() const { return minimum_distances_; }

  Evaluation evaluate(const Potential& potential, int n_threads) const;
  double loss(const Potential& potential, const Targets& targets, int n_threads) const;
  double loss_and_gradient(const Potential& potential, const Targets& targets, int n_threads,
                           std::vector<double>& gradient) const;
  LinearSystem linear_system(const Potential& potential, const Targets& targets, int n_threads) const;
  // d(site energy)/d(coefficient), atom by atom.
  std::vector<double> site_gradients(const Potential& potential, int n_threads) const;
  // The same summed over each configuration.
  std::vector<double> energy_gradients(const Potential& potential, int n_threads) const;
  std::vector<double> site_grades(const Potential& potential, int n_threads) const;
  std::vector<double> configuration_grades(const Potential& potential, int n_threads) const;

 private:
  using Group = PackedBlock::Group;
  // Consecutive configurations: what is packed and computed at a time.
  struct Block {
    std::size_t first_configuration, last_configuration;
    bool is_packed;
    PackedBlock packed;  // empty unless is_packed
  };
  struct Prepared;  // a potential made ready for this set
  struct Worker;    // one thread's memory

  std::size_t type_of(int atom) const;
  void find_block_neighbours(const Block& block, NeighbourLists& lists) const;
  void pack(const Block& block, const NeighbourLists& lists, PackedBlock& out) const;
  void note_distances(const Block& block, const NeighbourLists& lists);
  Batch batch_of(const PackedBlock& packed, const Group& group, const Prepared& prepared) const;
  // Calls work(block, part, worker) for each block; those of one part one after another. Parts do not depend on n_threads.
  std::size_t n_parts() const;
  void for_blocks(const Prepared& prepared, int n_threads,
                  const std::function<void(const Block&, std::size_t part, Worker&)>& work) const;
  // Calls visit(atom, own, rows, lane) with each atom's derivatives with respect to coefficients own[row].
  template <class Visit>
  void for_rows(const Potential& potential, int n_threads, const Visit& visit) const;
  void evaluate_block(const Prepared& prepared, const Block& block, Worker& worker, Evaluation& out) const;
  Evaluation nothing() const;
  double block_loss(const Targets& targets, const Block& block, const Evaluation& found) const;
  void block_gradient(const Prepared& prepared, const Targets& targets, const Block& block, const Evaluation& found,
                      Worker& worker, std::vector<double>& gradient) const;
  void block_linear_system(const Prepared& prepared, const Targets& targets, const Block& block, Worker& worker,
                           LinearSystem& out) const;

  double cutoff_;
  int lanes_;
  std::vector<std::size_t> offsets_;
  std::vector<int> types_;
  std::vector<int> known_types_;
  std::vector<int> configuration_of_atom_;
  std::vector<double> minimum_distances_;
  std::vector<Block> blocks_;
  std::vector<Structure> structures_;  // of configurations that are not packed; the others are empty
  int most_slots_ = 0;
};

}  // namespace mtp
