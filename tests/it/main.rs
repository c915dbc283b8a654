//! Every test of the public API, in one binary: it links once.
