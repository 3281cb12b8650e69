//! `camera.replay`: a video file as a camera. Reads TIFF stacks and folders of TIFF or PNG images, and delivers their
//! frames at full, recorded or fixed speed; offline it waits for slots and loses nothing.
//!
//! From the outside in: `camera.rs` is the component, `player.rs` one run of it, `video.rs` the file behind it, which is
//! a `stack` (TIFF) or a `sequence` (folder). `options.rs`, `times.rs` and `shape.rs` are what they share. Every file is
//! a stranger's: what it says is checked before it is believed, and damage is an error, never a panic.

mod camera;
mod fault;
mod gate;
mod natural;
mod options;
mod player;
mod png_image;
mod sequence;
mod shape;
mod stack;
#[cfg(test)]
mod test_sink;
#[cfg(test)]
mod test_tiff;
#[cfg(test)]
mod tests;
mod times;
mod video;

tetherscope_plugin_api::export_plugin! { context: camera::ReplayContext, camera: camera::ReplayCamera }
