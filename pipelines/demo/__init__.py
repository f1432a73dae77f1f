"""The whole way once, on real data: `rootline demo`."""
