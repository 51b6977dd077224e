"""Jobs that run reference calculations: in this process, or as one atomate2 job a calculation."""

from interfaceflow.jobs.reference.relaxation import relax

__all__ = ["relax"]
