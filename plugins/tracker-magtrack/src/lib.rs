//! `tracker.magtrack`: positions and profiles with the arithmetic of MagTrack 1.0.0, so that a lab gets the numbers it
//! knows. A thin adaptor: the numerics lie in `tetherscope-kernels`, their differences from MagTrack in
//! `docs/magtrack-deviations.md`.
//!
//! `options.rs` is the schema and what it means to the kernels, `tracker.rs` the worker.

mod options;
#[cfg(test)]
mod tests;
mod tracker;

tetherscope_plugin_api::export_plugin! { tracker: tracker::MagtrackTracker }
