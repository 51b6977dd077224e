// Part of the kernel (kernel_body.hpp): radial functions of a batch, and sums over their coefficients.
namespace mtp {
namespace MTP_KERNEL {
namespace {

// The variable of the Chebyshev polynomials runs from -1 at min_dist to 1 at max_dist.
struct Interval {
  real width, middle, cutoff, scaling;
  explicit Interval(const ModelView& m)
      : width(static_cast<real>(2.0 / (m.max_dist - m.min_dist))),
        middle(static_cast<real>(0.5 * (m.min_dist + m.max_dist))),
        cutoff(static_cast<real>(m.max_dist)),
        scaling(static_cast<real>(m.scaling)) {}
  vec variable(vec r) const { return (r - middle) * width; }
};

// The factor that takes a radial function to zero at the cutoff, and its derivative.
struct Envelope {
  vec value, slope;
  Envelope(const Interval& interval, vec r) {
    const vec from_cutoff = not_positive(r - interval.cutoff);
    value = interval.scaling * from_cutoff * from_cutoff;
    slope = 2 * interval.scaling * from_cutoff;
  }
};

// Sum of c[k] xi^k and its derivative with respect to xi.
template <int N>
MTP_INLINE void power_series(const real* c, vec xi, vec& sum, vec& slope) {
  sum = splat(c[N - 1]);
  slope = vec{};
#pragma GCC unroll 16
  for (int k = N - 2; k >= 0; --k) {
    slope = slope * xi + sum;
    sum = sum * xi + c[k];
  }
}

// Chebyshev polynomials and, unless dt is null, their derivatives with respect to xi.
template <int N>
MTP_INLINE void chebyshev(int n_chebyshev, vec xi, vec* t, vec* dt) {
  const int n = N > 0 ? N : n_chebyshev;
  const vec two_xi = xi + xi;
  t[0] = splat(1);
  t[1] = xi;
  if (dt) {
    dt[0] = vec{};
    dt[1] = splat(1);
  }
#pragma GCC unroll 16
  for (int k = 2; k < n; ++k) {
    t[k] = two_xi * t[k - 1] - t[k - 2];
    if (dt) dt[k] = two_xi * dt[k - 1] + 2 * t[k - 1] - dt[k - 2];
  }
}

// N: number of Chebyshev polynomials, 0 for any. F: number of radial functions, 0 for any.
template <int N, int F, bool by_powers>
void radial_functions_of(const ModelView& m, const Batch& b, Work& w) {
  const int n = N > 0 ? N : m.n_chebyshev;
  const int n_functions = F > 0 ? F : m.n_radial_functions;
  const Interval interval(m);
  const real* coefficients = by_powers ? numbers(m).powers : numbers(m).radial;
  vec t[N > 0 ? N : max_chebyshev], dt[N > 0 ? N : max_chebyshev];
  for (int segment = 0; segment < b.n_segments; ++segment) {
    const real* pair =
        coefficients + static_cast<long>(b.central * m.n_species + b.segment_species[segment]) * n_functions * n;
    for (int slot = b.segment_begin[segment]; slot < b.segment_begin[segment + 1]; ++slot) {
      const vec x = load(b.x + slot * lanes), y = load(b.y + slot * lanes), z = load(b.z + slot * lanes);
      const vec r = square_root(x * x + y * y + z * z);
      const vec inverse = 1 / r;
      w.length[slot] = r;
      w.inverse_length[slot] = inverse;
      w.x[slot] = x * inverse;
      w.y[slot] = y * inverse;
      w.z[slot] = z * inverse;
      const vec xi = interval.variable(r);
      const Envelope envelope(interval, r);
      if (!by_powers) chebyshev<N>(n, xi, t, dt);
#pragma GCC unroll 8
      for (int mu = 0; mu < n_functions; ++mu) {
        const real* c = pair + mu * n;
        vec sum, slope;
        if constexpr (by_powers) {
          power_series<N>(c, xi, sum, slope);
        } else {
          sum = splat(c[0]);
          slope = vec{};
          for (int k = 1; k < n; ++k) {
            sum += c[k] * t[k];
            slope += c[k] * dt[k];
          }
        }
        w.value[slot * n_functions + mu] = envelope.value * sum;
        w.slope[slot * n_functions + mu] = envelope.slope * sum + envelope.value * (interval.width * slope);
      }
    }
  }
}

template <int F>
void radial_functions(const ModelView& m, const Batch& b, Work& w) {
  const bool by_powers = numbers(m).powers != nullptr;
  if (by_powers && m.n_chebyshev == 8)
    radial_functions_of<8, F, true>(m, b, w);
  else if (by_powers && m.n_chebyshev == 10)
    radial_functions_of<10, F, true>(m, b, w);
  else if (m.n_chebyshev == 8)
    radial_functions_of<8, F, false>(m, b, w);
  else
    radial_functions_of<0, F, false>(m, b, w);
  const int n_functions = m.n_radial_functions;
  for (int slot = b.n_slots; slot < padded(b.n_slots); ++slot) {
    w.x[slot] = splat(1);
    w.y[slot] = w.z[slot] = w.inverse_length[slot] = vec{};
    clear(w.value + slot * n_functions, n_functions);
    clear(w.slope + slot * n_functions, n_functions);
  }
}

template <class Shape>
void radial_stage(const Shape&, const ModelView& m, const Batch& b, Work& w) {
  radial_functions<Shape::n_functions>(m, b, w);
}
void radial_stage(const AnyShape&, const ModelView& m, const Batch& b, Work& w) { radial_functions<0>(m, b, w); }

// Behind the rows of the radial coefficients: the species' and the scalars'.
double* linear_rows(const ModelView& m, double* rows) {
  return rows + static_cast<long>(m.n_species) * m.n_radial_functions * m.n_chebyshev * lanes;
}

// Adds to the rows of the radial coefficients, for each slot and radial function, by_value times the derivative of f and,
// with_slope, by_slope times that of df/dr. Sums of one radial function stay in registers.
template <int N, bool with_slope>
void add_radial_rows_of(const ModelView& m, const Batch& b, Work& w, double* rows) {
  const int n = N > 0 ? N : m.n_chebyshev;
  const int n_functions = m.n_radial_functions;
  const Interval interval(m);
  for (int segment = 0; segment < b.n_segments; ++segment) {
    const int begin = b.segment_begin[segment], end = b.segment_begin[segment + 1];
    for (int slot = begin; slot < end; ++slot)
      chebyshev<N>(n, interval.variable(w.length[slot]), w.chebyshev + static_cast<long>(slot) * n,
                   with_slope ? w.chebyshev_slope + static_cast<long>(slot) * n : nullptr);
    double* out = rows + static_cast<long>(b.segment_species[segment]) * n_functions * n * lanes;
    for (int mu = 0; mu < n_functions; ++mu, out += n * lanes) {
      vec sum[N > 0 ? N : max_chebyshev];
      clear(sum, n);
      for (int slot = begin; slot < end; ++slot) {
        const Envelope envelope(interval, w.length[slot]);
        const int at = slot * n_functions + mu;
        const vec* t = w.chebyshev + static_cast<long>(slot) * n;
        vec by_t = envelope.value * w.by_value[at];
        if (with_slope) by_t += envelope.slope * w.by_slope[at];
#pragma GCC unroll 16
        for (int k = 0; k < n; ++k) sum[k] += by_t * t[k];
        if (!with_slope) continue;
        const vec* dt = w.chebyshev_slope + static_cast<long>(slot) * n;
        const vec by_dt = envelope.value * w.by_slope[at] * interval.width;
#pragma GCC unroll 16
        for (int k = 1; k < n; ++k) sum[k] += by_dt * dt[k];
      }
      for (int k = 0; k < n; ++k)
        store_wide(out + k * lanes, load_wide(out + k * lanes) + __builtin_convertvector(sum[k], wide));
    }
  }
}

template <bool with_slope>
void add_radial_rows(const ModelView& m, const Batch& b, Work& w, double* rows) {
  if (m.n_chebyshev == 8)
    add_radial_rows_of<8, with_slope>(m, b, w, rows);
  else if (m.n_chebyshev == 10)
    add_radial_rows_of<10, with_slope>(m, b, w, rows);
  else
    add_radial_rows_of<0, with_slope>(m, b, w, rows);
}

}  // namespace
}  // namespace MTP_KERNEL
}  // namespace mtp
