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

// factor * a moment or adjoint * a moment.
template <class Real>
struct Term {
  int first, second;
  Real factor;
};

// Terms begin[i - from] .. begin[i - from + 1] belong to moment i; those below `from` have none.
struct Terms {
  int from;
  const int* begin;
};

// The numbers of a potential, in the precision the kernel computes in.
template <class Real>
struct Coefficients {
  const Real* radial;          // [central][neighbour][radial function][Chebyshev]
  const Real* powers;          // the same functions in powers of the Chebyshev variable; null where that costs digits
  const Term<Real>* products;  // of ModelView::products
  const Term<Real>* uses;      // of ModelView::uses
  const Real* of_moment;       // [moment]: its coefficient in the energy, 0 for all but scalars
};

// The basis and the coefficients, in the order the loops want them. Filled by Model.
struct ModelView {
  int n_species, n_radial_functions, n_chebyshev;
  double min_dist, max_dist, scaling;
  const double* species;  // [species]
  Coefficients<double> in_double;
  Coefficients<float> in_single;

  // Basic moments. Radial function mu has one for each monomial up to degree[mu], in the order of kernel/shapes.hpp,
  // those of function mu being basic_begin[mu] .. basic_begin[mu + 1]. Degrees do not grow with mu. Where a potential
  // uses only some of these monomials, the moments of the others are computed and have no use.
  const int* degree;
  const int* basic_begin;

  // Contractions. A moment behind the basic ones is a sum of products of two moments before it (`products`: first,
  // second), and its adjoint goes to these (`uses`, by source: the target, the other source).
  int n_moments;
  Terms products, uses;

  // The energy: species coefficient plus sum over moments of their coefficient times the moment.
  int n_scalars;
  const int* scalar;                 // the moment of each
  const double* scalar_coefficient;

  // What each scalar is made of: moments made_of[made_of_begin[k]] .. made_of[made_of_begin[k + 1]], descending, the
  // basic ones from support_begin[k] on. Empty until Model::prepare_basis.
  int n_made_of;
  const int* made_of_begin;
  const int* support_begin;
  const int* made_of;
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

constexpr int most_lanes = 16;

// The part of an inverse active set that belongs to one central species; see GradeTable. The grade of an atom is the
// largest modulus among the products of its row with the columns of `direct`, and among those that follow from some of
// these products by `bound`. Matrices are stored as panels
// [column / grade_panel][row][column % grade_panel], with columns of zeros in the last one.
constexpr int grade_panel = 8;
constexpr double largest_grade = 1.0e300;  // stands for any larger one, and for what is not a number
struct GradeBlock {
  int first_free, n_free, n_bound;  // products first_free .. first_free + n_free, times a matrix n_free x n_bound
  long offset;                      // of that matrix in `bound`
};
struct GradeView {
  int n_rows, n_direct;
  const double* direct;  // n_rows x n_direct
  int n_blocks;
  const GradeBlock* blocks;
  const double* bound;
};

// Scratch memory of one thread, at least scratch_size() bytes, aligned to 64 bytes.
using Scratch = void*;

struct Kernel {
  const char* name;
  int lanes;

  // Bytes of scratch that the functions below need for a batch of n_slots.
  long (*scratch_size)(const ModelView&, int n_slots);

  // Site energies [lane]. With `derivatives`, also those with respect to the neighbours' positions [slot][x, y, z][lane],
  // and, in `sums`, their sum over neighbours and that of derivative times position [x y z xx yy zz yz xz xy][lane]. With
  // `rows`, the derivatives with respect to the coefficients that a central atom of this species has:
  // [neighbour species][radial function][Chebyshev], then one for its species, then the scalars; each [lane].
  void (*energy)(const ModelView&, const Batch&, Scratch, double* energies, double* derivatives, double* sums, double* rows);

  // For the functional  sum over lanes of  energy_weight * energy + sum over slots of direction . derivative  (of the
  // energy with respect to that neighbour), its derivative with respect to the coefficients, added to `rows` (layout as
  // above, each [lane]).
  void (*pull_back)(const ModelView&, const Batch&, Scratch, const double* energy_weights, const double* directions,
                    double* rows);

  // The design matrix of the energy's linear coefficients. Scalar moments [scalar][lane]; sums over neighbours of their
  // derivatives and of derivative times position, as in `energy`, [scalar][component][lane]; and minus the derivatives
  // themselves, added to the rows [3 * neighbour + axis][stride] of a matrix with a column for each scalar.
  void (*basis)(const ModelView&, const Batch&, Scratch, const int* neighbour, double* values, double* sums, double* matrix,
                long stride);
  // Adds X^T W X to matrix (n x n, lower triangle and some of the rest) and X^T W y to vector, for n_rows rows of X that
  // are `stride` apart, a multiple of 16, with zeros behind the n-th column.
  void (*normal_equations)(int n, long n_rows, long stride, const double* rows, const double* weights,
                           const double* references, double* matrix, double* vector);

  // Gathers the neighbours of one lane: of `candidates` those that are closer to `centre` than the cutoff go to
  // x, y, z and neighbour, `lanes` elements apart, and their number is returned. One more place behind them may be
  // written. positions [atom][4], the fourth is not used.
  int (*pack)(int n_candidates, const int* candidates, const double* positions, const double* centre, double cutoff_squared,
              double* x, double* y, double* z, int* neighbour);
  // forces[neighbour] -= derivative; neighbour [slot][lane], forces [atom][3].
  void (*scatter)(int n_slots, const int* neighbour, const double* derivatives, double* forces);

  // Grades of n_groups batches: rows [group][row][lane] as `energy` leaves them, result [group][lane].
  void (*grades)(const GradeView&, int n_groups, Scratch, const double* rows, double* result);
  long (*grade_scratch_size)(const GradeView&);  // in bytes
};

// The kernel of this process: the best the processor runs, or the one named by INTERFACEFLOW_SIMD.
// Throws std::invalid_argument (with the allowed names) if that name is unknown or cannot run here.
const Kernel& kernel();
// The same instruction set computing in single precision what lies between positions and forces, for twice as many lanes.
// Only energy, pack, scatter and scratch_size are there.
const Kernel& mixed_kernel();
int n_kernels();                  // those this build and this processor can run, best first
const Kernel& kernel_at(int index);

}  // namespace mtp
