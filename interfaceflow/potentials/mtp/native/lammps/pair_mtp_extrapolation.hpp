// SPDX-License-Identifier: GPL-2.0-only
// LAMMPS pair style mtp/extrapolation: the same forces, and the extrapolation grade.
#pragma once

#include "../kernel/grade_table.hpp"
#include "pair_mtp.hpp"

namespace LAMMPS_NS {

// The grade is computed on the steps that `grade_every N` names, on those that a fix pair asks for, or, with neither, on
// every step. Per atom it is fix pair's field "extrapolation"; its maximum is element 1 of compute pair.
class PairMTPExtrapolation : public PairMTP {
 public:
  explicit PairMTPExtrapolation(LAMMPS* lmp);
  ~PairMTPExtrapolation() override;

  void settings(int narg, char** arg) override;
  void compute(int eflag, int vflag) override;
  void* extract(const char* name, int& dimension) override;
  void* extract_peratom(const char* name, int& columns) override;

 protected:
  int keyword(int narg, char** arg) override;
  void potential_read() override;
  bool wants_rows() const override { return computing_; }
  double* rows_of_batch(int species) override;
  void batch_done(const int* atoms, int n) override;

 private:
  struct Pending {
    std::vector<int> atoms;  // [batch][lane], -1 for none
    int n_batches = 0;
    mtp::AlignedBuffer rows;
  };

  bool wanted() const;
  void flush(int species);
  void collect();
  void write_configuration() const;

  bool by_configuration_ = false;
  std::vector<mtp::GradeTable> tables_;
  std::vector<Pending> pending_;  // per species
  std::vector<double> grades_;    // per local atom
  std::vector<double> row_sum_;   // of the configuration
  mtp::AlignedBuffer batch_grades_, grade_scratch_;
  int current_species_ = 0;
  bool computing_ = false;

  int extrapolation_flag_ = 0;
  bool flag_extracted_ = false;
  long grade_every_ = 0;
  double largest_grade_ = 0.0;

  std::string output_;  // mlip3_style
  double select_threshold_ = 0.0, break_threshold_ = 0.0;
};

}  // namespace LAMMPS_NS
