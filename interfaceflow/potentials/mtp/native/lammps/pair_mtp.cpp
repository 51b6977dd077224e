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
    chosen_lanes_ = mtp::kernel().lanes;
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
  // A keyword of the GPU build, taken so that an input runs there and here.
  return std::strcmp(arg[0], "chunksize") == 0 && narg > 1 ? 2 : 0;
}

void PairMTP::settings(int narg, char** arg) {
  // LAMMPS calls this again where an input repeats pair_style; nothing of the former potential stays.
  path_.clear();
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
  std::vector<std::vector<int>> batches(potential_->n_species());
  for (int k = 0; k < list->inum; ++k) {
    const int i = list->ilist[k];
    if (species_of(i) < 0) continue;  // of another style of pair_style hybrid
    std::vector<int>& batch = batches[static_cast<std::size_t>(species_of(i))];
    batch.push_back(i);
    if (static_cast<int>(batch.size()) < chosen_lanes_) continue;
    compute_batch(batch.data(), chosen_lanes_, species_of(i));
    batch.clear();
  }
  for (std::size_t s = 0; s < batches.size(); ++s)
    if (!batches[s].empty())
      compute_batch(batches[s].data(), static_cast<int>(batches[s].size()), static_cast<int>(s));
  if (vflag_fdotr) virial_fdotr_compute();
}

void PairMTP::pack(const int* atoms, int n) {
  const std::size_t lanes = static_cast<std::size_t>(chosen_lanes_), n_species = potential_->n_species();
  const double cutoff = potential_->max_dist;
  std::size_t room = 1;
  for (int lane = 0; lane < n; ++lane) room = std::max(room, static_cast<std::size_t>(list->numneigh[atoms[lane]]));
  const std::size_t needed = n_species * room * lanes;
  if (x_.size() < needed) {
    x_.resize(needed);
    y_.resize(needed);
    z_.resize(needed);
    neighbour_.resize(needed);
  }
  count_.assign(n_species * lanes, 0);
  const double* const* x = atom->x;
  for (int lane = 0; lane < n; ++lane) {
    const int i = atoms[lane];
    const double xi = x[i][0], yi = x[i][1], zi = x[i][2];
    const int* neighbours = list->firstneigh[i];
    for (int k = 0; k < list->numneigh[i]; ++k) {
      const int j = neighbours[k] & NEIGHMASK;
      const double dx = x[j][0] - xi, dy = x[j][1] - yi, dz = x[j][2] - zi;
      if (!(dx * dx + dy * dy + dz * dz < cutoff * cutoff)) continue;
      if (species_of(j) < 0) continue;
      const std::size_t species = static_cast<std::size_t>(species_of(j));
      const std::size_t slot = static_cast<std::size_t>(count_[species * lanes + static_cast<std::size_t>(lane)]++);
      const std::size_t at = (species * room + slot) * lanes + static_cast<std::size_t>(lane);
      x_[at] = dx;
      y_[at] = dy;
      z_[at] = dz;
      neighbour_[at] = j;
    }
  }
  segment_begin_.assign(1, 0);
  segment_species_.clear();
  std::size_t slot = 0;
  for (std::size_t s = 0; s < n_species; ++s) {
    const int* counts = count_.data() + s * lanes;
    const std::size_t width = static_cast<std::size_t>(*std::max_element(counts, counts + lanes));
    const std::size_t from = s * room * lanes, to = slot * lanes, length = width * lanes;
    if (from != to) {
      std::memmove(x_.data() + to, x_.data() + from, length * sizeof(double));
      std::memmove(y_.data() + to, y_.data() + from, length * sizeof(double));
      std::memmove(z_.data() + to, z_.data() + from, length * sizeof(double));
      std::memmove(neighbour_.data() + to, neighbour_.data() + from, length * sizeof(int));
    }
    for (std::size_t lane = 0; lane < lanes; ++lane)
      for (std::size_t k = static_cast<std::size_t>(counts[lane]); k < width; ++k) {
        const std::size_t at = to + k * lanes + lane;
        x_[at] = cutoff;
        y_[at] = z_[at] = 0.0;
        neighbour_[at] = -1;
      }
    slot += width;
    segment_begin_.push_back(static_cast<int>(slot));
    segment_species_.push_back(static_cast<int>(s));
  }
}

void PairMTP::compute_batch(const int* atoms, int n, int species) {
  pack(atoms, n);
  const int lanes = chosen_lanes_, n_slots = segment_begin_.back();
  const mtp::Batch batch = {species, n_slots, static_cast<int>(segment_species_.size()), segment_begin_.data(),
                            segment_species_.data(), x_.data(), y_.data(), z_.data()};
  double energies[64];
  double* derivatives = derivatives_.get(static_cast<std::size_t>(std::max(3 * n_slots * lanes, 1)));
  double* scratch = scratch_.get(static_cast<std::size_t>(mtp::kernel().scratch_size(model_->view(), n_slots)) / sizeof(double));
  double sums[9 * 64];
  mtp::kernel().energy(model_->view(), batch, scratch, energies, derivatives, sums, rows_of_batch(species));
  batch_done(atoms, n);

  double** f = atom->f;
  const double* const* x = atom->x;
  for (int lane = 0; lane < n; ++lane) {
    const int i = atoms[lane];
    double own[3] = {0.0, 0.0, 0.0};
    for (int slot = 0; slot < n_slots; ++slot) {
      const int j = neighbour_[static_cast<std::size_t>(slot * lanes + lane)];
      if (j < 0) continue;
      const double* d = derivatives + 3 * slot * lanes + lane;
      const double fx = d[0], fy = d[lanes], fz = d[2 * lanes];
      own[0] += fx;
      own[1] += fy;
      own[2] += fz;
      f[j][0] -= fx;
      f[j][1] -= fy;
      f[j][2] -= fz;
      if (vflag_either)
        ev_tally_xyz(i, j, atom->nlocal, force->newton_pair, 0.0, 0.0, fx, fy, fz, x[i][0] - x[j][0], x[i][1] - x[j][1],
                     x[i][2] - x[j][2]);
    }
    for (int a = 0; a < 3; ++a) f[i][a] += own[a];
    if (eflag_global) eng_vdwl += energies[lane];
    if (eflag_atom) eatom[i] += energies[lane];
  }
}

}  // namespace LAMMPS_NS
