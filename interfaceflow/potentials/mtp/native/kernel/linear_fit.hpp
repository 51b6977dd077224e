// Part of the kernel (kernel_body.hpp): the least-squares problem of the coefficients that the energy is linear in.
namespace mtp {
namespace MTP_KERNEL {
namespace {

typedef long long lane_index __attribute__((vector_size(lanes * sizeof(double))));

// Element l of row i becomes element i of row l.
MTP_INLINE void transpose(wide (&block)[lanes]) {
#pragma GCC unroll 8
  for (int step = lanes / 2; step > 0; step /= 2) {
    lane_index low, high;
    for (int l = 0; l < lanes; ++l) {
      low[l] = l & step ? lanes + l - step : l;
      high[l] = l & step ? lanes + l : l + step;
    }
#pragma GCC unroll 16
    for (int i = 0; i < lanes; ++i) {
      if (i & step) continue;
      const wide a = block[i], b = block[i + step];
      block[i] = __builtin_shuffle(a, b, low);
      block[i + step] = __builtin_shuffle(a, b, high);
    }
  }
}

// Derivatives of each scalar with respect to the basic moments it is made of, into w.support_adjoint.
void support_adjoints(const ModelView& m, Work& w) {
  for (int k = 0; k < m.n_scalars; ++k) {
    for (int e = m.made_of_begin[k]; e < m.made_of_begin[k + 1]; ++e) w.adjoint[m.made_of[e]] = vec{};
    w.adjoint[m.scalar[k]] = splat(1);
    for (int e = m.made_of_begin[k]; e < m.support_begin[k]; ++e) {
      const int at = m.made_of[e] - m.products.from;
      const vec target = w.adjoint[m.made_of[e]];
      for (int p = m.products.begin[at]; p < m.products.begin[at + 1]; ++p) {
        const Term<real>& term = numbers(m).products[p];
        const vec scaled = term.factor * target;
        w.adjoint[term.first] += scaled * w.moment[term.second];
        w.adjoint[term.second] += scaled * w.moment[term.first];
      }
    }
    for (int e = m.support_begin[k]; e < m.made_of_begin[k + 1]; ++e) w.support_adjoint[e] = w.adjoint[m.made_of[e]];
  }
}

// Derivatives of all basic moments with respect to one neighbour's position, into w.jacobian.
template <class Shape>
void jacobian_of_slot(const Shape& shape, const ModelView& m, Work& w, int slot) {
  const int n_functions = shape.n_functions;
  const vec x = w.x[slot], y = w.y[slot], z = w.z[slot], inverse = w.inverse_length[slot];
  const vec *f = w.value + slot * n_functions, *df = w.slope + slot * n_functions;
  int at[max_functions];
  for (int mu = 0; mu < n_functions; ++mu) at[mu] = m.basic_begin[mu];
  const int top = shape.degree(0);
  // Powers of x, y, z and their derivatives; a monomial's own is the product rule.
  vec px = splat(1), dpx = vec{};
  for (int a = 0; a <= top; ++a) {
    vec py = splat(1), dpy = vec{};
    for (int e = 0; e <= top - a; ++e) {
      vec pz = splat(1), dpz = vec{};
      for (int c = 0; c <= top - a - e; ++c) {
        const vec monomial = px * py * pz;
        const vec gx = dpx * py * pz, gy = px * dpy * pz, gz = px * py * dpz;
        const vec along = static_cast<real>(a + e + c) * monomial;  // u . gradient, by Euler's theorem
        for (int mu = 0; mu < n_functions; ++mu) {
          if (shape.degree(mu) < a + e + c) break;
          const vec g = f[mu] * inverse;
          const vec total = df[mu] * monomial - g * along;
          vec* out = w.jacobian + 3 * at[mu]++;
          out[0] = g * gx + total * x;
          out[1] = g * gy + total * y;
          out[2] = g * gz + total * z;
        }
        dpz = static_cast<real>(c + 1) * pz;
        pz *= z;
      }
      dpy = static_cast<real>(e + 1) * py;
      py *= y;
    }
    dpx = static_cast<real>(a + 1) * px;
    px *= x;
  }
}

// Derivative of one scalar with respect to the neighbour whose w.jacobian is there.
MTP_INLINE void scalar_derivative(const ModelView& m, const Work& w, int scalar, wide* d) {
  vec sum[3] = {vec{}, vec{}, vec{}};
  for (int e = m.support_begin[scalar]; e < m.made_of_begin[scalar + 1]; ++e) {
    const vec* of_basic = w.jacobian + 3 * m.made_of[e];
    for (int a = 0; a < 3; ++a) sum[a] += w.support_adjoint[e] * of_basic[a];
  }
  for (int a = 0; a < 3; ++a) d[a] = __builtin_convertvector(sum[a], wide);
}

// Subtracts the first `n` rows of a transposed block from places of the rows of each lane's neighbour.
MTP_INLINE void subtract_block(wide (&block)[lanes], int n, const int* neighbour, int axis, double* matrix, long stride) {
  transpose(block);
  for (int lane = 0; lane < lanes; ++lane) {
    double* row = matrix + (3L * neighbour[lane] + axis) * stride;
    if (n == lanes)
      store_wide(row, load_wide(row) - block[lane]);
    else
      for (int k = 0; k < n; ++k) row[k] -= block[lane][k];
  }
}

void basis(const ModelView& m, const Batch& b, Scratch scratch, const int* neighbour, double* values, double* sums,
           double* matrix, long stride) {
  Work w = divide(m, b.n_slots, scratch);
  for (long at = 0; at < 9L * m.n_scalars * lanes; ++at) sums[at] = 0.0;
  with_shape(m, [&](const auto& shape) {
    radial_stage(shape, m, b, w);
    basic_moments<false>(shape, m, b, w);
    contract(m, w.moment);
    support_adjoints(m, w);
    for (int slot = 0; slot < b.n_slots; ++slot) {
      jacobian_of_slot(shape, m, w, slot);
      const long at = static_cast<long>(slot) * lanes;
      const wide x = load_wide(b.x + at), y = load_wide(b.y + at), z = load_wide(b.z + at);
      for (int first = 0; first < m.n_scalars; first += lanes) {
        const int n = m.n_scalars - first < lanes ? m.n_scalars - first : lanes;
        wide block[3][lanes];
        for (int k = 0; k < lanes; ++k) {
          if (k >= n) {
            for (int a = 0; a < 3; ++a) block[a][k] = wide{};
            continue;
          }
          wide d[3];
          scalar_derivative(m, w, first + k, d);
          const wide terms[9] = {d[0], d[1], d[2], d[0] * x, d[1] * y, d[2] * z, d[1] * z, d[0] * z, d[0] * y};
          double* sum = sums + 9L * (first + k) * lanes;
          for (int c = 0; c < 9; ++c) store_wide(sum + c * lanes, load_wide(sum + c * lanes) + terms[c]);
          for (int a = 0; a < 3; ++a) block[a][k] = d[a];
        }
        for (int a = 0; a < 3; ++a) subtract_block(block[a], n, neighbour + at, a, matrix + first, stride);
      }
    }
  });
  for (int k = 0; k < m.n_scalars; ++k) store(values + k * lanes, w.moment[m.scalar[k]]);
}

void normal_equations(int n, long n_rows, long stride, const double* rows, const double* weights,
                      const double* references, double* matrix, double* vector) {
  constexpr int high = 4, broad = 2;  // columns of X times vectors of columns of X, summed in registers
  for (int i = 0; i < n; i += high)
    for (int j = 0; j < i + high && j < n; j += broad * lanes) {
      wide sum[high][broad];
      for (int p = 0; p < high; ++p)
        for (int q = 0; q < broad; ++q) sum[p][q] = wide{};
      for (long r = 0; r < n_rows; ++r) {
        if (weights[r] == 0.0) continue;
        const double* row = rows + r * stride;
        wide right[broad];
        for (int q = 0; q < broad; ++q) right[q] = load_wide(row + j + q * lanes);
        for (int p = 0; p < high; ++p) {
          const double left = weights[r] * row[i + p];
          for (int q = 0; q < broad; ++q) sum[p][q] += left * right[q];
        }
      }
      for (int p = 0; p < high && i + p < n; ++p)
        for (int q = 0; q < broad; ++q)
          for (int l = 0; l < lanes; ++l)
            if (j + q * lanes + l < n) matrix[static_cast<long>(i + p) * n + j + q * lanes + l] += sum[p][q][l];
    }
  for (long r = 0; r < n_rows; ++r) {
    if (weights[r] == 0.0) continue;  // the reference may be missing
    for (int i = 0; i < n; ++i) vector[i] += weights[r] * references[r] * rows[r * stride + i];
  }
}

}  // namespace
}  // namespace MTP_KERNEL
}  // namespace mtp
