// Part of the kernel (kernel_body.hpp): higher moments from the basic ones, forwards and backwards.
namespace mtp {
namespace MTP_KERNEL {
namespace {

// sum over the terms of moment i of factor * a[first] * b[second], two at a time to hide the latency of the sums.
MTP_INLINE vec sum_of_terms(const Terms& terms, const Term<real>* numbers, int i, const vec* a, const vec* b) {
  const Term<real>* term = numbers + terms.begin[i];
  const Term<real>* end = numbers + terms.begin[i + 1];
  vec even = vec{}, odd = vec{};
  for (; term + 1 < end; term += 2) {
    even += (term[0].factor * a[term[0].first]) * b[term[0].second];
    odd += (term[1].factor * a[term[1].first]) * b[term[1].second];
  }
  if (term < end) even += (term->factor * a[term->first]) * b[term->second];
  return even + odd;
}

void contract(const ModelView& m, vec* moment) {
  for (int i = m.products.from; i < m.n_moments; ++i)
    moment[i] = sum_of_terms(m.products, numbers(m).products, i - m.products.from, moment, moment);
}

// The same for the moments' rates of change.
void contract_rates(const ModelView& m, const vec* moment, vec* rate) {
  for (int i = m.products.from; i < m.n_moments; ++i) {
    const int at = i - m.products.from;
    rate[i] = sum_of_terms(m.products, numbers(m).products, at, rate, moment) +
              sum_of_terms(m.products, numbers(m).products, at, moment, rate);
  }
}

// adjoint[i] = d(energy)/d(moment[i]), from those of the targets to those of the sources.
void contract_reverse(const ModelView& m, const vec* moment, vec* adjoint) {
  for (int i = m.n_moments - 1; i >= 0; --i)
    adjoint[i] = numbers(m).of_moment[i] + sum_of_terms(m.uses, numbers(m).uses, i, adjoint, moment);
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

}  // namespace
}  // namespace MTP_KERNEL
}  // namespace mtp
