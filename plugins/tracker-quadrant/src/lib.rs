//! `tracker.quadrant`: clipped centre of mass, then quadrant interpolation, with standard errors and a profile in
//! quarter-pixel bins. A thin adaptor: the numerics lie in `tetherscope-kernels`.
//!
//! `options.rs` is the schema and what it means to the kernels, `tracker.rs` the worker.

mod options;
#[cfg(test)]
mod tests;
mod tracker;

tetherscope_plugin_api::export_plugin! { tracker: tracker::QuadrantTracker }
