// The kernel itself, compiled once per instruction set. Each translation unit defines MTP_KERNEL (a namespace),
// MTP_KERNEL_NAME, MTP_REAL, MTP_LANES and the tiles before including this file. With MTP_ENERGIES_ONLY, which those in
// single precision define, what training and selection need is left out.
//
// Moments of the unit vector u = r / |r|:  m_i = sum over neighbours of f_mu(|r|) * u_x^a u_y^b u_z^c, with
// f_mu(r) = scaling * (r - max_dist)^2 * sum over xi of c_(mu, xi) T_xi(r). Higher moments are sums of products of two
// lower ones; the energy is linear in the scalar ones. doi:10.1137/15M1054183
#include "kernel.hpp"

#include "vectors.hpp"
#include "shapes.hpp"
#include "radial_functions.hpp"
#include "contractions.hpp"
#include "moments.hpp"
#include "packing.hpp"
#ifndef MTP_ENERGIES_ONLY
#include "pull_back.hpp"
#include "linear_fit.hpp"
#include "grades.hpp"
#endif

namespace mtp {
namespace MTP_KERNEL {
namespace {

void energy(const ModelView& m, const Batch& b, Scratch scratch, double* energies, double* derivatives, double* sums,
            double* rows) {
  Work w = divide(m, b.n_slots, scratch);
  with_shape(m, [&](const auto& shape) {
    radial_stage(shape, m, b, w);
    basic_moments<false>(shape, m, b, w);
    contract(m, w.moment);
    contract_reverse(m, w.moment, w.adjoint);
    if (derivatives)
      neighbour_derivatives<true>(shape, m, b, w, derivatives, sums);
    else
      neighbour_derivatives<false>(shape, m, b, w, nullptr, nullptr);
  });
  wide total = m.species[b.central] - wide{};
  for (int k = 0; k < m.n_scalars; ++k)
    total += m.scalar_coefficient[k] * __builtin_convertvector(w.moment[m.scalar[k]], wide);
  store_wide(energies, total);
  if (rows) {
    double* linear = linear_rows(m, rows);
    for (double* row = rows; row < linear; ++row) *row = 0.0;
    add_radial_rows<false>(m, b, w, rows);
    store(linear, splat(1));
    for (int k = 0; k < m.n_scalars; ++k) store(linear + (1 + k) * lanes, w.moment[m.scalar[k]]);
  }
}

long scratch_size(const ModelView& m, int n_slots) {
  long size = 0;
  divide(m, n_slots, nullptr, &size);
  return size * static_cast<long>(sizeof(vec));
}

}  // namespace

#ifdef MTP_ENERGIES_ONLY
extern const Kernel kernel = {MTP_KERNEL_NAME, lanes, scratch_size, energy,  nullptr, nullptr,
                              nullptr,         pack,  scatter,      nullptr, nullptr};
#else
extern const Kernel kernel = {MTP_KERNEL_NAME,  lanes, scratch_size, energy, pull_back,         basis,
                              normal_equations, pack,  scatter,      grades, grade_scratch_size};
#endif

}  // namespace MTP_KERNEL
}  // namespace mtp
