// Part of the kernel (kernel_body.hpp): between atoms and the slots and lanes of a batch.
namespace mtp {
namespace MTP_KERNEL {
namespace {

typedef double row __attribute__((vector_size(32)));

int pack(int n_candidates, const int* candidates, const double* positions, const double* centre, double cutoff_squared,
         double* x, double* y, double* z, int* neighbour) {
  row own;
  __builtin_memcpy(&own, centre, sizeof own);
  // Each candidate is written, and the next one over it unless it is near: whether one is cannot be predicted.
  long at = 0;
  for (int k = 0; k < n_candidates; ++k) {
    const int atom = candidates[k];
    row d;
    __builtin_memcpy(&d, positions + 4L * atom, sizeof d);
    d -= own;
    const row squares = d * d;
    x[at] = d[0];
    y[at] = d[1];
    z[at] = d[2];
    neighbour[at] = atom;
    at += squares[0] + squares[1] + squares[2] < cutoff_squared ? lanes : 0;
  }
  return static_cast<int>(at / lanes);
}

void scatter(int n_slots, const int* neighbour, const double* derivatives, double* forces) {
  for (long slot = 0; slot < n_slots; ++slot)
    for (long lane = 0; lane < lanes; ++lane) {
      double* force = forces + 3L * neighbour[slot * lanes + lane];
      const double* d = derivatives + 3 * slot * lanes + lane;
      force[0] -= d[0];
      force[1] -= d[lanes];
      force[2] -= d[2 * lanes];
    }
}

}  // namespace
}  // namespace MTP_KERNEL
}  // namespace mtp
