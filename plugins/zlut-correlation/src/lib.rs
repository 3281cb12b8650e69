//! Plugin library.
