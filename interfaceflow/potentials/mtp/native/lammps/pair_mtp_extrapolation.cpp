// SPDX-License-Identifier: GPL-2.0-only
#include "pair_mtp_extrapolation.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <numeric>

#include "../core/configuration.hpp"
#include "atom.h"
#include "comm.h"
#include "domain.h"
#include "error.h"
#include "update.h"

namespace LAMMPS_NS {

namespace {
constexpr int batches_at_once = 2;
}

PairMTPExtrapolation::PairMTPExtrapolation(LAMMPS* lmp) : PairMTP(lmp) {
  style_ = "pair_style mtp/extrapolation";
  nextra = 1;
  pvector = new double[1];
  pvector[0] = 0.0;
}

PairMTPExtrapolation::~PairMTPExtrapolation() {
  if (!copymode) delete[] pvector;
}

void PairMTPExtrapolation::settings(int narg, char** arg) {
  grade_every_ = 0;
  output_.clear();
  PairMTP::settings(narg, arg);
}

int PairMTPExtrapolation::keyword(int narg, char** arg) {
  if (std::strcmp(arg[0], "grade_every") == 0 && narg > 1) {
    grade_every_ = utils::inumeric(FLERR, arg[1], false, lmp);
    if (grade_every_ < 1) error->all(FLERR, style_ + ": grade_every must be at least 1");
    return 2;
  }
  if (std::strcmp(arg[0], "mlip3_style") == 0 && narg > 3) {
    output_ = arg[1];
    select_threshold_ = utils::numeric(FLERR, arg[2], false, lmp);
    break_threshold_ = utils::numeric(FLERR, arg[3], false, lmp);
    if (comm->me == 0) {
      std::FILE* file = std::fopen(output_.c_str(), "w");
      if (!file) error->one(FLERR, style_ + ": cannot write " + output_);
      std::fclose(file);
    }
    return 4;
  }
  return PairMTP::keyword(narg, arg);
}

void PairMTPExtrapolation::potential_read() {
  if (!potential_->selection)
    error->all(FLERR, style_ + ": the potential has no active set (#MVS_v1.1); train it with one, or use pair_style mtp");
  const mtp::Selection& s = *potential_->selection;
  by_configuration_ = s.energy_weight != 0.0 && s.site_energy_weight == 0.0;
  const bool by_site = s.energy_weight == 0.0 && s.site_energy_weight != 0.0;
  if (!(by_configuration_ || by_site) || s.force_weight != 0.0 || s.stress_weight != 0.0)
    error->all(FLERR, style_ + ": the active set must be one of neighbourhoods (nbh) or of configurations (cfg)");
  tables_ = by_site ? mtp::grade_tables(*model_, s) : std::vector<mtp::GradeTable>();
  pending_ = std::vector<Pending>(potential_->n_species());
}

bool PairMTPExtrapolation::wanted() const {
  if (extrapolation_flag_) return true;
  if (grade_every_ > 0) return update->ntimestep % grade_every_ == 0;
  return !flag_extracted_ || !output_.empty();
}

void PairMTPExtrapolation::compute(int eflag, int vflag) {
  computing_ = wanted();
  if (computing_) {
    grades_.assign(static_cast<std::size_t>(std::max(atom->nmax, 1)), 0.0);
    row_sum_.assign(potential_->n_coefficients(), 0.0);
  }
  PairMTP::compute(eflag, vflag);
  if (!computing_) return;
  for (int s = 0; s < static_cast<int>(pending_.size()); ++s) flush(s);
  collect();
  if (output_.empty()) return;
  if (largest_grade_ >= select_threshold_) write_configuration();
  if (largest_grade_ >= break_threshold_)
    error->all(FLERR, "Exceeded Break Threshold: " + std::to_string(largest_grade_) + " >= " + std::to_string(break_threshold_));
}

double* PairMTPExtrapolation::rows_of_batch(int species) {
  if (!computing_) return nullptr;
  current_species_ = species;
  Pending& pending = pending_[static_cast<std::size_t>(species)];
  const std::size_t batch = model_->n_rows() * static_cast<std::size_t>(mtp::kernel().lanes);
  return pending.rows.get(batches_at_once * batch) + static_cast<std::size_t>(pending.n_batches) * batch;
}

void PairMTPExtrapolation::batch_done(const int* atoms, int n) {
  if (!computing_) return;
  Pending& pending = pending_[static_cast<std::size_t>(current_species_)];
  for (int lane = 0; lane < mtp::kernel().lanes; ++lane) pending.atoms.push_back(lane < n ? atoms[lane] : -1);
  if (++pending.n_batches == batches_at_once) flush(current_species_);
}

void PairMTPExtrapolation::flush(int species) {
  Pending& pending = pending_[static_cast<std::size_t>(species)];
  if (pending.n_batches == 0) return;
  const std::size_t lanes = static_cast<std::size_t>(mtp::kernel().lanes), n_rows = model_->n_rows();
  double* rows = pending.rows.get(batches_at_once * n_rows * lanes);
  if (by_configuration_) {
    const std::vector<int> own = model_->coefficients_of(species);
    for (std::size_t k = 0; k < pending.atoms.size(); ++k)
      if (pending.atoms[k] >= 0)
        for (std::size_t row = 0; row < n_rows; ++row)
          row_sum_[static_cast<std::size_t>(own[row])] += rows[((k / lanes) * n_rows + row) * lanes + k % lanes];
  } else {
    double* grades = batch_grades_.get(batches_at_once * lanes);
    const mtp::GradeView& table = tables_[static_cast<std::size_t>(species)].view();
    double* scratch =
        grade_scratch_.get(static_cast<std::size_t>(mtp::kernel().grade_scratch_size(table)) / sizeof(double));
    mtp::kernel().grades(table, pending.n_batches, scratch, rows, grades);
    const double weight = std::fabs(potential_->selection->site_energy_weight);
    for (std::size_t k = 0; k < pending.atoms.size(); ++k)
      if (pending.atoms[k] >= 0) grades_[static_cast<std::size_t>(pending.atoms[k])] = weight * grades[k];
  }
  pending.atoms.clear();
  pending.n_batches = 0;
}

// The largest grade of all ranks. Only the first keeps it in pvector: compute pair adds the ranks up.
void PairMTPExtrapolation::collect() {
  const mtp::Selection& s = *potential_->selection;
  if (by_configuration_) {
    const int n = static_cast<int>(row_sum_.size());
    MPI_Allreduce(MPI_IN_PLACE, row_sum_.data(), n, MPI_DOUBLE, MPI_SUM, world);
    largest_grade_ = 0.0;
    for (int k = 0; k < n; ++k) {
      double sum = 0.0;
      for (int i = 0; i < n; ++i) sum += row_sum_[static_cast<std::size_t>(i)] * s.inverse[static_cast<std::size_t>(i * n + k)];
      largest_grade_ = std::max(largest_grade_, std::fabs(sum));
    }
    if (atom->natoms > 0)
      largest_grade_ *= std::fabs(s.energy_weight) / std::pow(static_cast<double>(atom->natoms), 0.5 * s.weight_scaling);
  } else {
    double own = 0.0;
    for (int i = 0; i < atom->nlocal; ++i) own = std::max(own, grades_[static_cast<std::size_t>(i)]);
    MPI_Allreduce(&own, &largest_grade_, 1, MPI_DOUBLE, MPI_MAX, world);
  }
  pvector[0] = comm->me == 0 ? largest_grade_ : 0.0;
}

void* PairMTPExtrapolation::extract(const char* name, int& dimension) {
  dimension = 0;
  if (std::strcmp(name, "extrapolation_flag") != 0) return nullptr;
  flag_extracted_ = true;
  return &extrapolation_flag_;
}

void* PairMTPExtrapolation::extract_peratom(const char* name, int& columns) {
  if (std::strcmp(name, "extrapolation") != 0) return nullptr;
  if (by_configuration_) error->all(FLERR, style_ + ": an active set of configurations gives no grade per atom; use compute pair");
  columns = 0;
  if (grades_.size() < static_cast<std::size_t>(atom->nmax)) grades_.resize(static_cast<std::size_t>(atom->nmax), 0.0);
  return grades_.data();
}

// Appends the present configuration to the file of mlip3_style, atoms in the order of their ids.
void PairMTPExtrapolation::write_configuration() const {
  constexpr int width = 6;  // id, type, position, grade
  std::vector<double> own;
  for (int i = 0; i < atom->nlocal; ++i) {
    const double* x = atom->x[i];
    const double row[width] = {static_cast<double>(atom->tag[i]),
                               static_cast<double>(potential_->species_types[static_cast<std::size_t>(species_of(i))]),
                               x[0], x[1], x[2], grades_[static_cast<std::size_t>(i)]};
    own.insert(own.end(), row, row + width);
  }
  const int n_own = static_cast<int>(own.size());
  std::vector<int> sizes(static_cast<std::size_t>(comm->nprocs)), starts(static_cast<std::size_t>(comm->nprocs), 0);
  MPI_Gather(&n_own, 1, MPI_INT, sizes.data(), 1, MPI_INT, 0, world);
  std::partial_sum(sizes.begin(), sizes.end() - 1, starts.begin() + 1);
  std::vector<double> all(comm->me == 0 ? static_cast<std::size_t>(starts.back() + sizes.back()) : 0);
  MPI_Gatherv(own.data(), n_own, MPI_DOUBLE, all.data(), sizes.data(), starts.data(), MPI_DOUBLE, 0, world);
  if (comm->me != 0) return;

  std::vector<std::size_t> order(all.size() / width);
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&all](std::size_t a, std::size_t b) { return all[a * width] < all[b * width]; });
  mtp::Configuration c;
  std::vector<double> grades;
  for (const std::size_t k : order) {
    const double* row = all.data() + k * width;
    c.types.push_back(static_cast<int>(row[1]));
    c.positions.push_back({row[2], row[3], row[4]});
    grades.push_back(row[5]);
  }
  c.cell = {{{domain->xprd, 0.0, 0.0}, {domain->xy, domain->yprd, 0.0}, {domain->xz, domain->yz, domain->zprd}}};
  for (std::size_t a = 0; a < 3; ++a)
    if ((a == 0 && !domain->xperiodic) || (a == 1 && !domain->yperiodic) || (a == 2 && !domain->zperiodic)) c.cell[a] = {};
  if (!by_configuration_) c.grades = grades;
  char text[32];
  std::snprintf(text, sizeof text, "%.6f", largest_grade_);
  c.features["MV_grade"] = text;
  c.features["MD_step"] = std::to_string(update->ntimestep);
  std::string out;
  mtp::append_configuration(out, c, false);
  std::FILE* file = std::fopen(output_.c_str(), "a");
  const bool good = file && std::fwrite(out.data(), 1, out.size(), file) == out.size();
  if (!file || std::fclose(file) != 0 || !good) error->one(FLERR, style_ + ": cannot write " + output_);
}

}  // namespace LAMMPS_NS
