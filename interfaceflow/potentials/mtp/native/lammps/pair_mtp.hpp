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
  // Where a batch of this species leaves its derivatives with respect to coefficients; null if they are not wanted.
  virtual double* rows_of_batch(int /*species*/) { return nullptr; }
  // Called with the atoms of that batch once they are there (n of them; the other lanes hold nothing).
  virtual void batch_done(const int* /*atoms*/, int /*n*/) {}

  int species_of(int atom) const;

  std::string style_ = "pair_style mtp";
  std::unique_ptr<mtp::Potential> potential_;
  std::unique_ptr<mtp::Model> model_;

 private:
  void read(const std::string& path);
  void allocate();
  void compute_batch(const int* atoms, int n, int species);
  void pack(const int* atoms, int n);

  std::string path_;
  std::vector<int> species_of_type_;  // by LAMMPS type from 1; -1 where none is set
  int chosen_lanes_ = 0;

  // One batch: neighbours by [species][slot][lane], then moved together.
  std::vector<double> x_, y_, z_;
  std::vector<int> neighbour_;
  std::vector<int> count_;  // [species][lane]
  std::vector<int> segment_begin_, segment_species_;
  mtp::AlignedBuffer scratch_, derivatives_;
};

}  // namespace LAMMPS_NS
