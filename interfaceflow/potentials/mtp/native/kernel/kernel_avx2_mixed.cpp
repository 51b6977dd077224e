#define MTP_KERNEL avx2_mixed
#define MTP_KERNEL_NAME "avx2"
#define MTP_REAL float
#define MTP_LANES 8
#define MTP_TILE 2
#define MTP_BACK_TILE 2
#define MTP_ENERGIES_ONLY
#include "kernel_body.hpp"
