//! Finds, probes and loads plugin libraries.
