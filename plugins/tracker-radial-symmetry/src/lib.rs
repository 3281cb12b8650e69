//! `tracker.radial-symmetry`: the point that all gradients point to, inside a ring mask that follows the bead; profile in
//! quarter-pixel bins. A thin adaptor: the numerics lie in `tetherscope-kernels`.
//!
//! `options.rs` is the schema and what it means to the kernels, `tracker.rs` the worker.

mod options;
#[cfg(test)]
mod tests;
mod tracker;

tetherscope_plugin_api::export_plugin! { tracker: tracker::RadialSymmetryTracker }
