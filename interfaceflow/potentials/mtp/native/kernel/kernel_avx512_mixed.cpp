#define MTP_KERNEL avx512_mixed
#define MTP_KERNEL_NAME "avx512"
#define MTP_REAL float
#define MTP_LANES 16
#define MTP_TILE 4
#define MTP_BACK_TILE 2
#define MTP_ENERGIES_ONLY
#include "kernel_body.hpp"
