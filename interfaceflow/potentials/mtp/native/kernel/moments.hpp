// Part of the kernel (kernel_body.hpp): basic moments of a batch, and sums over monomials for each neighbour.
//
// Powers of the unit vector's components are products that run along the three loops of a shape, so no monomial is
// stored. On the way back the moments' adjoints are the coefficients of one polynomial in the unit vector for each radial
// function, and Horner's rule gives its value and gradient.
namespace mtp {
namespace MTP_KERNEL {
namespace {

// moment[i] = sum over neighbours of f(r) u_x^a u_y^b u_z^c; with_rates: rate[i], its change when the unit vectors turn
// by `turn` and the distances change by `along`.
template <bool with_rates, class Shape>
void basic_moments(const Shape& shape, const ModelView& m, const Batch& b, Work& w) {
  const int n_functions = shape.n_functions;
  const int n_basic = m.basic_begin[n_functions];
  clear(w.moment, n_basic);
  if (with_rates) clear(w.rate, n_basic);
  for (int slot = 0; slot < b.n_slots; slot += tile) {
    const vec *x = w.x + slot, *y = w.y + slot, *z = w.z + slot, *turn = w.turn + 3 * slot;
    const vec *f = w.value + slot * n_functions, *df = w.slope + slot * n_functions;
    vec px[tile], py[tile], pz[tile], dpx[tile], dpy[tile], dpz[tile];
    int at[max_functions];
    for (int mu = 0; mu < n_functions; ++mu) at[mu] = m.basic_begin[mu];
    for (int t = 0; t < tile; ++t) {
      px[t] = splat(1);
      dpx[t] = vec{};
    }
    const int top = shape.degree(0);
#pragma GCC unroll 16
    for (int a = 0; a <= top; ++a) {
      for (int t = 0; t < tile; ++t) {
        py[t] = px[t];
        dpy[t] = dpx[t];
      }
#pragma GCC unroll 16
      for (int e = 0; e <= top - a; ++e) {
        for (int t = 0; t < tile; ++t) {
          pz[t] = py[t];
          dpz[t] = dpy[t];
        }
#pragma GCC unroll 16
        for (int c = 0; c <= top - a - e; ++c) {
#pragma GCC unroll 8
          for (int mu = 0; mu < n_functions; ++mu) {
            if (shape.degree(mu) < a + e + c) break;
            vec sum = w.moment[at[mu]];
            for (int t = 0; t < tile; ++t) sum += f[t * n_functions + mu] * pz[t];
            w.moment[at[mu]] = sum;
            if (with_rates) {
              vec rate = w.rate[at[mu]];
              for (int t = 0; t < tile; ++t)
                rate += f[t * n_functions + mu] * dpz[t] + (df[t * n_functions + mu] * w.along[slot + t]) * pz[t];
              w.rate[at[mu]] = rate;
            }
            ++at[mu];
          }
          for (int t = 0; t < tile; ++t) {
            if (with_rates) dpz[t] = dpz[t] * z[t] + pz[t] * turn[3 * t + 2];
            pz[t] *= z[t];
          }
        }
        for (int t = 0; t < tile; ++t) {
          if (with_rates) dpy[t] = dpy[t] * y[t] + py[t] * turn[3 * t + 1];
          py[t] *= y[t];
        }
      }
      for (int t = 0; t < tile; ++t) {
        if (with_rates) dpx[t] = dpx[t] * x[t] + px[t] * turn[3 * t];
        px[t] *= x[t];
      }
    }
  }
}

// A polynomial's value at some unit vectors, and its derivatives.
struct Values {
  vec value[back_tile], x[back_tile], y[back_tile], z[back_tile];
};

// Sum over all monomials up to a degree of coefficient times monomial.
template <bool with_gradient>
MTP_INLINE Values polynomial(int degree, const vec* coefficient, const vec* x, const vec* y, const vec* z) {
  Values out;
  const vec* g = coefficient + n_monomials(degree);
#pragma GCC unroll 16
  for (int a = 0; a <= degree; ++a) {  // from x^degree down: a is what is left for y and z
    vec d[back_tile], dy[back_tile], dz[back_tile];
#pragma GCC unroll 16
    for (int e = 0; e <= a; ++e) {  // from y^a down
      vec c[back_tile], dc[back_tile];
      --g;
      for (int t = 0; t < back_tile; ++t) {
        c[t] = *g;
        dc[t] = vec{};
      }
#pragma GCC unroll 16
      for (int k = 0; k < e; ++k) {
        --g;
        for (int t = 0; t < back_tile; ++t) {
          if (with_gradient) dc[t] = k == 0 ? c[t] : dc[t] * z[t] + c[t];
          c[t] = c[t] * z[t] + *g;
        }
      }
      for (int t = 0; t < back_tile; ++t) {
        if (with_gradient) {
          dy[t] = e == 0 ? vec{} : e == 1 ? d[t] : dy[t] * y[t] + d[t];
          dz[t] = e == 0 ? dc[t] : dz[t] * y[t] + dc[t];
        }
        d[t] = e == 0 ? c[t] : d[t] * y[t] + c[t];
      }
    }
    for (int t = 0; t < back_tile; ++t) {
      if (with_gradient) {
        out.x[t] = a == 0 ? vec{} : a == 1 ? out.value[t] : out.x[t] * x[t] + out.value[t];
        out.y[t] = a == 0 ? dy[t] : out.y[t] * x[t] + dy[t];
        out.z[t] = a == 0 ? dz[t] : out.z[t] * x[t] + dz[t];
      }
      out.value[t] = a == 0 ? d[t] : out.value[t] * x[t] + d[t];
    }
  }
  return out;
}

// Derivatives of the energy with respect to the radial functions (by_value of w) and, with_derivatives, to the
// neighbours' positions, with the sums that Kernel::energy describes.
template <bool with_derivatives, class Shape>
void neighbour_derivatives(const Shape& shape, const ModelView& m, const Batch& b, Work& w, double* derivatives,
                           double* sums) {
  const int n_functions = shape.n_functions;
  wide sum[9];
  for (wide& component : sum) component = wide{};
  for (int slot = 0; slot < b.n_slots; slot += back_tile) {
    const vec *x = w.x + slot, *y = w.y + slot, *z = w.z + slot;
    vec radial[back_tile], gx[back_tile], gy[back_tile], gz[back_tile];
    for (int t = 0; t < back_tile; ++t) radial[t] = gx[t] = gy[t] = gz[t] = vec{};
#pragma GCC unroll 8
    for (int mu = 0; mu < n_functions; ++mu) {
      const Values p = polynomial<with_derivatives>(shape.degree(mu), w.adjoint + m.basic_begin[mu], x, y, z);
      for (int t = 0; t < back_tile; ++t) {
        const int at = (slot + t) * n_functions + mu;
        w.by_value[at] = p.value[t];
        if (!with_derivatives) continue;
        const vec f = w.value[at], df = w.slope[at];
        radial[t] += df * p.value[t];
        gx[t] += f * p.x[t];
        gy[t] += f * p.y[t];
        gz[t] += f * p.z[t];
      }
    }
    if (!with_derivatives) continue;
    for (int t = 0; t < back_tile && slot + t < b.n_slots; ++t) {
      const vec inverse = w.inverse_length[slot + t];
      const vec total = radial[t] - inverse * (x[t] * gx[t] + y[t] * gy[t] + z[t] * gz[t]);
      const wide d[3] = {__builtin_convertvector(inverse * gx[t] + total * x[t], wide),
                         __builtin_convertvector(inverse * gy[t] + total * y[t], wide),
                         __builtin_convertvector(inverse * gz[t] + total * z[t], wide)};
      const long at = static_cast<long>(slot + t) * lanes;
      const wide r[3] = {load_wide(b.x + at), load_wide(b.y + at), load_wide(b.z + at)};
      for (int a = 0; a < 3; ++a) {
        store_wide(derivatives + 3 * at + a * lanes, d[a]);
        sum[a] += d[a];
        sum[3 + a] += d[a] * r[a];
      }
      sum[6] += d[1] * r[2];
      sum[7] += d[0] * r[2];
      sum[8] += d[0] * r[1];
    }
  }
  if (!with_derivatives) return;
  for (int k = 0; k < 9; ++k) store_wide(sums + k * lanes, sum[k]);
}

}  // namespace
}  // namespace MTP_KERNEL
}  // namespace mtp
