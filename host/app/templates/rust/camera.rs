//! `camera.your-lab.your-method`: a test pattern instead of a device: a bright blob that runs round in a circle on a slope of
//! grey, with its true position beside each frame. Put your vendor's SDK in the place of `draw` and of the clock.
//!
//! Live, frame k is there at k / frame_rate_hz; one that finds no free slot until the next is due is told as lost. Offline
//! (`lossless`) it waits for slots and drops nothing. `stop` may come while `poll` waits, and wakes it.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tetherscope_plugin_api::abi::{ENDED_END_OF_DATA, FORMAT_FINITE, LOST_UNDERRUN, PIXEL_MONO8, TIME_EXPOSURE_START};
use tetherscope_plugin_api::{
    Camera, CameraFormat, Change, Channel, Descriptor, Device, Error, FrameInfo, FrameSink, Invalidates, ParamValues,
    Parameter, Result, Setting, Settings, Slot, Value,
};

/// `lend` does not hear `stop`, so it is asked in short turns.
const TURN: Duration = Duration::from_millis(5);
const BLOB_SD_PX: f64 = 3.0;

#[derive(Clone, Copy)]
struct Options {
    width_px: i64,
    height_px: i64,
    n_frames: i64,
    frame_rate_hz: f64,
}

impl Options {
    const DEFAULT: Options = Options { width_px: 256, height_px: 128, n_frames: 0, frame_rate_hz: 100.0 };

    fn period(&self) -> Duration {
        Duration::from_secs_f64(1.0 / self.frame_rate_hz)
    }
}

/// A run, from `start` to `stop`.
struct Run {
    sink: FrameSink,
    options: Options,
    next: u64,
    due: Instant,
    ended: bool,
}

struct YourMethod {
    options: Mutex<(u64, Options)>,
    /// Held while `poll` uses the sink: `stop` waits for it.
    run: Mutex<Option<Run>>,
    /// Whether `stop` came, and the bell that it rings.
    stopping: Mutex<bool>,
    bell: Condvar,
}

/// Locks a mutex whose holder may have panicked: everything behind these is valid at every instant.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Camera for YourMethod {
    type Context = ();

    fn descriptor() -> Descriptor {
        Descriptor {
            id: "camera.your-lab.your-method",
            name: "Your method",
            version: "0.1.0",
            summary: "A test pattern: a blob that runs round in a circle, with its true position.",
            source: "none, a simulation",
            licence: "MIT OR Apache-2.0",
            ..Descriptor::default()
        }
    }

    fn enumerate(_context: &Arc<()>) -> Result<Vec<Device>> {
        Ok(vec![Device { device: "pattern".into(), name: "Test pattern".into(), serial: String::new() }])
    }

    fn open(_context: &Arc<()>, device: &str, _params: &ParamValues) -> Result<Self> {
        if !matches!(device, "" | "pattern") {
            return Err(Error::invalid(format!("there is no device `{device}`: open `pattern`")));
        }
        Ok(Self {
            options: Mutex::new((0, Options::DEFAULT)),
            run: Mutex::new(None),
            stopping: Mutex::new(true),
            bell: Condvar::new(),
        })
    }

    fn settings(&self) -> Result<Settings> {
        let (revision, now) = *lock(&self.options);
        let side = |key, help, default| {
            let side = Parameter::int(key, help, default).unit("px").range(16.0, 4096.0);
            side.change(Change::Rearm).invalidates(&[Invalidates::Geometry])
        };
        let n_frames = Parameter::int("n_frames", "Frames until it ends by itself; 0 never", Options::DEFAULT.n_frames);
        let rate = Parameter::float("frame_rate_hz", "Frames per second of a live run", Options::DEFAULT.frame_rate_hz);
        let settings = [
            (side("width_px", "Width of the frames", Options::DEFAULT.width_px), Value::Int(now.width_px)),
            (side("height_px", "Height of the frames", Options::DEFAULT.height_px), Value::Int(now.height_px)),
            (n_frames.range(0.0, 1e9).change(Change::Rearm), Value::Int(now.n_frames)),
            (rate.unit("Hz").range(0.1, 10000.0), Value::Float(now.frame_rate_hz)),
        ];
        let settings = settings.map(|(parameter, value)| Setting { parameter, value, writable: true });
        Ok(Settings { revision, settings: settings.into() })
    }

    fn set(&self, values: &ParamValues) -> Result<()> {
        let mut run = lock(&self.run);
        let mut options = lock(&self.options);
        let mut next = options.1;
        for (key, value) in values.iter() {
            if key != "frame_rate_hz" && run.is_some() {
                return Err(Error::busy(format!("`{key}` cannot change while the camera runs: stop it first")));
            }
            match (key, value) {
                ("width_px", Value::Int(v)) => next.width_px = *v,
                ("height_px", Value::Int(v)) => next.height_px = *v,
                ("n_frames", Value::Int(v)) => next.n_frames = *v,
                ("frame_rate_hz", Value::Float(v)) => next.frame_rate_hz = *v,
                _ => return Err(Error::invalid(format!("there is no setting `{key}` of that type"))),
            }
        }
        *options = (options.0 + 1, next);
        if let Some(run) = &mut *run {
            run.options = next;
        }
        Ok(())
    }

    fn format(&self) -> Result<CameraFormat> {
        let (_, o) = *lock(&self.options);
        Ok(CameraFormat {
            time_instant: TIME_EXPOSURE_START,
            ns_per_tick: 1.0,
            device_id_bits: 64,
            n_channel_values: 2,
            n_frames: o.n_frames as u64,
            flags: if o.n_frames > 0 { FORMAT_FINITE } else { 0 },
            ..CameraFormat::packed(o.width_px as u32, o.height_px as u32, PIXEL_MONO8, 8)
        })
    }

    fn channels(&self) -> Result<Vec<Channel>> {
        let channel = |key: &str| Channel { key: key.into(), unit: "px".into(), length: 1 };
        Ok(vec![channel("blob_x_px"), channel("blob_y_px")])
    }

    fn start(&self, sink: FrameSink) -> Result<()> {
        let mut run = lock(&self.run);
        if run.is_some() {
            return Err(Error::busy("the camera runs already: stop it first"));
        }
        if (sink.slot_bytes() as u64) < self.format()?.payload_bytes {
            return Err(Error::invalid("the host's slots are smaller than a frame"));
        }
        let (_, options) = *lock(&self.options);
        *run = Some(Run { sink, options, next: 0, due: Instant::now(), ended: false });
        *lock(&self.stopping) = false;
        Ok(())
    }

    fn poll(&self, timeout: Duration) -> Result<()> {
        match &mut *lock(&self.run) {
            Some(run) => run.poll(timeout, |span| self.wait(span)),
            None => Err(Error::cancelled()),
        }
    }

    fn stop(&self) -> Result<()> {
        *lock(&self.stopping) = true;
        self.bell.notify_all();
        *lock(&self.run) = None;
        Ok(())
    }
}

impl YourMethod {
    /// Waits that long, or until `stop` comes; true when it came.
    fn wait(&self, span: Duration) -> bool {
        let stopping = lock(&self.stopping);
        let waited = self.bell.wait_timeout_while(stopping, span, |stopping| !*stopping);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Run {
    /// Delivers the next frame; `wait` waits and says whether `stop` came.
    fn poll(&mut self, timeout: Duration, wait: impl Fn(Duration) -> bool) -> Result<()> {
        let begun = Instant::now();
        let left = |until: Instant| until.saturating_duration_since(Instant::now());
        let deadline = begun.checked_add(timeout).unwrap_or(begun + Duration::from_secs(3600));
        let (sink, lossless) = (self.sink, self.sink.lossless());
        if self.ended {
            return Err(if wait(left(deadline)) { Error::cancelled() } else { Error::timed_out() });
        }
        if !lossless {
            if wait(left(self.due.min(deadline))) {
                return Err(Error::cancelled());
            }
            if Instant::now() < self.due {
                return Err(Error::timed_out());
            }
        }
        while !wait(Duration::ZERO) {
            if let Some(slot) = sink.lend(left(deadline).min(TURN)) {
                return self.deliver(slot);
            }
            if !lossless && Instant::now() >= self.due + self.options.period() {
                sink.lost(1, LOST_UNDERRUN);
                self.go_on();
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(Error::timed_out());
            }
        }
        Err(Error::cancelled())
    }

    fn deliver(&mut self, mut slot: Slot<'_>) -> Result<()> {
        let (w, h) = (self.options.width_px as usize, self.options.height_px as usize);
        let (angle, radius) = (0.1 * self.next as f64, 0.25 * w.min(h) as f64);
        let at = [0.5 * w as f64 + radius * angle.cos(), 0.5 * h as f64 + radius * angle.sin()];
        draw(&mut slot[..w * h], w, at);
        let time_ns = self.next as i64 * self.options.period().as_nanos() as i64;
        slot.commit(&FrameInfo::new(self.next, time_ns), &at)?;
        self.go_on();
        Ok(())
    }

    /// The next frame; a live camera that fell far behind begins to count anew instead of hurrying after.
    fn go_on(&mut self) {
        let (period, now) = (self.options.period(), Instant::now());
        self.next += 1;
        self.due = (self.due + period).max(now.checked_sub(period).unwrap_or(now));
        if self.next == self.options.n_frames as u64 {
            self.ended = true;
            self.sink.ended(ENDED_END_OF_DATA, "");
        }
    }
}

/// A blob at (x, y) on a slope of grey that rises to the right.
fn draw(image: &mut [u8], width: usize, [x0, y0]: [f64; 2]) {
    for (i, pixel) in image.iter_mut().enumerate() {
        let (x, y) = ((i % width) as f64, (i / width) as f64);
        let squared = (x - x0) * (x - x0) + (y - y0) * (y - y0);
        let blob = 150.0 * (-squared / (2.0 * BLOB_SD_PX * BLOB_SD_PX)).exp();
        *pixel = (20.0 + 20.0 * x / width as f64 + blob + 0.5) as u8;
    }
}

tetherscope_plugin_api::export_plugin! { camera: YourMethod }

#[cfg(test)]
mod tests {
    use super::*;

    fn open() -> YourMethod {
        YourMethod::open(&Arc::new(()), "", &ParamValues::default()).unwrap()
    }

    #[test]
    fn the_blob_is_drawn_where_its_channels_say() {
        let mut image = vec![0; 128 * 64];
        draw(&mut image, 128, [80.2, 20.9]);
        let brightest = (0..image.len()).max_by_key(|&i| image[i]).unwrap();
        assert_eq!((brightest % 128, brightest / 128), (80, 21));
    }

    #[test]
    fn settings_are_read_back_and_give_the_format() {
        let camera = open();
        let before = camera.settings().unwrap().revision;
        let pairs = [("width_px".to_owned(), Value::Int(64)), ("n_frames".to_owned(), Value::Int(7))];
        camera.set(&ParamValues::from_values(pairs)).unwrap();
        let settings = camera.settings().unwrap();
        assert!(settings.revision > before);
        assert_eq!(settings.settings[0].value, Value::Int(64));
        let format = camera.format().unwrap();
        assert_eq!((format.width_px, format.height_px, format.n_frames), (64, 128, 7));
        assert_eq!(format.payload_bytes, 64 * 128);
    }

    #[test]
    fn a_camera_that_does_not_run_is_stopped_without_harm_and_polls_nothing() {
        let camera = open();
        camera.stop().unwrap();
        assert_eq!(camera.poll(Duration::from_millis(1)), Err(Error::cancelled()));
    }
}
