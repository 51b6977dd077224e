"""ASE calculators that fail in their own ways; the engine "ase" imports them by this module's name."""

import numpy as np
from ase.calculators.calculator import Calculator
from ase.calculators.lj import LennardJones


class NotANumber(LennardJones):
    def calculate(self, *arguments, **options):
        super().calculate(*arguments, **options)
        self.results["forces"] = self.results["forces"] * np.nan


class ConvergesNowAndThen(LennardJones):
    n_calculations = 0

    def calculate(self, *arguments, **options):
        super().calculate(*arguments, **options)
        self.n_calculations += 1
        self.results["converged"] = self.n_calculations % 2 == 0


class FailsOneInThree(LennardJones):
    """Argon and krypton alike, as in the tests of the training set."""

    n_calculations = 0

    def __init__(self):
        super().__init__(sigma=3.4, epsilon=0.104, rc=6.0, ro=4.2, smooth=True)

    def calculate(self, *arguments, **options):
        super().calculate(*arguments, **options)
        self.n_calculations += 1
        self.results["converged"] = self.n_calculations % 3 != 0


class WithoutStress(Calculator):
    implemented_properties = ["energy", "forces"]  # noqa: RUF012 - as ASE has it


class NoCalculator:
    pass


A_NUMBER = 3


def make_pairs(epsilon):
    return LennardJones(sigma=3.4, epsilon=epsilon, rc=6.0)


def make_nothing():
    return NoCalculator()
