// SPDX-License-Identifier: GPL-2.0-only
// LAMMPS pair style mtp: moment tensor potentials, computed by the core in ../kernel.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "../core/potential.hpp"
#include "../kernel/model.hpp"
#include "pair.h"

namespace LAMMPS_NS {

class PairMTP : public Pair {
 public:
  explicit PairMTP(LAMMPS* lmp);
  ~PairMTP() override;

  void settings(int narg, char** arg) override;
  void coeff(int narg, char** arg) override;
  void init_style() override;
  double init_one(int i, int j) override;
  void compute(int eflag, int vflag) override;

 protected:
  // One keyword of pair_style at arg[0]; returns how many words it took, 0 if it is unknown.
  virtual int keyword(int narg, char** arg);
  // Called when a potential has been read.
  virtual void potential_read() {}
  // Whether this step needs derivatives with respect to coefficients, which are not there in mixed precision.
  virtual bool wants_rows() const { return false; }
  // Where a batch of this species leaves its derivatives with respect to coefficients; null if they are not wanted.
  virtual double* rows_of_batch(int /*species*/) { return nullptr; }
  // Called with the atoms of that batch once they are there (n of them; the other lanes hold nothing).
  virtual void batch_done(const int* /*atoms*/, int /*n*/) {}

  int species_of(int i) const;

  std::string style_ = "pair_style mtp";
  std::unique_ptr<mtp::Potential> potential_;
  std::unique_ptr<mtp::Model> model_;

 private:
  void read(const std::string& path);
  void allocate();
  bool neighbours_have_changed() const;
  void sort_neighbours();
  void copy_positions();
  void compute_batch(std::size_t first, int n, int species);
  int pack(std::size_t first, int n);
  void tally_pairs(const int* atoms, int n, int n_slots);

  std::string path_;
  std::vector<int> species_of_type_;  // by LAMMPS type from 1; -1 where none is set
  bool mixed_precision_ = false;
  const mtp::Kernel* kernel_ = nullptr;  // of this step

  // Atoms by species, and the neighbour list of each with its skin, by species too; made anew when LAMMPS makes its list.
  std::vector<int> atoms_;
  std::vector<std::size_t> species_begin_;    // into atoms_
  std::vector<int> candidates_;
  std::vector<std::size_t> candidates_begin_; // into candidates_, [place in atoms_][species], and the end
  bigint sorted_at_step_ = -1, sorted_at_build_ = -1;
  std::vector<int> sorted_types_;

  std::vector<double> positions_;  // [atom][4]
  // One batch: neighbours [slot][lane].
  std::vector<double> x_, y_, z_;
  std::vector<int> neighbour_;
  std::vector<int> segment_begin_, segment_species_;
  mtp::AlignedBuffer scratch_, derivatives_;
};

}  // namespace LAMMPS_NS
