"""The four services of Dealix Customer Ops and what they share."""
