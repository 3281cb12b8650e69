//! `tetherscope bench window`: what the window shows and costs, by each way of drawing, beside the same experiment without a
//! window. The window is the real one, in a process of its own that measures itself; it needs a display.

mod child;

use super::children;
use super::live::{Bed, LIVE, Speed, material, rig, run};
use super::rows::Figure;
use crate::cli::{CommandResult, Context};
use crate::gui::{Renderer, a_display, utc_ns};
use std::path::PathBuf;
use tetherscope_core::RunError;

pub(super) use child::Child;
use child::Measured;

/// Measure the window: pictures drawn, CPU, memory, time to the first picture
#[derive(clap::Args)]
pub(crate) struct Window {
    /// How long each window is measured; memory wants half an hour
    #[arg(long, value_name = "SECONDS", default_value_t = 15.0)]
    seconds: f64,
    /// What draws; may be given several times. Without it, the CPU and the GPU or what acts as one
    #[arg(long, value_enum, value_name = "RENDERER")]
    renderer: Vec<Renderer>,
    /// Frames per second of the camera, 1280 × 1024 px with 100 beads
    #[arg(long, value_name = "HZ", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
    /// Pictures per second that the window asks for
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=120))]
    pictures: u32,
    /// How often a window is opened until its first picture
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    starts: u32,
    /// Folder for videos; without it a temporary one, removed at the end
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

impl Window {
    /// Measures.
    pub(super) fn run(self, context: &Context) -> CommandResult {
        a_display()?;
        super::live::in_a_folder(context, self.folder.as_deref(), self.seconds, |bed| self.rows(bed))
    }

    fn rows(&self, bed: &Bed<'_>) -> Result<Vec<Figure>, RunError> {
        bed.say("making a video and a Z-LUT");
        material(bed, &LIVE)?;
        bed.say("measuring: without a window");
        let without = run(bed, experiment(bed, self.rate)?, bed.seconds.min(15.0), false)?;
        let renderers = match &self.renderer[..] {
            [] if Renderer::has_driver() => &[Renderer::Cpu, Renderer::Gpu][..],
            [] => {
                bed.say("no graphics driver was found: only drawing on the CPU is measured");
                &[Renderer::Cpu]
            }
            given => given,
        };
        renderers.iter().map(|renderer| self.row(bed, *renderer, without.cores)).collect()
    }

    fn row(&self, bed: &Bed<'_>, renderer: Renderer, without: f64) -> Result<Figure, RunError> {
        bed.say(&format!("measuring: {}", renderer.name()));
        let mut starts = Vec::new();
        for _ in 1..self.starts {
            starts.push(self.child(bed, renderer, 0.0)?.1);
        }
        let (measured, start) = self.child(bed, renderer, bed.seconds)?;
        starts.push(start);
        starts.sort_by(f64::total_cmp);
        let what = format!(
            "window, {}: 1280 × 1024 px at {} frames/s, 100 beads of 64 px with z, {} pictures/s asked for",
            measured.drawn_by, self.rate, self.pictures
        );
        let last = measured.memory_bytes.len().saturating_sub(1);
        let memory = |at: usize| measured.memory_bytes.get(at).map_or(f64::NAN, |b| *b as f64 / 1e6);
        Ok(Figure::of(what)
            .with("pictures drawn", measured.pictures_per_s, "pictures/s")
            .with("frames that came", measured.frames_per_s, "frames/s")
            .with("frames dropped", measured.dropped as f64, "")
            .with("frames without explanation", measured.unexplained as f64, "")
            .with("CPU", measured.cores.unwrap_or(f64::NAN), "cores")
            .with("CPU, the window's thread", measured.window_cores.unwrap_or(f64::NAN), "cores")
            .with("CPU, threads of the graphics driver", measured.driver_cores.unwrap_or(f64::NAN), "cores")
            .with("CPU, same experiment without a window", without, "cores")
            .with("start to first picture, fastest", starts[0], "s")
            .with("start to first picture, middle", starts[starts.len() / 2], "s")
            .with("start to first picture, slowest", starts[starts.len() - 1], "s")
            .with("memory, at the beginning", memory(0), "MB")
            .with("memory, after a third", memory(last / 3), "MB")
            .with("memory, after two thirds", memory(2 * last / 3), "MB")
            .with("memory, at the end", memory(last), "MB"))
    }

    /// Opens a window, and waits until it has closed; with it the time from its start to its first picture.
    fn child(&self, bed: &Bed<'_>, renderer: Renderer, seconds: f64) -> Result<(Measured, f64), RunError> {
        if bed.context.cancel.is_cancelled() {
            return Err(RunError::Cancelled);
        }
        let numbers = [seconds.to_string(), self.rate.to_string(), self.pictures.to_string()];
        let [seconds, rate, pictures] = &numbers;
        let args = ["bench", "in-window", "--json", "--renderer", renderer.name()];
        let with = ["--seconds", seconds, "--rate", rate, "--pictures", pictures];
        let begun_ns = utc_ns();
        let said = children::run(&bed.folder, &[&args[..], &with].concat(), &bed.shared)?;
        let measured: Measured = serde_json::from_str(&said).map_err(|e| {
            RunError::refused("cannot measure the window", format!("it told {said:?}: {e}"), "report this")
        })?;
        let start_s = (measured.first_picture_utc_ns - begun_ns) as f64 * 1e-9;
        Ok((measured, start_s))
    }
}

/// The experiment that is shown.
fn experiment(bed: &Bed<'_>, rate_hz: u32) -> Result<crate::rig_file::RigFile, RunError> {
    let batch = "{ max_frames = 16, max_ms = 5.0 }";
    let more = "[beads]\nfile = \"live.csv\"\n[zlut]\nfile = \"bench.zlut\"\n[recording]\non = false\n";
    rig(bed, "live.tif", Speed::Hz(rate_hz), batch, more)
}
