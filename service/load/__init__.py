"""A load generator for HTTP servers, and first of all for ours.

>>> from service.load import Target, run_closed
>>> target = Target("http://127.0.0.1:8000/v1/models/cifar10/classify")
>>> report = run_closed(target, [picture], concurrency=8, duration_s=10)  # doctest: +SKIP
"""

from service.load.answer import Answer
from service.load.failure import Failure, Unanswered
from service.load.job import Job
from service.load.probe import probe
from service.load.report import Report
from service.load.run import Progress, Watch, run, run_closed, run_open
from service.load.target import InvalidTarget, Target

__all__ = [
    "Answer",
    "Failure",
    "InvalidTarget",
    "Job",
    "Progress",
    "Report",
    "Target",
    "Unanswered",
    "Watch",
    "probe",
    "run",
    "run_closed",
    "run_open",
]
