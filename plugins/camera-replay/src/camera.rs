//! The component `camera.replay`: opens the video, tells its format and settings, and passes `poll` on to the run.

use crate::gate::{Gate, lock};
use crate::options::{self, Options};
use crate::player::{Player, Setup};
use crate::shape::Shape;
use crate::times::Times;
use crate::video::Video;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tetherscope_plugin_api::abi::{FORMAT_FINITE, LOG_WARN, PIXEL_MONO8, PIXEL_MONO16};
use tetherscope_plugin_api::{
    Camera, CameraFormat, Descriptor, Device, Error, FrameSink, HostHandle, LibraryContext, ParamValues, Parameter,
    Result, Setting, Settings, Value,
};

/// Bits of the frame id: it counts the frames of the run and never wraps.
const ID_BITS: u32 = 64;

/// The host, for one line in its log when a file is cut short.
pub struct ReplayContext {
    host: HostHandle,
}

impl LibraryContext for ReplayContext {
    fn open(host: HostHandle) -> Result<Self> {
        Ok(Self { host })
    }
}

/// A video that is shown as a camera.
pub struct ReplayCamera {
    path: PathBuf,
    shape: Shape,
    n_frames: u64,
    file_times: Times,
    file_bits: Option<u32>,
    damage: String,
    options: Mutex<Options>,
    revision: AtomicU64,
    gate: Gate,
    // Held by `poll` while it works or waits, so that `stop` returns only after the last call of the sink.
    run: Mutex<Run>,
}

/// What `poll` works with.
struct Run {
    video: Video,
    player: Option<Player>,
}

impl Camera for ReplayCamera {
    type Context = ReplayContext;

    fn descriptor() -> Descriptor {
        Descriptor {
            id: "camera.replay",
            name: "Video file",
            version: "0.1.0",
            summary: "Replays a TIFF stack or a folder of TIFF or PNG images, with nothing lost when it is tracked offline.",
            source: "TIFF 6.0, BigTIFF, ImageJ stacks, OME-TIFF, PNG",
            licence: "MIT OR Apache-2.0",
            parameters: options::schema(),
            ..Descriptor::default()
        }
    }

    fn enumerate(_context: &Arc<ReplayContext>) -> Result<Vec<Device>> {
        Ok(Vec::new())
    }

    fn open(context: &Arc<ReplayContext>, device: &str, params: &ParamValues) -> Result<Self> {
        let path = options::path(device, params)?;
        let options = Options::from_values(params)?;
        let video = Video::open(&path).map_err(|fault| fault.in_file(&path))?;
        options
            .check(video.shape().bits, &video.times())
            .map_err(|e| Error::new(e.status(), format!("cannot replay {}\n{}", path.display(), e.message())))?;
        let damage = video.damage().map(|fault| fault.text(&path)).unwrap_or_default();
        if !damage.is_empty() {
            context.host.log(LOG_WARN, &damage);
        }
        Ok(Self {
            shape: video.shape(),
            n_frames: video.n_frames(),
            file_times: video.times(),
            file_bits: video.significant_bits(),
            damage,
            path,
            options: Mutex::new(options),
            revision: AtomicU64::new(0),
            gate: Gate::default(),
            run: Mutex::new(Run { video, player: None }),
        })
    }

    fn settings(&self) -> Result<Settings> {
        let options = *lock(&self.options);
        let (position, n_lost) = {
            let run = lock(&self.run);
            run.player.as_ref().map_or((0, 0), |p| (p.position(), p.n_lost()))
        };
        let path = Value::Text(self.path.display().to_string());
        let mut settings: Vec<Setting> = options::schema()
            .into_iter()
            .map(|parameter| {
                let value = options.value(parameter.key());
                Setting { writable: value.is_some(), value: value.unwrap_or_else(|| path.clone()), parameter }
            })
            .collect();
        let read_only = |parameter, value| Setting { parameter, value, writable: false };
        let count = |n: u64| Value::Int(i64::try_from(n).unwrap_or(i64::MAX));
        settings.extend([
            read_only(Parameter::int("n_frames", "Complete frames of the video", 0), count(self.n_frames)),
            read_only(Parameter::int("position", "Frame that comes next; counts on in a loop", 0), count(position)),
            read_only(Parameter::int("n_lost", "Frames of this run that found no free slot", 0), count(n_lost)),
            read_only(
                Parameter::text("damage", "What is missing at the end of a file that is cut short", ""),
                Value::Text(self.damage.clone()),
            ),
        ]);
        Ok(Settings { revision: self.revision.load(Ordering::Relaxed), settings })
    }

    fn set(&self, values: &ParamValues) -> Result<()> {
        let mut options = lock(&self.options);
        let mut changed = *options;
        changed.apply(values)?;
        changed.check(self.shape.bits, &self.file_times)?;
        if options.needs_rearm(&changed) && lock(&self.run).player.is_some() {
            return Err(Error::busy(
                "only `speed` and `frame_rate_hz` can change while the video runs\nstop it, then set the others",
            ));
        }
        if *options != changed {
            *options = changed;
            self.revision.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    fn format(&self) -> Result<CameraFormat> {
        let options = lock(&self.options);
        let pixel_format = if self.shape.bits == 8 { PIXEL_MONO8 } else { PIXEL_MONO16 };
        let bits = match options.significant_bits {
            0 => self.file_bits.unwrap_or(self.shape.bits),
            n => n,
        };
        let mut format = CameraFormat::packed(self.shape.width_px, self.shape.height_px, pixel_format, bits);
        format.device_id_bits = ID_BITS;
        if options.times(&self.file_times).known() {
            format.ns_per_tick = 1.0;
        }
        if !options.repeat {
            format.flags = FORMAT_FINITE;
            format.n_frames = self.n_frames;
        }
        Ok(format)
    }

    fn start(&self, sink: FrameSink) -> Result<()> {
        let options = *lock(&self.options);
        let mut run = lock(&self.run);
        if run.player.is_some() {
            return Err(Error::busy("the video runs already\nstop it first"));
        }
        let needed = self.shape.image_bytes();
        if sink.slot_bytes() < needed {
            return Err(Error::invalid(format!(
                "an image of the video has {needed} bytes, the host's slots have {}",
                sink.slot_bytes()
            )));
        }
        let setup = Setup { sink, times: options.times(&self.file_times), repeat: options.repeat };
        run.player = Some(Player::new(setup));
        self.gate.open();
        Ok(())
    }

    fn poll(&self, timeout: Duration) -> Result<()> {
        let options = *lock(&self.options);
        let mut run = lock(&self.run);
        let Run { video, player } = &mut *run;
        match player {
            Some(player) => player.poll(video, &self.path, &options, &self.gate, timeout),
            // `stop` came between the host's decision to poll and the call.
            None => Err(Error::cancelled()),
        }
    }

    fn stop(&self) -> Result<()> {
        self.gate.close();
        lock(&self.run).player = None;
        Ok(())
    }
}
