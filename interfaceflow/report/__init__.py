"""Figures, result tables and the HTML page, from the stored results alone."""

from interfaceflow.report.page import build_report
from interfaceflow.report.summary import SummaryTable, summary_tables

__all__ = ["SummaryTable", "build_report", "summary_tables"]
