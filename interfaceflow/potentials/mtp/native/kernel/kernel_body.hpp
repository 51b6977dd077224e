// The kernel itself, compiled once per instruction set. Each translation unit defines MTP_KERNEL (a namespace),
// MTP_KERNEL_NAME and MTP_LANES before including this file.
//
// Moments of the unit vector u = r / |r|:  m_i = sum over neighbours of f_mu(|r|) * u_x^a u_y^b u_z^c, with
// f_mu(r) = scaling * (r - max_dist)^2 * sum over xi of c_(mu, xi) T_xi(r). Higher moments are sums of products of two
// lower ones; the energy is linear in the scalar ones. doi:10.1137/15M1054183
#include "kernel.hpp"

namespace mtp {
namespace MTP_KERNEL {
namespace {

constexpr int lanes = MTP_LANES;
constexpr int tile = 4;  // neighbours that share one pass over the moments
typedef double vec __attribute__((vector_size(lanes * 8)));

inline vec splat(double value) { return value - vec{}; }

inline vec load(const double* from) {
  vec out;
  __builtin_memcpy(&out, from, sizeof out);
  return out;
}

inline void store(double* to, vec value) { __builtin_memcpy(to, &value, sizeof value); }

inline vec square_root(vec value) {
  vec out;
  for (int l = 0; l < lanes; ++l) out[l] = __builtin_sqrt(value[l]);
  return out;
}

inline vec magnitude(vec value) { return value < 0.0 ? -value : value; }
inline vec larger(vec a, vec b) { return a > b ? a : b; }
inline vec not_positive(vec value) { return value > 0.0 ? vec{} : value; }

// Tiles may begin at any slot, so there is room for a whole one behind the last.
int padded(int n_slots) { return (n_slots + 2 * tile - 1) / tile * tile; }

// The scratch memory, divided up. Slots are padded to whole tiles.
struct Work {
  vec *unit, *inverse_length;  // [slot][3], [slot]
  vec *value, *slope;          // [slot][radial function]: f and df/dr
  vec* monomial;               // [monomial][tile]
  vec* monomial_rate;          // the same, its derivative along a direction; or its adjoint
  vec *moment, *adjoint;       // [moment]
  vec *rate, *rate_adjoint;    // [moment]
};

struct Divider {
  vec* next;
  vec* take(long n) {
    vec* out = next;
    next += n;
    return out;
  }
};

Work divide(const ModelView& m, int n_slots, vec* scratch, long* size = nullptr) {
  const long slots = padded(n_slots);
  Divider divider{scratch};
  Work w;
  w.unit = divider.take(3 * slots);
  w.inverse_length = divider.take(slots);
  w.value = divider.take(slots * m.n_radial_functions);
  w.slope = divider.take(slots * m.n_radial_functions);
  w.monomial = divider.take(static_cast<long>(m.n_monomials) * tile);
  w.monomial_rate = divider.take(static_cast<long>(m.n_monomials) * tile);
  w.moment = divider.take(m.n_moments);
  w.adjoint = divider.take(m.n_moments);
  w.rate = divider.take(m.n_moments);
  w.rate_adjoint = divider.take(m.n_moments);
  if (size) *size = divider.next - scratch;
  return w;
}

// Chebyshev polynomials and their derivatives with respect to r.
template <int N>
inline void chebyshev(const ModelView& m, vec r, vec* t, vec* dt) {
  const int n = N > 0 ? N : m.n_chebyshev;
  const double width = 1.0 / (m.max_dist - m.min_dist);
  const vec slope = splat(2.0 * width);
  const vec xi = (2.0 * r - (m.min_dist + m.max_dist)) * width;
  const vec two_xi = xi + xi;
  const vec two_slope = slope + slope;
  t[0] = splat(1.0);
  t[1] = xi;
  dt[0] = splat(0.0);
  dt[1] = slope;
#pragma GCC unroll 12
  for (int k = 2; k < n; ++k) {
    t[k] = two_xi * t[k - 1] - t[k - 2];
    dt[k] = two_xi * dt[k - 1] + two_slope * t[k - 1] - dt[k - 2];
  }
}

template <int N>
void radial_functions(const ModelView& m, const Batch& b, Work& w) {
  const int n = N > 0 ? N : m.n_chebyshev;
  const int n_functions = m.n_radial_functions;
  vec t[N > 0 ? N : 128], dt[N > 0 ? N : 128];
  for (int segment = 0; segment < b.n_segments; ++segment) {
    const double* pair =
        m.radial + static_cast<long>(b.central * m.n_species + b.segment_species[segment]) * n_functions * n;
    for (int slot = b.segment_begin[segment]; slot < b.segment_begin[segment + 1]; ++slot) {
      const vec x = load(b.x + slot * lanes), y = load(b.y + slot * lanes), z = load(b.z + slot * lanes);
      const vec r = square_root(x * x + y * y + z * z);
      const vec inverse = 1.0 / r;
      w.inverse_length[slot] = inverse;
      w.unit[3 * slot] = x * inverse;
      w.unit[3 * slot + 1] = y * inverse;
      w.unit[3 * slot + 2] = z * inverse;
      chebyshev<N>(m, r, t, dt);
      const vec from_cutoff = not_positive(r - m.max_dist);
      const vec envelope_slope = 2.0 * m.scaling * from_cutoff;
      const vec envelope = m.scaling * from_cutoff * from_cutoff;
      for (int mu = 0; mu < n_functions; ++mu) {
        const double* c = pair + mu * n;
        vec sum = splat(c[0]), slope = splat(0.0);
#pragma GCC unroll 12
        for (int k = 1; k < n; ++k) {
          sum += c[k] * t[k];
          slope += c[k] * dt[k];
        }
        w.value[slot * n_functions + mu] = envelope * sum;
        w.slope[slot * n_functions + mu] = envelope_slope * sum + envelope * slope;
      }
    }
  }
  for (int slot = b.n_slots; slot < padded(b.n_slots); ++slot) {
    for (int a = 0; a < 3; ++a) w.unit[3 * slot + a] = splat(a == 0 ? 1.0 : 0.0);
    w.inverse_length[slot] = splat(0.0);
    for (int mu = 0; mu < n_functions; ++mu) w.value[slot * n_functions + mu] = w.slope[slot * n_functions + mu] = splat(0.0);
  }
}

void radial_stage(const ModelView& m, const Batch& b, Work& w) {
  if (m.n_chebyshev == 8)
    radial_functions<8>(m, b, w);
  else if (m.n_chebyshev == 10)
    radial_functions<10>(m, b, w);
  else
    radial_functions<0>(m, b, w);
}

void monomials_of_tile(const ModelView& m, const Work& w, int slot) {
  const vec* unit = w.unit + 3 * slot;
  for (int t = 0; t < tile; ++t) w.monomial[t] = splat(1.0);
  for (int i = 1; i < m.n_monomials; ++i) {
    const vec* parent = w.monomial + m.parent[i] * tile;
    const vec* u = unit + m.axis[i];
    vec* out = w.monomial + i * tile;
    for (int t = 0; t < tile; ++t) out[t] = parent[t] * u[3 * t];
  }
}

// The monomials' rates of change along `directions`, and the distances' in `along`; after monomials_of_tile.
void monomial_rates_of_tile(const ModelView& m, const Batch& b, const Work& w, int slot, const double* directions,
                            vec* along) {
  const vec* unit = w.unit + 3 * slot;
  vec turn[tile][3];
  for (int t = 0; t < tile; ++t) {
    const vec* u = unit + 3 * t;
    vec v[3];
    for (int a = 0; a < 3; ++a)
      v[a] = slot + t < b.n_slots ? load(directions + ((slot + t) * 3 + a) * lanes) : splat(0.0);
    along[t] = u[0] * v[0] + u[1] * v[1] + u[2] * v[2];
    for (int a = 0; a < 3; ++a) turn[t][a] = (v[a] - along[t] * u[a]) * w.inverse_length[slot + t];
    w.monomial_rate[t] = splat(0.0);
  }
  for (int i = 1; i < m.n_monomials; ++i) {
    const int axis = m.axis[i], parent = m.parent[i];
    for (int t = 0; t < tile; ++t)
      w.monomial_rate[i * tile + t] =
          w.monomial_rate[parent * tile + t] * unit[3 * t + axis] + w.monomial[parent * tile + t] * turn[t][axis];
  }
}

void basic_moments(const ModelView& m, const Batch& b, Work& w) {
  const int n_functions = m.n_radial_functions;
  for (int i = 0; i < m.n_moments; ++i) w.moment[i] = splat(0.0);
  for (int slot = 0; slot < b.n_slots; slot += tile) {
    monomials_of_tile(m, w, slot);
    for (int mu = 0; mu < n_functions; ++mu) {
      vec f[tile];
      for (int t = 0; t < tile; ++t) f[t] = w.value[(slot + t) * n_functions + mu];
      for (int i = m.basic_begin[mu]; i < m.basic_begin[mu + 1]; ++i) {
        const vec* u = w.monomial + m.monomial_of[i] * tile;
        vec sum = w.moment[i];
        for (int t = 0; t < tile; ++t) sum += f[t] * u[t];
        w.moment[i] = sum;
      }
    }
  }
}

void contract(const ModelView& m, vec* moment) {
  for (int run = 0; run < m.n_runs; ++run) {
    vec sum = moment[m.run_target[run]];
    for (int k = m.run_begin[run]; k < m.run_begin[run + 1]; ++k)
      sum += m.factor[k] * moment[m.first[k]] * moment[m.second[k]];
    moment[m.run_target[run]] = sum;
  }
}

// adjoint[i] = d(sum of weights)/d(moment[i]), from those of the targets to those of the sources.
void contract_reverse(const ModelView& m, const vec* moment, vec* adjoint) {
  for (int run = m.n_runs - 1; run >= 0; --run) {
    const vec target = adjoint[m.run_target[run]];
    for (int k = m.run_begin[run]; k < m.run_begin[run + 1]; ++k) {
      const vec scaled = m.factor[k] * target;
      adjoint[m.first[k]] += scaled * moment[m.second[k]];
      adjoint[m.second[k]] += scaled * moment[m.first[k]];
    }
  }
}

void seed_adjoint(const ModelView& m, vec* adjoint) {
  for (int i = 0; i < m.n_moments; ++i) adjoint[i] = splat(0.0);
  for (int k = 0; k < m.n_scalars; ++k) adjoint[m.scalar[k]] += m.scalar_coefficient[k];
}

// Derivatives of the functional whose adjoint is given, with respect to the neighbours' positions.
void derivatives_of(const ModelView& m, const Batch& b, const Work& w, const vec* adjoint, double* out) {
  const int n_functions = m.n_radial_functions;
  for (int slot = 0; slot < b.n_slots; slot += tile) {
    monomials_of_tile(m, w, slot);
    const vec* value = w.value + slot * n_functions;
    const vec* slope = w.slope + slot * n_functions;
    const vec* unit = w.unit + 3 * slot;
    vec radial[tile];
    for (int t = 0; t < tile; ++t) radial[t] = splat(0.0);
    for (int i = 0; i < m.n_monomials; ++i) {
      vec weight[tile], sloped[tile];
      for (int t = 0; t < tile; ++t) weight[t] = sloped[t] = splat(0.0);
      for (int k = m.use_begin[i]; k < m.use_begin[i + 1]; ++k) {
        const vec g = adjoint[m.use_basic[k]];
        const int mu = m.use_function[k];
        for (int t = 0; t < tile; ++t) {
          weight[t] += g * value[t * n_functions + mu];
          sloped[t] += g * slope[t * n_functions + mu];
        }
      }
      for (int t = 0; t < tile; ++t) {
        w.monomial_rate[i * tile + t] = weight[t];
        radial[t] += sloped[t] * w.monomial[i * tile + t];
      }
    }
    vec gradient[3][tile];
    for (int a = 0; a < 3; ++a)
      for (int t = 0; t < tile; ++t) gradient[a][t] = splat(0.0);
    for (int i = m.n_monomials - 1; i > 0; --i) {
      const int axis = m.axis[i];
      const vec* weight = w.monomial_rate + i * tile;
      const vec* parent = w.monomial + m.parent[i] * tile;
      vec* parent_weight = w.monomial_rate + m.parent[i] * tile;
      for (int t = 0; t < tile; ++t) {
        gradient[axis][t] += weight[t] * parent[t];
        parent_weight[t] += weight[t] * unit[3 * t + axis];
      }
    }
    for (int t = 0; t < tile && slot + t < b.n_slots; ++t) {
      const vec* u = unit + 3 * t;
      const vec inverse = w.inverse_length[slot + t];
      const vec along = u[0] * gradient[0][t] + u[1] * gradient[1][t] + u[2] * gradient[2][t];
      const vec total = radial[t] - inverse * along;
      for (int a = 0; a < 3; ++a) store(out + ((slot + t) * 3 + a) * lanes, inverse * gradient[a][t] + total * u[a]);
    }
  }
}

// Adds, for n slots of one segment, by_value * phi + by_slope * dphi/dr to the rows of its radial coefficients.
// by_value and by_slope are [slot of the tile][radial function].
template <int N, bool with_slope>
void add_radial_rows(const ModelView& m, const Batch& b, int slot, int n_slots, const vec* by_value, const vec* by_slope,
                     double* rows) {
  const int n = N > 0 ? N : m.n_chebyshev;
  vec t[tile][N > 0 ? N : 128], dt[tile][N > 0 ? N : 128];
  vec envelope[tile], envelope_slope[tile];
  for (int s = 0; s < n_slots; ++s) {
    const long at = static_cast<long>(slot + s) * lanes;
    const vec x = load(b.x + at), y = load(b.y + at), z = load(b.z + at);
    const vec r = square_root(x * x + y * y + z * z);
    chebyshev<N>(m, r, t[s], dt[s]);
    const vec from_cutoff = not_positive(r - m.max_dist);
    envelope_slope[s] = 2.0 * m.scaling * from_cutoff;
    envelope[s] = m.scaling * from_cutoff * from_cutoff;
  }
  for (int mu = 0; mu < m.n_radial_functions; ++mu) {
    vec a[tile], c[tile];
    for (int s = 0; s < n_slots; ++s) {
      a[s] = envelope[s] * by_value[s * m.n_radial_functions + mu];
      if (with_slope) {
        a[s] += envelope_slope[s] * by_slope[s * m.n_radial_functions + mu];
        c[s] = envelope[s] * by_slope[s * m.n_radial_functions + mu];
      }
    }
    double* out = rows + static_cast<long>(mu) * n * lanes;
    for (int k = 0; k < n; ++k) {
      vec sum = load(out + k * lanes);
      for (int s = 0; s < n_slots; ++s) {
        sum += a[s] * t[s][k];
        if (with_slope) sum += c[s] * dt[s][k];
      }
      store(out + k * lanes, sum);
    }
  }
}

template <bool with_slope>
void add_tile_rows(const ModelView& m, const Batch& b, int slot, int n_slots, const vec* by_value, const vec* by_slope,
                   double* rows) {
  if (m.n_chebyshev == 8)
    add_radial_rows<8, with_slope>(m, b, slot, n_slots, by_value, by_slope, rows);
  else
    add_radial_rows<0, with_slope>(m, b, slot, n_slots, by_value, by_slope, rows);
}

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

// The moments' rates of change along `directions`.
void rates(const ModelView& m, const Batch& b, Work& w, const double* directions) {
  const int n_functions = m.n_radial_functions;
  for (int i = 0; i < m.n_moments; ++i) w.rate[i] = splat(0.0);
  for (int slot = 0; slot < b.n_slots; slot += tile) {
    monomials_of_tile(m, w, slot);
    vec along[tile];
    monomial_rates_of_tile(m, b, w, slot, directions, along);
    for (int mu = 0; mu < n_functions; ++mu) {
      vec f[tile], df[tile];
      for (int t = 0; t < tile; ++t) {
        f[t] = w.value[(slot + t) * n_functions + mu];
        df[t] = w.slope[(slot + t) * n_functions + mu] * along[t];
      }
      for (int i = m.basic_begin[mu]; i < m.basic_begin[mu + 1]; ++i) {
        const int k = m.monomial_of[i] * tile;
        vec sum = w.rate[i];
        for (int t = 0; t < tile; ++t) sum += df[t] * w.monomial[k + t] + f[t] * w.monomial_rate[k + t];
        w.rate[i] = sum;
      }
    }
  }
  for (int run = 0; run < m.n_runs; ++run) {
    vec sum = w.rate[m.run_target[run]];
    for (int k = m.run_begin[run]; k < m.run_begin[run + 1]; ++k) {
      const int i = m.first[k], j = m.second[k];
      sum += m.factor[k] * (w.rate[i] * w.moment[j] + w.moment[i] * w.rate[j]);
    }
    w.rate[m.run_target[run]] = sum;
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
