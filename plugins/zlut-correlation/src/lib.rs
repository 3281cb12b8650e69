//! `zlut.correlation`: z by correlation of the radial profile with the planes of a Z-LUT, with the arithmetic of MagTrack
//! 1.0.0. A thin adaptor: the numerics lie in `tetherscope-kernels`, their differences from MagTrack in
//! `docs/magtrack-deviations.md`.
//!
//! `strategy.rs` is the component and its worker, `table.rs` the table and its parts, `average.rs` makes planes of a
//! sweep, `explain.rs` shows how a z came about.

mod average;
mod explain;
mod strategy;
mod table;
#[cfg(test)]
mod tests;

tetherscope_plugin_api::export_plugin! { zlut: strategy::Correlation }
