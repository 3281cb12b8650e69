//! What screens are made of. Widgets know no engine: they are given data and tell what the user did.

pub(crate) mod beads;
pub(crate) mod form;
pub(crate) mod heat;
mod painted;
pub(crate) mod path;
pub(crate) mod picture;
pub(crate) mod plot;
pub(crate) mod video;
mod writing;
