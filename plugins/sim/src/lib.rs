//! The simulated microscope: `camera.sim` shows beads, `stage.sim-focus` moves the focus they are seen with. Both share
//! one optical bench, so moving the stage defocuses the beads, live and offline.
//!
//! From the outside in: `camera.rs` and `stage.rs` are the components, `optical_bench.rs` is what they share. `run.rs` is
//! the camera from `start` to `stop`: which frame is due, and what happens when it cannot be taken. `faults.rs`
//! is the script of what goes wrong. `simulation.rs` is
//! what a frame shows, and the one place that says what the truth of a row is. `schema.rs` and `options.rs` are the
//! parameters. The numbers come from `tetherscope-kernels`.

mod camera;
mod clock;
mod faults;
mod focus_script;
mod gate;
mod optical_bench;
mod options;
mod rate_meter;
mod run;
mod schema;
mod simulation;
mod stage;
#[cfg(test)]
mod test_sink;
mod timeline;
mod trajectory;

tetherscope_plugin_api::export_plugin! {
    context: optical_bench::OpticalBench,
    camera: camera::SimCamera,
    stage: stage::SimFocus,
}
