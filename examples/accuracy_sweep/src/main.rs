//! How near every method comes to the physical limit: images with known truth, Z-LUTs made from them, and the loaded plugins
//! tried on both. It decides what is run; images, methods and numbers have files of their own.

mod images;
mod measure;
mod methods;
mod picture;
mod random;
mod report;

use clap::Parser;
use images::{Condition, Images, Light};
use measure::{Cell, Zlut};
use std::path::PathBuf;
use std::process::ExitCode;
use tetherscope_core::RunError;
use tetherscope_core::loader::{Registry, SearchOptions};

/// Bias, RMSE and × Cramér–Rao bound of every method that is loaded
#[derive(Parser)]
pub(crate) struct Arguments {
    /// 64 px and 10,000 e⁻ only, fewer images
    #[arg(long)]
    quick: bool,
    /// Where the results go; must not exist
    #[arg(long, value_name = "FOLDER", default_value = "accuracy_sweep_results")]
    out: PathBuf,
    /// Also write the images of the 64 px fine condition there; must not exist
    #[arg(long, value_name = "FOLDER")]
    write_images: Option<PathBuf>,
    /// ROI sizes in px
    #[arg(long, value_delimiter = ',', default_values_t = [40, 64, 100])]
    sizes: Vec<usize>,
    /// Distances of the Z-LUT's planes in nm, whole numbers of 50
    #[arg(long, value_delimiter = ',', default_values_t = [50, 100, 200])]
    steps: Vec<usize>,
    /// Electrons at full scale
    #[arg(long, value_delimiter = ',', default_values_t = [1000.0, 10_000.0, 100_000.0])]
    electrons: Vec<f64>,
    /// Images: fine, stock
    #[arg(long, value_delimiter = ',', value_enum, default_values_t = [Images::Fine, Images::Stock])]
    images: Vec<Images>,
    /// Z-LUTs: perfect, recorded
    #[arg(long, value_delimiter = ',', value_enum, default_values_t = [Zlut::Perfect, Zlut::Recorded])]
    zluts: Vec<Zlut>,
    /// Only methods whose name holds one of these words
    #[arg(long, value_delimiter = ',')]
    methods: Vec<String>,
    /// Places in each band
    #[arg(long, default_value_t = 25)]
    positions: usize,
    /// Draws of noise at each place
    #[arg(long, default_value_t = 12)]
    draws: usize,
    /// Look for plugins in this folder first
    #[arg(long, value_name = "FOLDER")]
    plugin_dir: Vec<PathBuf>,
}

fn main() -> ExitCode {
    // The same executable is the child in which unknown libraries are loaded first.
    tetherscope_core::loader::run_if_child();
    let mut arguments = Arguments::parse();
    if arguments.quick {
        arguments.sizes = vec![64];
        arguments.electrons = vec![10_000.0];
        (arguments.positions, arguments.draws) = (arguments.positions.min(12), arguments.draws.min(5));
    }
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("{e}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), RunError> {
    if let Some(wrong) = arguments.steps.iter().find(|s| **s == 0 || !s.is_multiple_of(images::FINEST_STEP_NM)) {
        return Err(RunError::refused(
            format!("cannot make planes {wrong} nm apart"),
            format!("sweeps are rendered every {} nm", images::FINEST_STEP_NM),
            "give a whole number of that",
        ));
    }
    let plugin_dirs = arguments.plugin_dir.clone();
    let registry = Registry::scan(&SearchOptions { plugin_dirs, ..SearchOptions::default() });
    let (methods, missing) = methods::of(&registry, &arguments.methods);
    for name in missing {
        eprintln!("{name} is passed over: its plugins are not loaded");
    }
    if methods.is_empty() {
        return Err(RunError::refused(
            "cannot sweep any method",
            "none has all its plugins loaded",
            "run `cargo build --release` first, or give --plugin-dir",
        ));
    }
    report::new_folder(&arguments.out)?;
    let mut cells: Vec<Cell> = Vec::new();
    for &images in &arguments.images {
        for &size_px in &arguments.sizes {
            let condition = Condition { images, size_px, n_positions: arguments.positions };
            let rendered = condition.render()?;
            for &electrons in &arguments.electrons {
                let light = Light::new(electrons);
                let begun = cells.len();
                let tried = measure::Tried { rendered: &rendered, light, n_draws: arguments.draws };
                tried.measure(&methods, &arguments.steps, &arguments.zluts, &mut cells)?;
                eprintln!("{images}, {size_px} px, {electrons:.0} e-: {} cells", cells.len() - begun);
            }
            let headline = images == Images::Fine && size_px == 64;
            if let (true, Some(folder)) = (headline, &arguments.write_images) {
                report::write_images(folder, &rendered, Light::new(10_000.0), arguments.draws)?;
            }
        }
    }
    report::write_csv(&arguments.out.join("accuracy.csv"), &cells)?;
    let summary = report::summary(&cells);
    report::write_text(&arguments.out.join("summary.md"), &summary)?;
    picture::write(&arguments.out.join("accuracy.png"), &cells)?;
    println!("{summary}");
    Ok(())
}
