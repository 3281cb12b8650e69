//! `zlut.joint`: x, y, z, gain and offset of a bead fitted together on its pixels, against a template made of the pixels of
//! the sweep. A thin adaptor: the numerics lie in `tetherscope-kernels` (`JointBuilder`, `JointLookup`).
//!
//! `strategy.rs` is the component and its worker, `table.rs` what is looked up in and how it is built of a sweep,
//! `explain.rs` shows how a fit came about.

mod explain;
mod strategy;
mod table;
#[cfg(test)]
mod tests;

tetherscope_plugin_api::export_plugin! { zlut: strategy::Joint }
