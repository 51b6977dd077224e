// Part of the kernel (kernel_body.hpp): moments of a batch and their contractions, forwards and backwards.
namespace mtp {
namespace MTP_KERNEL {
namespace {

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

}  // namespace
}  // namespace MTP_KERNEL
}  // namespace mtp
