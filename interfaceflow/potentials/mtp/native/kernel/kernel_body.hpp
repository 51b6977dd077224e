// The kernel itself, compiled once per instruction set. Each translation unit defines MTP_KERNEL (a namespace),
// MTP_KERNEL_NAME and MTP_LANES before including this file.
//
// Moments of the unit vector u = r / |r|:  m_i = sum over neighbours of f_mu(|r|) * u_x^a u_y^b u_z^c, with
// f_mu(r) = scaling * (r - max_dist)^2 * sum over xi of c_(mu, xi) T_xi(r). Higher moments are sums of products of two
// lower ones; the energy is linear in the scalar ones. doi:10.1137/15M1054183
#include "kernel.hpp"

#include "vectors.hpp"
#include "radial_functions.hpp"
#include "moments.hpp"

namespace mtp {
namespace MTP_KERNEL {
namespace {

inline double* rows_of_segment(const ModelView& m, const Batch& b, int segment, double* rows) {
  return rows + static_cast<long>(b.segment_species[segment]) * m.n_radial_functions * m.n_chebyshev * lanes;
}

// Derivatives of the functional with respect to the radial coefficients of one central species. With directions the
// functional also depends on the moments' rates along them, and those enter with the rate adjoint.
template <bool with_rates>
void radial_rows(const ModelView& m, const Batch& b, const Work& w, const vec* adjoint, const vec* rate_adjoint,
                 const double* directions, double* rows) {
  const int n_functions = m.n_radial_functions;
  vec by_value[tile * 128], by_slope[with_rates ? tile * 128 : 1];
  for (int segment = 0; segment < b.n_segments; ++segment) {
    const int end = b.segment_begin[segment + 1];
    for (int slot = b.segment_begin[segment]; slot < end; slot += tile) {
      // A tile may reach into the next segment; what it computes there is not used.
      const int n_slots = end - slot < tile ? end - slot : tile;
      vec along[tile];
      for (int t = 0; t < tile; ++t) along[t] = splat(0.0);
      monomials_of_tile(m, w, slot);
      if (with_rates) monomial_rates_of_tile(m, b, w, slot, directions, along);
      for (int mu = 0; mu < n_functions; ++mu) {
        vec sum[tile], sloped[tile];
        for (int t = 0; t < tile; ++t) sum[t] = sloped[t] = splat(0.0);
        for (int i = m.basic_begin[mu]; i < m.basic_begin[mu + 1]; ++i) {
          const vec* monomial = w.monomial + m.monomial_of[i] * tile;
          const vec* rate = w.monomial_rate + m.monomial_of[i] * tile;
          const vec g = adjoint[i];
          for (int t = 0; t < tile; ++t) sum[t] += g * monomial[t];
          if (with_rates) {
            const vec h = rate_adjoint[i];
            for (int t = 0; t < tile; ++t) {
              sum[t] += h * rate[t];
              sloped[t] += h * monomial[t];
            }
          }
        }
        for (int t = 0; t < tile; ++t) {
          by_value[t * n_functions + mu] = sum[t];
          if (with_rates) by_slope[t * n_functions + mu] = along[t] * sloped[t];
        }
      }
      add_tile_rows<with_rates>(m, b, slot, n_slots, by_value, by_slope, rows_of_segment(m, b, segment, rows));
    }
  }
}

double* linear_rows(const ModelView& m, double* rows) {
  return rows + static_cast<long>(m.n_species) * m.n_radial_functions * m.n_chebyshev * lanes;
}

void energy(const ModelView& m, const Batch& b, Scratch scratch, double* energies, double* derivatives, double* rows) {
  Work w = divide(m, b.n_slots, reinterpret_cast<vec*>(scratch));
  radial_stage(m, b, w);
  basic_moments(m, b, w);
  contract(m, w.moment);
  vec total = splat(m.species[b.central]);
  for (int k = 0; k < m.n_scalars; ++k) total += m.scalar_coefficient[k] * w.moment[m.scalar[k]];
  store(energies, total);
  seed_adjoint(m, w.adjoint);
  contract_reverse(m, w.moment, w.adjoint);
  if (derivatives) derivatives_of(m, b, w, w.adjoint, derivatives);
  if (rows) {
    double* linear = linear_rows(m, rows);
    for (double* row = rows; row < linear; ++row) *row = 0.0;
    radial_rows<false>(m, b, w, w.adjoint, nullptr, nullptr, rows);
    store(linear, splat(1.0));
    for (int k = 0; k < m.n_scalars; ++k) store(linear + (1 + k) * lanes, w.moment[m.scalar[k]]);
  }
}

void pull_back(const ModelView& m, const Batch& b, Scratch scratch, const double* energy_weights,
               const double* directions, double* rows) {
  Work w = divide(m, b.n_slots, reinterpret_cast<vec*>(scratch));
  radial_stage(m, b, w);
  basic_moments(m, b, w);
  contract(m, w.moment);
  rates(m, b, w, directions);

  const vec weight = load(energy_weights);
  double* linear = linear_rows(m, rows);
  store(linear, load(linear) + weight);
  for (int k = 0; k < m.n_scalars; ++k) {
    double* row = linear + (1 + k) * lanes;
    store(row, load(row) + weight * w.moment[m.scalar[k]] + w.rate[m.scalar[k]]);
  }

  // Adjoints of the moments and of their rates, from the scalars down.
  seed_adjoint(m, w.rate_adjoint);
  for (int i = 0; i < m.n_moments; ++i) w.adjoint[i] = weight * w.rate_adjoint[i];
  for (int run = m.n_runs - 1; run >= 0; --run) {
    const vec target = w.adjoint[m.run_target[run]];
    const vec rate_target = w.rate_adjoint[m.run_target[run]];
    for (int k = m.run_begin[run]; k < m.run_begin[run + 1]; ++k) {
      const int i = m.first[k], j = m.second[k];
      const vec g = m.factor[k] * target, h = m.factor[k] * rate_target;
      w.adjoint[i] += g * w.moment[j] + h * w.rate[j];
      w.adjoint[j] += g * w.moment[i] + h * w.rate[i];
      w.rate_adjoint[i] += h * w.moment[j];
      w.rate_adjoint[j] += h * w.moment[i];
    }
  }
  radial_rows<true>(m, b, w, w.adjoint, w.rate_adjoint, directions, rows);
}

void basis(const ModelView& m, const Batch& b, Scratch scratch, double* values, double* derivatives) {
  Work w = divide(m, b.n_slots, reinterpret_cast<vec*>(scratch));
  radial_stage(m, b, w);
  basic_moments(m, b, w);
  contract(m, w.moment);
  for (int k = 0; k < m.n_scalars; ++k) {
    store(values + k * lanes, w.moment[m.scalar[k]]);
    for (int i = 0; i < m.n_moments; ++i) w.adjoint[i] = splat(0.0);
    w.adjoint[m.scalar[k]] = splat(1.0);
    contract_reverse(m, w.moment, w.adjoint);
    derivatives_of(m, b, w, w.adjoint, derivatives + static_cast<long>(k) * b.n_slots * 3 * lanes);
  }
}

// Columns of the inverse that are summed at once, for `groups` batches, all in registers.
constexpr int columns = MTP_LANES == 8 ? 8 : 4;

template <int groups>
void grades_of(int n_rows, int n_columns, const double* rows, const double* inverse, double* result) {
  vec best[groups];
  for (int g = 0; g < groups; ++g) best[g] = splat(0.0);
  const long stride = static_cast<long>(n_rows) * lanes;
  for (int column = 0; column < n_columns; column += columns) {
    vec sum[groups][columns];
    for (int g = 0; g < groups; ++g)
      for (int k = 0; k < columns; ++k) sum[g][k] = splat(0.0);
    for (int c = 0; c < n_rows; ++c) {
      const double* coefficients = inverse + static_cast<long>(c) * n_columns + column;
      for (int g = 0; g < groups; ++g) {
        const vec value = load(rows + g * stride + c * lanes);
        for (int k = 0; k < columns; ++k) sum[g][k] += value * coefficients[k];
      }
    }
    for (int g = 0; g < groups; ++g)
      for (int k = 0; k < columns; ++k) best[g] = larger(best[g], magnitude(sum[g][k]));
  }
  for (int g = 0; g < groups; ++g) store(result + g * lanes, best[g]);
}

void grades(int n_groups, int n_rows, int n_columns, const double* rows, const double* inverse, double* result) {
  for (int g = 0; g < n_groups; g += 2) {
    const double* own = rows + static_cast<long>(g) * n_rows * lanes;
    if (g + 1 < n_groups)
      grades_of<2>(n_rows, n_columns, own, inverse, result + g * lanes);
    else
      grades_of<1>(n_rows, n_columns, own, inverse, result + g * lanes);
  }
}

long scratch_size(const ModelView& m, int n_slots) {
  long size = 0;
  divide(m, n_slots, nullptr, &size);
  return size * lanes;
}

}  // namespace

extern const Kernel kernel = {MTP_KERNEL_NAME, lanes, scratch_size, energy, pull_back, basis, grades};

}  // namespace MTP_KERNEL
}  // namespace mtp
