"""second_opinion.py runs in another environment, so it is not searched for doctests."""

collect_ignore = ["second_opinion.py"]
