// SPDX-License-Identifier: GPL-2.0-only
#include "pair_mtp.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "../core/errors.hpp"
#include "../core/text.hpp"
#include "atom.h"
#include "comm.h"
#include "error.h"
#include "force.h"
#include "memory.h"
#include "neigh_list.h"
#include "neighbor.h"
#include "update.h"

namespace LAMMPS_NS {

PairMTP::PairMTP(LAMMPS* lmp) : Pair(lmp) {
  single_enable = 0;
  restartinfo = 0;
  one_coeff = 1;
  manybody_flag = 1;
  centroidstressflag = CENTROID_NOTAVAIL;
  try {
    kernel_ = &mtp::kernel();
  } catch (const std::invalid_argument& problem) {
    error->all(FLERR, std::string(problem.what()));
  }
}

PairMTP::~PairMTP() {
  if (copymode || !allocated) return;
  memory->destroy(setflag);
  memory->destroy(cutsq);
}

void PairMTP::allocate() {
  const int n = atom->ntypes + 1;
  if (!allocated) {
    memory->create(setflag, n, n, "pair:setflag");
    memory->create(cutsq, n, n, "pair:cutsq");
    allocated = 1;
  }
  for (int i = 1; i < n; ++i)
    for (int j = 1; j < n; ++j) setflag[i][j] = 0;
  species_of_type_.assign(static_cast<std::size_t>(n), -1);
}

int PairMTP::keyword(int narg, char** arg) {
  if (std::strcmp(arg[0], "precision") == 0 && narg > 1) {
    mixed_precision_ = std::strcmp(arg[1], "mixed") == 0;
    if (!mixed_precision_ && std::strcmp(arg[1], "double") != 0)
      error->all(FLERR, style_ + ": precision '" + arg[1] + "' given, allowed are double and mixed");
    return 2;
  }
  // A keyword of the GPU build, taken so that an input runs there and here.
  return std::strcmp(arg[0], "chunksize") == 0 && narg > 1 ? 2 : 0;
}

void PairMTP::settings(int narg, char** arg) {
  // LAMMPS calls this again where an input repeats pair_style; nothing of the former potential stays.
  path_.clear();
  mixed_precision_ = false;
  sorted_at_step_ = sorted_at_build_ = -1;
  potential_.reset();
  model_.reset();
  if (allocated) allocate();
  for (int at = 0; at < narg;) {
    const int taken = keyword(narg - at, arg + at);
    if (taken == 0 && !(at == 0))
      error->all(FLERR, style_ + ": unknown or incomplete keyword '" + arg[at] + "'");
    if (taken == 0) path_ = arg[at];
    at += std::max(taken, 1);
  }
  if (!path_.empty()) read(path_);
}

void PairMTP::read(const std::string& path) {
  // One rank reads the file for all.
  std::string content, failure;
  if (comm->me == 0) {
    try {
      content = mtp::read_file(path);
    } catch (const mtp::FileError& problem) {
      failure = problem.what();
    }
  }
  int sizes[2] = {static_cast<int>(content.size()), static_cast<int>(failure.size())};
  MPI_Bcast(sizes, 2, MPI_INT, 0, world);
  content.resize(static_cast<std::size_t>(sizes[0]));
  failure.resize(static_cast<std::size_t>(sizes[1]));
  MPI_Bcast(content.data(), sizes[0], MPI_CHAR, 0, world);
  MPI_Bcast(failure.data(), sizes[1], MPI_CHAR, 0, world);
  if (failure.empty()) {
    try {
      potential_ = std::make_unique<mtp::Potential>(mtp::Potential::parse(content, path));
      if (!potential_->initialised) throw mtp::FileError(path + ": the potential is a template without coefficients; train it first");
      model_ = std::make_unique<mtp::Model>(*potential_);
    } catch (const std::runtime_error& problem) {
      failure = problem.what();
    }
  }
  if (!failure.empty()) error->all(FLERR, style_ + ": " + failure);
  potential_read();
}

void PairMTP::coeff(int narg, char** arg) {
  allocate();
  if (narg < 2 || std::strcmp(arg[0], "*") != 0 || std::strcmp(arg[1], "*") != 0)
    error->all(FLERR, "pair_coeff of " + style_.substr(11) + " needs '* *', then nothing, or FILE and a number for each atom type");
  const int ntypes = atom->ntypes;
  // '* *' [FILE] [a number for each type]; the file may have been named in pair_style already.
  const bool with_file = narg == 3 + ntypes || narg == 3 || (narg > 2 && path_.empty());
  const int n_numbers = narg - (with_file ? 3 : 2);
  if (n_numbers != 0 && n_numbers != ntypes)
    error->all(FLERR, "pair_coeff of " + style_.substr(11) + ": species of " + std::to_string(n_numbers) +
                          " atom types given, needed are " + std::to_string(ntypes));
  if (with_file) read(arg[2]);
  if (!potential_)
    error->all(FLERR, style_ + ": no potential; name its file in pair_style or in pair_coeff * * FILE");
  std::string known;
  for (const int type : potential_->species_types) known += (known.empty() ? "" : ", ") + std::to_string(type);
  char** numbers = n_numbers > 0 ? arg + (narg - ntypes) : nullptr;
  for (int type = 1; type <= ntypes; ++type) {
    int species = type - 1;
    if (numbers && std::strcmp(numbers[type - 1], "NULL") == 0) continue;
    if (numbers) species = potential_->species_of(utils::inumeric(FLERR, numbers[type - 1], false, lmp));
    if (species < 0 || species >= static_cast<int>(potential_->n_species()))
      error->all(FLERR, style_ + ": atom type " + std::to_string(type) + " is given the species " +
                            (numbers ? std::string(numbers[type - 1]) : std::to_string(type - 1)) +
                            ", which the potential does not know; it knows " + known);
    species_of_type_[static_cast<std::size_t>(type)] = species;
  }
  for (int i = 1; i <= ntypes; ++i)
    for (int j = i; j <= ntypes; ++j)
      if (species_of_type_[static_cast<std::size_t>(i)] >= 0 && species_of_type_[static_cast<std::size_t>(j)] >= 0) setflag[i][j] = 1;
}

void PairMTP::init_style() {
  if (force->newton_pair == 0) error->all(FLERR, style_ + " needs newton pair on");
  if (std::strcmp(update->unit_style, "metal") != 0)
    error->all(FLERR, style_ + " needs units metal (eV and Angstrom), the input has units " + update->unit_style);
  neighbor->add_request(this, NeighConst::REQ_FULL);
}

double PairMTP::init_one(int i, int j) {
  if (setflag[i][j] == 0) error->all(FLERR, style_ + ": not all pair coefficients are set");
  return potential_->max_dist;
}

int PairMTP::species_of(int i) const { return species_of_type_[static_cast<std::size_t>(atom->type[i])]; }

void PairMTP::compute(int eflag, int vflag) {
  ev_init(eflag, vflag);
  if (neighbours_have_changed()) sort_neighbours();
  copy_positions();
  kernel_ = mixed_precision_ && !wants_rows() ? &mtp::mixed_kernel() : &mtp::kernel();
  const std::size_t lanes = static_cast<std::size_t>(kernel_->lanes);
  for (std::size_t s = 0; s < potential_->n_species(); ++s)
    for (std::size_t first = species_begin_[s]; first < species_begin_[s + 1]; first += lanes)
      compute_batch(first, static_cast<int>(std::min(species_begin_[s + 1] - first, lanes)), static_cast<int>(s));
  if (vflag_fdotr) virial_fdotr_compute();
}

bool PairMTP::neighbours_have_changed() const {
  if (neighbor->ago == 0 || neighbor->lastcall != sorted_at_step_ || neighbor->ncalls != sorted_at_build_) return true;
  // Monte Carlo swaps atom types without a new list.
  const std::size_t n = static_cast<std::size_t>(atom->nlocal + atom->nghost);
  return sorted_types_.size() != n || !std::equal(sorted_types_.begin(), sorted_types_.end(), atom->type);
}

void PairMTP::sort_neighbours() {
  const std::size_t n_species = potential_->n_species();
  std::vector<std::vector<int>> members(n_species);
  for (int k = 0; k < list->inum; ++k) {
    const int species = species_of(list->ilist[k]);
    if (species >= 0) members[static_cast<std::size_t>(species)].push_back(list->ilist[k]);  // else of another style
  }
  atoms_.clear();
  species_begin_.assign(1, 0);
  for (const std::vector<int>& own : members) {
    atoms_.insert(atoms_.end(), own.begin(), own.end());
    species_begin_.push_back(atoms_.size());
  }
  candidates_.clear();
  candidates_begin_.assign(1, 0);
  for (const int i : atoms_) {
    for (std::vector<int>& of_species : members) of_species.clear();
    for (int k = 0; k < list->numneigh[i]; ++k) {
      const int j = list->firstneigh[i][k] & NEIGHMASK;
      if (species_of(j) >= 0) members[static_cast<std::size_t>(species_of(j))].push_back(j);
    }
    for (const std::vector<int>& of_species : members) {
      candidates_.insert(candidates_.end(), of_species.begin(), of_species.end());
      candidates_begin_.push_back(candidates_.size());
    }
  }
  sorted_types_.assign(atom->type, atom->type + atom->nlocal + atom->nghost);
  sorted_at_step_ = neighbor->lastcall;
  sorted_at_build_ = neighbor->ncalls;
}

void PairMTP::copy_positions() {
  const std::size_t n = static_cast<std::size_t>(atom->nlocal + atom->nghost);
  if (positions_.size() < 4 * n) positions_.resize(4 * n, 0.0);
  const double* x = n > 0 ? atom->x[0] : nullptr;
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t a = 0; a < 3; ++a) positions_[4 * i + a] = x[3 * i + a];
}

int PairMTP::pack(std::size_t first, int n) {
  const std::size_t lanes = static_cast<std::size_t>(kernel_->lanes), n_species = potential_->n_species();
  const double cutoff = potential_->max_dist;
  std::size_t room = 1;
  for (std::size_t s = 0; s < n_species; ++s) {
    std::size_t most = 0;
    for (std::size_t lane = 0; lane < static_cast<std::size_t>(n); ++lane) {
      const std::size_t at = (first + lane) * n_species + s;
      most = std::max(most, candidates_begin_[at + 1] - candidates_begin_[at]);
    }
    room += most;
  }
  if (x_.size() < room * lanes)
    for (std::vector<double>* component : {&x_, &y_, &z_}) component->resize(room * lanes);
  if (neighbour_.size() < room * lanes) neighbour_.resize(room * lanes);

  segment_begin_.assign(1, 0);
  segment_species_.clear();
  int slot = 0, counts[mtp::most_lanes];
  for (std::size_t s = 0; s < n_species; ++s) {
    int width = 0;
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      counts[lane] = 0;
      if (lane >= static_cast<std::size_t>(n)) continue;
      const std::size_t of_atom = (first + lane) * n_species + s, to = static_cast<std::size_t>(slot) * lanes + lane;
      const std::size_t begin = candidates_begin_[of_atom], end = candidates_begin_[of_atom + 1];
      counts[lane] = kernel_->pack(static_cast<int>(end - begin), candidates_.data() + begin, positions_.data(),
                                        positions_.data() + 4 * static_cast<std::size_t>(atoms_[first + lane]),
                                        cutoff * cutoff, x_.data() + to, y_.data() + to, z_.data() + to,
                                        neighbour_.data() + to);
      width = std::max(width, counts[lane]);
    }
    for (std::size_t lane = 0; lane < lanes; ++lane)
      for (int k = counts[lane]; k < width; ++k) {
        // Beyond the cutoff, and with an atom that will be given a force of zero.
        const std::size_t at = static_cast<std::size_t>(slot + k) * lanes + lane;
        x_[at] = cutoff;
        y_[at] = z_[at] = 0.0;
        neighbour_[at] = atoms_[first];
      }
    slot += width;
    segment_begin_.push_back(slot);
    segment_species_.push_back(static_cast<int>(s));
  }
  return slot;
}

void PairMTP::compute_batch(std::size_t first, int n, int species) {
  const int n_slots = pack(first, n);
  const int* atoms = atoms_.data() + first;
  const mtp::Kernel& kernel = *kernel_;
  const int lanes = kernel.lanes;
  const mtp::Batch batch = {species, n_slots, static_cast<int>(segment_species_.size()), segment_begin_.data(),
                            segment_species_.data(), x_.data(), y_.data(), z_.data()};
  double energies[mtp::most_lanes], sums[9 * mtp::most_lanes];
  double* derivatives = derivatives_.get(static_cast<std::size_t>(std::max(3 * n_slots * lanes, 1)));
  double* scratch = scratch_.get(static_cast<std::size_t>(kernel.scratch_size(model_->view(), n_slots)) / sizeof(double));
  kernel.energy(model_->view(), batch, scratch, energies, derivatives, sums, rows_of_batch(species));
  batch_done(atoms, n);

  double** f = atom->f;
  kernel.scatter(n_slots, neighbour_.data(), derivatives, f[0]);
  constexpr int voigt_of_sums[6] = {0, 1, 2, 5, 4, 3};  // LAMMPS' order: xx yy zz xy xz yz
  for (int lane = 0; lane < n; ++lane) {
    for (int a = 0; a < 3; ++a) f[atoms[lane]][a] += sums[a * lanes + lane];
    if (eflag_global) eng_vdwl += energies[lane];
    if (eflag_atom) eatom[atoms[lane]] += energies[lane];
    if (vflag_global)
      for (int k = 0; k < 6; ++k) virial[k] -= sums[(3 + voigt_of_sums[k]) * lanes + lane];
  }
  if (vflag_atom) tally_pairs(atoms, n, n_slots);
}

// The virial per atom: half of each pair's to both.
void PairMTP::tally_pairs(const int* atoms, int n, int n_slots) {
  const double* derivatives = derivatives_.get(0);
  const int lanes = kernel_->lanes;
  for (int slot = 0; slot < n_slots; ++slot)
    for (int lane = 0; lane < n; ++lane) {
      const int at = slot * lanes + lane;
      const double* d = derivatives + 3 * slot * lanes + lane;
      const double virial[6] = {x_[at] * d[0], y_[at] * d[lanes], z_[at] * d[2 * lanes],
                                y_[at] * d[0], z_[at] * d[0],     z_[at] * d[lanes]};
      for (int k = 0; k < 6; ++k) {
        vatom[atoms[lane]][k] -= 0.5 * virial[k];
        vatom[neighbour_[at]][k] -= 0.5 * virial[k];
      }
    }
}

}  // namespace LAMMPS_NS
