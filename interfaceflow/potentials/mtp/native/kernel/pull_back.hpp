// Part of the kernel (kernel_body.hpp): how a functional of energies and forces changes with the coefficients.
//
// Forces enter as the energy's rate of change along given directions. Moments and their rates are computed forwards, and
// one reverse pass through both gives the derivatives, at a few times the cost of the forces.
namespace mtp {
namespace MTP_KERNEL {
namespace {

// The moments' rates of change, from those of the basic ones.
void contract_rates(const ModelView& m, const vec* moment, vec* rate) {
  for (int i = m.products.from; i < m.n_moments; ++i) {
    const int at = i - m.products.from;
    rate[i] = sum_of_terms(m.products, numbers(m).products, at, rate, moment) +
              sum_of_terms(m.products, numbers(m).products, at, moment, rate);
  }
}

// For the functional  weight * energy + rate of the energy:  adjoints of the moments and of their rates.
void contract_reverse_rates(const ModelView& m, Work& w, vec weight) {
  for (int i = m.n_moments - 1; i >= 0; --i) {
    const real own = numbers(m).of_moment[i];
    w.rate_adjoint[i] = own + sum_of_terms(m.uses, numbers(m).uses, i, w.rate_adjoint, w.moment);
    w.adjoint[i] = own * weight + sum_of_terms(m.uses, numbers(m).uses, i, w.adjoint, w.moment) +
                   sum_of_terms(m.uses, numbers(m).uses, i, w.rate_adjoint, w.rate);
  }
}

// Distances' and unit vectors' rates of change along `directions`.
void turn_of(const Batch& b, Work& w, const double* directions) {
  for (int slot = 0; slot < padded(b.n_slots); ++slot) {
    if (slot >= b.n_slots) {
      w.along[slot] = vec{};
      clear(w.turn + 3 * slot, 3);
      continue;
    }
    const double* d = directions + 3L * slot * lanes;
    const vec v[3] = {load(d), load(d + lanes), load(d + 2 * lanes)};
    const vec along = w.x[slot] * v[0] + w.y[slot] * v[1] + w.z[slot] * v[2];
    w.along[slot] = along;
    w.turn[3 * slot] = (v[0] - along * w.x[slot]) * w.inverse_length[slot];
    w.turn[3 * slot + 1] = (v[1] - along * w.y[slot]) * w.inverse_length[slot];
    w.turn[3 * slot + 2] = (v[2] - along * w.z[slot]) * w.inverse_length[slot];
  }
}

// by_value and by_slope of a functional that depends on moments and on their rates.
template <class Shape>
void neighbour_sensitivities(const Shape& shape, const ModelView& m, const Batch& b, Work& w) {
  const int n_functions = shape.n_functions;
  for (int slot = 0; slot < b.n_slots; slot += back_tile) {
    const vec *x = w.x + slot, *y = w.y + slot, *z = w.z + slot, *turn = w.turn + 3 * slot;
#pragma GCC unroll 8
    for (int mu = 0; mu < n_functions; ++mu) {
      const Values p = polynomial<false>(shape.degree(mu), w.adjoint + m.basic_begin[mu], x, y, z);
      const Values q = polynomial<true>(shape.degree(mu), w.rate_adjoint + m.basic_begin[mu], x, y, z);
      for (int t = 0; t < back_tile; ++t) {
        const int at = (slot + t) * n_functions + mu;
        w.by_value[at] = p.value[t] + q.x[t] * turn[3 * t] + q.y[t] * turn[3 * t + 1] + q.z[t] * turn[3 * t + 2];
        w.by_slope[at] = w.along[slot + t] * q.value[t];
      }
    }
  }
}

void pull_back(const ModelView& m, const Batch& b, Scratch scratch, const double* energy_weights,
               const double* directions, double* rows) {
  Work w = divide(m, b.n_slots, scratch);
  const vec weight = load(energy_weights);
  with_shape(m, [&](const auto& shape) {
    radial_stage(shape, m, b, w);
    turn_of(b, w, directions);
    basic_moments<true>(shape, m, b, w);
    contract(m, w.moment);
    contract_rates(m, w.moment, w.rate);
    contract_reverse_rates(m, w, weight);
    neighbour_sensitivities(shape, m, b, w);
  });
  add_radial_rows<true>(m, b, w, rows);
  double* linear = linear_rows(m, rows);
  store(linear, load(linear) + weight);
  for (int k = 0; k < m.n_scalars; ++k) {
    double* row = linear + (1 + k) * lanes;
    store(row, load(row) + weight * w.moment[m.scalar[k]] + w.rate[m.scalar[k]]);
  }
}

}  // namespace
}  // namespace MTP_KERNEL
}  // namespace mtp
