"""EigenDA behind its proxy: bytes are put and fetched, and nothing that it says is proof."""
