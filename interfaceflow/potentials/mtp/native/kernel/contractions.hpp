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

// adjoint[i] = d(energy)/d(moment[i]), from those of the targets to those of the sources.
void contract_reverse(const ModelView& m, const vec* moment, vec* adjoint) {
  for (int i = m.n_moments - 1; i >= 0; --i)
    adjoint[i] = numbers(m).of_moment[i] + sum_of_terms(m.uses, numbers(m).uses, i, adjoint, moment);
}

}  // namespace
}  // namespace MTP_KERNEL
}  // namespace mtp
