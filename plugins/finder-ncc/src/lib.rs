//! `finder.ncc`: beads in a frame by normalised cross-correlation, with an example that the user chose, or without one by
//! how radially symmetric each place is. A thin adaptor: the numerics lie in `tetherscope-kernels`.
//!
//! `options.rs` is the schema, `finder.rs` the component, `search.rs` the two ways to search and what they share,
//! `frame.rs` a margin round the frame.

mod finder;
mod frame;
mod options;
mod search;
#[cfg(test)]
mod tests;

tetherscope_plugin_api::export_plugin! { finder: finder::NccFinder }
