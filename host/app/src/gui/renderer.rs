//! What draws: the GPU where there is a real one, else the CPU. A graphics driver that computes on the CPU works too, but costs
//! more of it than drawing there at once. iced reads the choice from the environment, so the program starts itself again with
//! it; nothing else has happened by then.

use clap::ValueEnum;
use iced::wgpu;
use std::collections::BTreeSet;
use std::process::Command;
use tetherscope_core::RunError;

/// The environment variable that iced reads.
const VARIABLE: &str = "ICED_BACKEND";

/// What the user wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Renderer {
    /// The GPU where there is one
    #[default]
    Auto,
    /// The GPU, or a driver that acts as one
    Gpu,
    /// The CPU
    Cpu,
}

impl Renderer {
    /// As an argument says it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Renderer::Auto => "auto",
            Renderer::Gpu => "gpu",
            Renderer::Cpu => "cpu",
        }
    }

    /// True if a driver for a GPU, or for what acts as one, is there.
    pub(crate) fn has_driver() -> bool {
        !adapters().is_empty()
    }

    /// True if this is what draws, and nothing else that the environment said before.
    pub(crate) fn is_settled(self) -> bool {
        std::env::var(VARIABLE).is_ok_and(|v| v == self.backend())
    }

    /// What would draw, with the names of the drivers that are there.
    pub(crate) fn drawn_by(self) -> String {
        if self.backend() == "tiny-skia" {
            return "drawn on the CPU".into();
        }
        // One driver may be there in several ways.
        let names: BTreeSet<String> = adapters().iter().map(|a| a.get_info().name).collect();
        format!("drawn by {}", names.into_iter().collect::<Vec<_>>().join(" or "))
    }

    fn backend(self) -> &'static str {
        match self {
            Renderer::Gpu => "wgpu",
            Renderer::Cpu => "tiny-skia",
            Renderer::Auto if has_gpu() => "wgpu,tiny-skia",
            Renderer::Auto => "tiny-skia",
        }
    }
}

fn adapters() -> Vec<wgpu::Adapter> {
    wgpu::Instance::new(&wgpu::InstanceDescriptor::default()).enumerate_adapters(wgpu::Backends::all())
}

/// True if a driver speaks to hardware.
fn has_gpu() -> bool {
    adapters().iter().any(|a| a.get_info().device_type != wgpu::DeviceType::Cpu)
}

/// A window needs a place to be.
pub(crate) fn a_display() -> Result<(), RunError> {
    let set = |name: &str| std::env::var_os(name).is_some_and(|v| !v.is_empty());
    let needed = cfg!(all(unix, not(target_os = "macos")));
    if !needed || set("DISPLAY") || set("WAYLAND_DISPLAY") || set("WAYLAND_SOCKET") {
        return Ok(());
    }
    Err(RunError::refused(
        "cannot open the window",
        "there is no display: neither DISPLAY nor WAYLAND_DISPLAY is set",
        "start it on a desktop; without one `tetherscope acquire` tracks and records, and `tetherscope --help` lists the rest",
    ))
}

/// Starts this program again with the choice in its environment, unless that is there already. Returns only then, or when it
/// can't be started.
pub(crate) fn settle(wanted: Renderer) -> std::io::Result<()> {
    if std::env::var_os(VARIABLE).is_some() {
        return Ok(());
    }
    let mut again = Command::new(std::env::current_exe()?);
    again.args(std::env::args_os().skip(1)).env(VARIABLE, wanted.backend());
    run(&mut again)
}

/// In place of this process.
#[cfg(unix)]
fn run(again: &mut Command) -> std::io::Result<()> {
    use std::os::unix::process::CommandExt as _;
    Err(again.exec())
}

#[cfg(not(unix))]
fn run(again: &mut Command) -> std::io::Result<()> {
    let status = again.status()?;
    std::process::exit(status.code().unwrap_or(2))
}

/// What draws, in words.
pub(crate) fn words() -> String {
    match std::env::var(VARIABLE).as_deref() {
        Ok("tiny-skia") => "the CPU".into(),
        Ok("wgpu") => "the graphics driver, as asked for".into(),
        Ok(_) => "the GPU, or the CPU if that fails".into(),
        Err(_) => "whatever iced found".into(),
    }
}
