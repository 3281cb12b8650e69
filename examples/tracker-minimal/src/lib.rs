//! The smallest complete tracker: a bead is where the light is.

use tetherscope_plugin_api::{
    Descriptor, Error, ParamValues, Parameter, ProfileLayout, Result, Roi, RoiBatch, TrackRows, Tracker, TrackerWorker,
    WorkerConfig, abi,
};

/// The method with its parameters. Never changes: another value is another instance.
struct Brightest {
    background: f64,
}

/// What one thread needs to work: here one number, in others FFT plans and scratch memory.
struct Worker {
    background: f64,
}

impl Tracker for Brightest {
    type Worker = Worker;

    fn descriptor() -> Descriptor {
        Descriptor {
            id: "tracker.example.minimal", // tracker.<your lab>.<your method>, never renamed
            name: "Centre of the light",
            version: "0.1.0",
            summary: "Centre of mass of what is brighter than the background.",
            capabilities: &["mono8"],
            parameters: vec![Parameter::float("background_adu", "Pixels up to this value do not count", 20.0)],
            ..Descriptor::default()
        }
    }

    fn create(params: &ParamValues) -> Result<Self> {
        Ok(Self { background: params.float("background_adu")? })
    }

    fn worker(&self, _config: &WorkerConfig) -> Result<(Worker, ProfileLayout)> {
        Ok((Worker { background: self.background }, ProfileLayout::NONE))
    }
}

impl TrackerWorker for Worker {
    fn track(&mut self, batch: &RoiBatch<'_>, rows: &mut TrackRows<'_>) -> Result<()> {
        for i in 0..batch.len() {
            let Roi::U8(image) = batch.roi(i) else { return Err(Error::unsupported("8 bits only")) };
            let dark = image.iter().fold(u8::MAX, |dark, &v| dark.min(v)); // so that a constant picture has no light
            let (mut light, mut at_x, mut at_y) = (0.0, 0.0, 0.0);
            for ((y, x), &value) in image.indexed_iter() {
                let v = (f64::from(value) - self.background.max(dark.into())).max(0.0);
                (light, at_x, at_y) = (light + v, at_x + v * x as f64, at_y + v * y as f64);
            }
            let fix = rows.row(i).fix;
            (fix.x_px, fix.y_px) = (at_x / light, at_y / light); // no light: NaN, and a flag that says why
            fix.flags = if light > 0.0 { 0 } else { abi::FLAG_NO_SIGNAL };
        }
        Ok(())
    }
}

tetherscope_plugin_api::export_plugin! { tracker: Brightest }
