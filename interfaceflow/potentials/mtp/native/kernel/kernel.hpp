// What the kernel computes on, and its entry points.
//
// The kernel works on `lanes` central atoms of one species at a time: element (slot, lane) of an array belongs to the
// slot-th neighbour of the lane-th atom and is stored at slot * lanes + lane. The neighbours of a batch are sorted by
// species, so that all lanes of a slot share their radial coefficients. A slot without a neighbour holds a vector of
// length max_dist or more, where every radial function and its derivative is zero.
//
// Only plain data and no standard library here: this header is compiled for several instruction sets, and an inline
// function compiled for the widest one must never be the one the linker keeps for all.
#pragma once

namespace mtp {

// The basis and the coefficients, in the order the loops want them. Filled by Model.
struct ModelView {
  int n_species, n_radial_functions, n_chebyshev;
  double min_dist, max_dist, scaling;
  const double* radial;   // [central][neighbour][radial function][Chebyshev]
  const double* species;  // [species]

  // Monomials of the unit vector: monomial m is monomial parent[m] times component axis[m]; the first one is 1.
  int n_monomials;
  const int* parent;
  const int* axis;
  // Basic moments, sorted by radial function: those of function mu are basic_begin[mu] .. basic_begin[mu + 1].
  int n_basic;
  const int* basic_begin;
  const int* monomial_of;
  // The same by monomial: entries use_begin[m] .. use_begin[m + 1] name radial function and basic moment.
  const int* use_begin;
  const int* use_function;
  const int* use_basic;

  // Contractions: moment[run_target[r]] += sum over k of run r of factor[k] * moment[first[k]] * moment[second[k]].
  int n_moments, n_runs;
  const int* run_begin;
  const int* run_target;
  const int* first;
  const int* second;
  const double* factor;

  // The energy: species coefficient plus sum of scalar_coefficient[k] * moment[scalar[k]].
  int n_scalars;
  const int* scalar;
  const double* scalar_coefficient;
};

struct Batch {
  int central;  // species of the central atoms
  int n_slots;
  int n_segments;             // slots segment_begin[t] .. segment_begin[t + 1] hold neighbours of one species
  const int* segment_begin;
  const int* segment_species;
  const double* x;  // from the central atom to the neighbour, A
  const double* y;
  const double* z;
};

// Scratch memory of one thread, at least scratch_size() doubles, aligned to 64 bytes.
using Scratch = double*;

struct Kernel {
  const char* name;
  int lanes;

  // Doubles of scratch that the functions below need for a batch of n_slots.
  long (*scratch_size)(const ModelView&, int n_slots);

  // Site energies [lane] and their derivatives with respect to the neighbours' positions [slot][x, y, z][lane]. With
  // `rows`, also the derivatives with respect to the coefficients that a central atom of this species has:
  // [neighbour species][radial function][Chebyshev], then one for its species, then the scalars; each [lane].
  void (*energy)(const ModelView&, const Batch&, Scratch, double* energies, double* derivatives, double* rows);

  // For the functional  sum over lanes of  energy_weight * energy + sum over slots of direction . derivative  (of the
  // energy with respect to that neighbour), its derivative with respect to the coefficients, added to `rows` (layout as
  // above, each [lane]).
  void (*pull_back)(const ModelView&, const Batch&, Scratch, const double* energy_weights, const double* directions,
                    double* rows);

  // Scalar moments [scalar][lane] and their derivatives [scalar][slot][x, y, z][lane].
  void (*basis)(const ModelView&, const Batch&, Scratch, double* values, double* derivatives);

  // Largest |sum over c of rows[c] * inverse[c][k]| over k, per lane, for n_groups batches at once:
  // rows [group][c][lane], inverse [c][k] with k padded to a multiple of 8, result [group][lane].
  void (*grades)(int n_groups, int n_rows, int n_columns, const double* rows, const double* inverse, double* result);
};

// The kernel of this process: the best the processor runs, or the one named by INTERFACEFLOW_SIMD.
// Throws std::invalid_argument (with the allowed names) if that name is unknown or cannot run here.
const Kernel& kernel();
int n_kernels();                  // those this build and this processor can run, best first
const Kernel& kernel_at(int index);

}  // namespace mtp
