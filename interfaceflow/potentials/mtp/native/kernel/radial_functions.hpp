// Part of the kernel (kernel_body.hpp): radial functions of a batch, and sums over their coefficients.
namespace mtp {
namespace MTP_KERNEL {
namespace {

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

}  // namespace
}  // namespace MTP_KERNEL
}  // namespace mtp
