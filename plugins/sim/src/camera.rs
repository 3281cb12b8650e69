//! The component `camera.sim`: its settings, its format and channels, and `poll` passed on to the run.

use crate::faults::FaultScript;
use crate::gate::{Gate, lock};
use crate::optical_bench::OpticalBench;
use crate::options::Options;
use crate::run::{N_FAULT_VALUES, Run, payload_bytes};
use crate::schema::{entries, schema};
use crate::simulation::{Simulation, channels, table};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tetherscope_kernels::optics::RadialTable;
use tetherscope_plugin_api::abi::{
    FORMAT_FINITE, PIXEL_MONO8, PIXEL_MONO10, PIXEL_MONO12, PIXEL_MONO16, TIME_EXPOSURE_START,
};
use tetherscope_plugin_api::{
    Camera, CameraFormat, Change, Channel, Descriptor, Device, Error, FrameSink, ParamValues, Parameter, Result,
    Setting, Settings, Value,
};

/// Text for `open`.
const DEVICE: &str = "beads";
/// Bits of the frame id: it counts the frames of the run and never wraps.
const ID_BITS: u32 = 64;

/// A camera that shows simulated beads.
pub struct SimCamera {
    bench: Arc<OpticalBench>,
    present: Mutex<Present>,
    gate: Gate,
    // Held by `poll` while it works or waits, so that `stop` returns only after the last call of the sink.
    run: Mutex<Option<Run>>,
}

/// The settings now.
struct Present {
    values: ParamValues,
    options: Options,
    faults: Arc<FaultScript>,
    /// Kept from run to run: it takes a tenth of a second to make.
    table: Arc<RadialTable>,
    revision: u64,
}

impl Camera for SimCamera {
    type Context = OpticalBench;

    fn descriptor() -> Descriptor {
        Descriptor {
            id: "camera.sim",
            name: "Simulated beads",
            version: "0.1.0",
            summary: "Shows fixed and tethered beads with shot and read noise, in the focus of stage.sim-focus plus a \
                      scripted one. Every frame carries the truth: focus_nm, and x_px, y_px, z_nm of each bead, z being \
                      what a Z-LUT made from the fixed beads should give.",
            source: "after MagScope's DummyCameraBeads and MagTrack's simulator (phase sphere, angular spectrum), here \
                     as a Hankel transform over the pupil, averaged over pixels",
            licence: "MIT OR Apache-2.0",
            parameters: schema(),
            ..Descriptor::default()
        }
    }

    fn enumerate(_bench: &Arc<OpticalBench>) -> Result<Vec<Device>> {
        Ok(vec![Device { device: DEVICE.into(), name: "Simulated beads".into(), serial: String::new() }])
    }

    fn open(bench: &Arc<OpticalBench>, device: &str, params: &ParamValues) -> Result<Self> {
        if !matches!(device, "" | DEVICE) {
            return Err(Error::invalid(format!("there is no simulated camera `{device}`\nopen `{DEVICE}`")));
        }
        let options = Options::from_values(params)?;
        let faults = faults(params)?;
        if let Some(left_ns) = bench.gone_for_ns(&faults) {
            return Err(Error::disconnected(format!(
                "the simulated camera is unplugged for another {} ms, as its script says",
                left_ns / 1_000_000
            )));
        }
        let table = table(&options, None)?;
        // Only to learn now, and not at `start`, whether the beads fit.
        Simulation::new(&options, table.clone())?;
        Ok(Self {
            bench: bench.clone(),
            present: Mutex::new(Present { values: params.clone(), options, faults, table, revision: 0 }),
            gate: Gate::default(),
            run: Mutex::new(None),
        })
    }

    fn settings(&self) -> Result<Settings> {
        let present = lock(&self.present);
        let run = lock(&self.run);
        let setting = |parameter: Parameter| {
            let value = present.values.get(parameter.key()).unwrap_or(parameter.default_value()).clone();
            Setting { value, parameter, writable: true }
        };
        let mut settings: Vec<Setting> = schema().into_iter().map(setting).collect();
        let read_only = |parameter, value| Setting { parameter, value, writable: false };
        let count = |n: u64| Value::Int(i64::try_from(n).unwrap_or(i64::MAX));
        let measured_hz = run.as_ref().map_or(0.0, |run| run.measured_hz(self.bench.clock().now_ns()));
        settings.extend([
            read_only(
                Parameter::float("measured_frame_rate_hz", "Frames per second delivered in the last second", 0.0)
                    .unit("Hz"),
                Value::Float(measured_hz),
            ),
            read_only(
                Parameter::int("n_delivered", "Frames of this run that were delivered", 0),
                count(run.as_ref().map_or(0, Run::n_delivered)),
            ),
            read_only(
                Parameter::int("n_lost", "Frames of this run that found no slot or came too late", 0),
                count(run.as_ref().map_or(0, Run::n_lost)),
            ),
        ]);
        Ok(Settings { revision: present.revision, settings })
    }

    fn set(&self, changes: &ParamValues) -> Result<()> {
        let mut present = lock(&self.present);
        let mut values = present.values.clone();
        let mut fixed = Vec::new();
        for (key, value) in changes.iter() {
            let entry = entries().into_iter().find(|entry| entry.parameter.key() == key);
            let entry = entry.ok_or_else(|| Error::invalid(format!("there is no setting `{key}` that can be set")))?;
            entry.parameter.check(value)?;
            if values.get(key) != Some(value) {
                values.set(key, value.clone());
                if entry.change != Change::Live {
                    fixed.push(format!("`{key}`"));
                }
            }
        }
        if values.iter().eq(present.values.iter()) {
            return Ok(());
        }
        let options = Options::from_values(&values)?;
        let faults = faults(&values)?;
        if !fixed.is_empty() {
            if lock(&self.run).is_some() {
                return Err(Error::busy(format!(
                    "{} cannot change while the camera runs\nstop it first, then set and start it again",
                    fixed.join(", ")
                )));
            }
            let table = table(&options, Some(&present.table))?;
            Simulation::new(&options, table.clone())?;
            present.table = table;
        }
        present.values = values;
        present.options = options;
        present.faults = faults;
        present.revision += 1;
        Ok(())
    }

    fn format(&self) -> Result<CameraFormat> {
        let (o, has_faults) = {
            let present = lock(&self.present);
            (present.options, !present.faults.is_empty())
        };
        let pixel_format = match o.sensor.bits {
            8 => PIXEL_MONO8,
            10 => PIXEL_MONO10,
            12 => PIXEL_MONO12,
            _ => PIXEL_MONO16,
        };
        let side = |px: usize| u32::try_from(px).expect("the schema allows sides of 8192 px");
        let n_values: u32 = all_channels(o.scene.n_beads, has_faults).iter().map(|channel| channel.length).sum();
        Ok(CameraFormat {
            time_instant: TIME_EXPOSURE_START,
            ns_per_tick: 1.0,
            device_id_bits: ID_BITS,
            flags: if o.n_frames > 0 { FORMAT_FINITE } else { 0 },
            n_frames: o.n_frames,
            n_channel_values: n_values,
            ..CameraFormat::packed(side(o.scene.width_px), side(o.scene.height_px), pixel_format, o.sensor.bits)
        })
    }

    fn channels(&self) -> Result<Vec<Channel>> {
        let present = lock(&self.present);
        Ok(all_channels(present.options.scene.n_beads, !present.faults.is_empty()))
    }

    fn start(&self, sink: FrameSink) -> Result<()> {
        let present = lock(&self.present);
        let mut run = lock(&self.run);
        if run.is_some() {
            return Err(Error::busy("the simulated camera runs already\nstop it first"));
        }
        let needed = payload_bytes(&present.options);
        if sink.slot_bytes() < needed {
            let slot = sink.slot_bytes();
            return Err(Error::invalid(format!("a frame has {needed} bytes, the host's slots have {slot}")));
        }
        let simulation = Simulation::new(&present.options, present.table.clone())?;
        *run = Some(Run::new(sink, simulation, &present.options, present.faults.clone(), &self.bench));
        self.gate.open();
        Ok(())
    }

    fn poll(&self, timeout: Duration) -> Result<()> {
        let options = lock(&self.present).options;
        match &mut *lock(&self.run) {
            Some(run) => run.poll(&options, &self.bench, &self.gate, timeout),
            // `stop` came between the host's decision to poll and the call.
            None => Err(Error::cancelled()),
        }
    }

    fn stop(&self) -> Result<()> {
        self.gate.close();
        *lock(&self.run) = None;
        Ok(())
    }
}

/// The script of what goes wrong.
fn faults(values: &ParamValues) -> Result<Arc<FaultScript>> {
    let seed = u64::try_from(values.int("seed")?).unwrap_or(0);
    FaultScript::parse(values.text("faults")?, seed).map(Arc::new).map_err(Error::invalid)
}

/// The channels of a frame, with the truth about faults if there are any: `frame`, the number of the simulated frame, and
/// `injected`, the bits of [`Fate`](crate::faults::Fate).
fn all_channels(n_beads: usize, has_faults: bool) -> Vec<Channel> {
    let mut all = channels(n_beads);
    if has_faults {
        let truth = ["frame", "injected"].map(|key| Channel { key: key.into(), unit: String::new(), length: 1 });
        debug_assert_eq!(truth.len(), N_FAULT_VALUES);
        all.extend(truth);
    }
    all
}

#[cfg(test)]
mod tests;
