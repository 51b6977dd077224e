"""Units used in the package (eV, Å, fs, ps, K, e) and the factors that leave them.

Values from CODATA 2018, doi:10.1103/RevModPhys.93.025010.
"""

BOLTZMANN_EV_PER_K = 8.617333262e-5
EV_PER_A2_TO_J_PER_M2 = 16.02176634
EV_PER_A3_TO_GPA = 160.2176634
A2_PER_PS_TO_CM2_PER_S = 1.0e-4
