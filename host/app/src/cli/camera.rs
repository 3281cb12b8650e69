//! `tetherscope camera`: which cameras there are, and what one sustains: rate, gaps, clock, jitter, delay. The test goes
//! through the same ring, thread and account as an experiment, and tracks nothing.

use super::acquire::by_reason;
use super::frames::key_value;
use super::live::Session;
use super::output::{Ending, Output, number};
use super::{CommandResult, Context, progress};
use crate::rig_file::RigFile;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tetherscope_core::EngineOptions;
use tetherscope_core::RunError;
use tetherscope_core::control::{CameraCommand, CameraState, Command, Snapshot};
use tetherscope_core::loader::{Camera as OpenCamera, Component, Device, Kind, PluginError};
use tetherscope_core::rig::ParameterValue;

/// How often the engine's snapshot is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Seconds at the beginning that do not count for the slowest second: a camera may take its time to begin.
const WARM_UP: Duration = Duration::from_secs(1);

/// Find cameras and see what one sustains
#[derive(clap::Subcommand)]
pub(crate) enum Camera {
    /// List the devices of every camera plugin. May take seconds
    List,
    /// Run a camera and measure: sustained rate, gaps, clock, jitter, delay
    Test(Test),
}

/// Run a camera and measure
#[derive(clap::Args)]
pub(crate) struct Test {
    /// Camera: `id`, `id@version` or `id#hash`
    method: String,
    /// Device, as `camera list` names it; without it the first
    #[arg(long, value_name = "DEVICE", default_value = "")]
    device: String,
    /// Parameter of the camera; may be given several times
    #[arg(long = "param", value_name = "KEY=VALUE", value_parser = key_value)]
    params: Vec<(String, String)>,
    /// How long
    #[arg(long, value_name = "N", default_value_t = 10.0)]
    seconds: f64,
}

impl Camera {
    /// Lists or tests.
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        match self {
            Camera::List => list(context),
            Camera::Test(t) => t.run(context),
        }
    }
}

fn list(context: &Context) -> CommandResult {
    let registry = context.registry()?;
    let cameras = registry.components().iter().filter(|c| c.info().kind == Kind::Camera);
    let found: Vec<(&Component, Result<Vec<Device>, PluginError>)> =
        cameras.map(|c| (c, OpenCamera::enumerate(c))).collect();
    let mut text = String::new();
    for (component, devices) in &found {
        text += &format!("{}  {}\n", component.label(), component.info().name);
        match devices {
            Err(e) => text += &format!("  {}\n", e.to_string().replace('\n', "\n  ")),
            Ok(devices) if devices.is_empty() => text += "  no device is found by itself\n",
            Ok(devices) => devices.iter().for_each(|d| {
                let serial = if d.serial.is_empty() { String::new() } else { format!(", serial {}", d.serial) };
                text += &format!("  {}  {}{serial}\n", d.device, d.name);
            }),
        }
    }
    if found.is_empty() {
        text += "no camera plugin was found\n";
    }
    let camera = |(c, devices): &(&Component, Result<Vec<Device>, PluginError>)| {
        json!({
            "method": c.info().id,
            "version": c.info().version.to_string(),
            "hash": c.hash(),
            "devices": devices.as_ref().ok(),
            "error": devices.as_ref().err().map(ToString::to_string),
        })
    };
    let fine = found.iter().all(|(_, devices)| devices.is_ok());
    let json = json!({ "cameras": found.iter().map(camera).collect::<Vec<_>>() });
    Ok((Output { text, json }, Ending::fine_if(fine)))
}

/// What a run gave.
struct Measured {
    seconds: f64,
    frames: u64,
    slowest_hz: f64,
    ended_by_itself: bool,
    running: Arc<Snapshot>,
    last: Arc<Snapshot>,
}

impl Test {
    fn run(self, context: &Context) -> CommandResult {
        if !(self.seconds.is_finite() && self.seconds > 0.0) {
            let mend = "give a positive number of seconds";
            return Err(RunError::refused("cannot test the camera", format!("--seconds is {}", self.seconds), mend));
        }
        let registry = Arc::new(context.registry()?);
        // Says at once what is wrong with a parameter, before anything is opened.
        let component = registry.resolve(Kind::Camera, &self.method)?;
        component.params(self.params.iter().map(|(k, v)| (k.as_str(), v.as_str())))?;
        let mut file = RigFile::example();
        file.rig.camera.method.clone_from(&self.method);
        file.rig.camera.device.clone_from(&self.device);
        let texts = self.params.iter().map(|(k, v)| (k.clone(), ParameterValue::Text(v.clone())));
        file.rig.camera.parameters = texts.collect();
        let options = EngineOptions { reopen_every: None, ..file.rig.engine_options() };
        let session = Session::start(context, registry, file, options)?;
        session.set_up_camera()?;
        let measured = self.measure(&session, context)?;
        Ok(self.report(&measured))
    }

    fn measure(&self, session: &Session, context: &Context) -> Result<Measured, RunError> {
        session.start_camera()?;
        let begun = Instant::now();
        let bar = progress::percent("camera runs", context.interactive());
        let mut running = session.snapshot();
        let (mut slowest_hz, mut seconds) = (f64::INFINITY, 0.0);
        let ended_by_itself = loop {
            let now = session.snapshot();
            match &now.camera.state {
                CameraState::Running => {}
                CameraState::Failed(refusal) | CameraState::Lost(refusal) => return Err(refusal.clone().into()),
                CameraState::Open | CameraState::Closed => break true,
            }
            seconds = begun.elapsed().as_secs_f64();
            if begun.elapsed() > 2 * WARM_UP {
                slowest_hz = now.health.frame_rate_hz.min(slowest_hz);
            }
            running = now;
            bar.set_position((100.0 * seconds / self.seconds) as u64);
            if seconds >= self.seconds || session.is_cancelled() {
                break false;
            }
            std::thread::sleep(LOOK_EVERY);
        };
        bar.finish_and_clear();
        if !ended_by_itself {
            session.finish(Command::Camera(CameraCommand::Stop))?;
        }
        let last = session.snapshot();
        let frames = last.health.newest_frame.or(running.health.newest_frame).map_or(0, |f| f + 1);
        Ok(Measured { seconds, frames, slowest_hz, ended_by_itself, running, last })
    }

    fn report(&self, m: &Measured) -> (Output, Ending) {
        let health = &m.running.health;
        let drops = by_reason(&m.last.ledger);
        let rate_hz = m.frames as f64 / m.seconds.max(1e-9);
        let format = m.running.camera.format.as_ref();
        let mut text = format!("{} frames in {:.1} s: {rate_hz:.2} frames/s", m.frames, m.seconds);
        if m.slowest_hz.is_finite() {
            text += &format!(", slowest second {:.2}", m.slowest_hz);
        }
        text.push('\n');
        if let Some(f) = format {
            text += &format!("{} × {} px, {} bits\n", f.width_px, f.height_px, f.significant_bits);
        }
        text += &match drops.len() {
            0 => "no frame is missing\n".to_owned(),
            _ => drops.iter().map(|(reason, n)| format!("{reason}: {n} frames\n")).collect(),
        };
        let conduct = &m.last.camera.conduct;
        conduct.oddities.iter().for_each(|(what, n)| text += &format!("{what}: {n} times\n"));
        if conduct.slots_taken_back > 0 {
            text += &format!("{} slots were not given back when it stopped: taken back\n", conduct.slots_taken_back);
        }
        if conduct.slots_lost > 0 {
            text += &format!("{} slots are still with it although it was stopped: lost\n", conduct.slots_lost);
        }
        let optional = |v: Option<f64>| v.map_or(Value::Null, number);
        match (health.clock_ppm, health.clock_residual_ns) {
            (Some(ppm), Some(residual)) => {
                text +=
                    &format!("its clock runs {ppm:+.2} ppm against the host's, residual {:.1} µs\n", residual / 1e3);
            }
            _ => text += "it has no clock, or too few frames came to know it\n",
        }
        if let Some(jitter) = health.arrival_jitter_ns {
            text += &format!("frames arrive with a jitter of {:.1} µs\n", jitter / 1e3);
        }
        for l in &health.latencies {
            text += &format!(
                "arrival to {}: {:.2} ms (p50), {:.2} ms (p99), {:.2} ms (max)\n",
                l.to, l.p50_ms, l.p99_ms, l.max_ms
            );
        }
        if m.ended_by_itself {
            text += "it ended by itself\n";
        }
        let n_dropped: u64 = drops.iter().map(|(_, n)| n).sum();
        let behaved = conduct.slots_taken_back == 0 && conduct.slots_lost == 0;
        let fine = m.frames > 0 && n_dropped == 0 && m.last.ledger.unexplained == 0 && behaved;
        let json = json!({
            "camera": self.method,
            "device": self.device,
            "seconds": m.seconds,
            "frames": m.frames,
            "frame_rate_hz": rate_hz,
            "slowest_second_hz": if m.slowest_hz.is_finite() { number(m.slowest_hz) } else { Value::Null },
            "ended_by_itself": m.ended_by_itself,
            "format": format,
            "settings": m.running.camera.settings,
            "dropped": drops.iter().map(|(r, n)| (r.clone(), json!(n))).collect::<serde_json::Map<_, _>>(),
            "conduct": conduct,
            "clock_ppm": optional(health.clock_ppm),
            "clock_residual_ns": optional(health.clock_residual_ns),
            "arrival_jitter_ns": optional(health.arrival_jitter_ns),
            "latencies": health.latencies,
            "ledger": m.last.ledger,
        });
        (Output { text, json }, Ending::fine_if(fine))
    }
}
