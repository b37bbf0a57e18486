"""Whether the submissions of jobs and what was posted for them agree with a provider's own book."""

import collections
import dataclasses

from support import book_lines

# What the ledger says of work at a provider that is over; with the figure of the book, or none.
OVER = ("settled", "refused", "failed", "cancelled", "orphan", "released")
ALL_TIME = "from=2000-01-01T00:00:00Z&to=3000-01-01T00:00:00Z"


@dataclasses.dataclass
class Balance:
    states: collections.Counter  # of the submissions
    total: int  # of the book, in micro-dollars
    wrong: list  # (bill, submission) that do not fit together
    unseen: list  # tokens of the book that no job has
    drift: int  # posted less billed

    @property
    def even(self):
        return not self.wrong and not self.unseen and self.drift == 0


def balance(book, jobs, get):
    """Every submission final with the book's figure, or held with a reason and not in the book. `get`: a path of the API to its document."""
    bills = {line["token"]: line["billed_usd_micros"] for line in book_lines(book) if line.get("line") in ("accepted", "ended")}
    states, wrong, unseen = collections.Counter(), [], dict(bills)
    for job in jobs:
        for one in get(f"/v1/jobs/{job}/submissions")["submissions"]:
            states[one["state"]] += 1
            bill = unseen.pop(one["token"], None)
            if one["state"] == "held":
                good = one["reason"] and bill is None
            else:
                good = one["state"] in OVER and (one["billed_usd_micros"] or 0) == (bill or 0)
            if not good:
                wrong.append((bill, one))
    posted = sum(group["cost_usd_micros"] for group in get(f"/v1/usage?by=backend&{ALL_TIME}")["groups"])
    return Balance(states, sum(bills.values()), wrong, list(unseen), posted - sum(bills.values()))
