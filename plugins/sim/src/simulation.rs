//! What a frame shows: beads that move, a focus, a sensor; and the truth about it. Knows simulated time, no clock, no
//! slots. The picture of a frame depends on the seed, its index and the settings until then, to the last bit.
//!
//! # The sign of z, and the truth of a row
//!
//! A bead at height z seen with the focus at f is rendered with the defocus z + f (f = position of the stage + script).
//! The z of a row is the focus position of the sweep at which the bead looks the same. If the sweep was made with beads
//! at the height z0, its plane at focus s has the defocus z0 + s; so the bead looks as in the plane where
//! z0 + s = z + f, and
//!
//! **truth z = z + f − z0, with z0 = `fixed_z_nm`**:
//!
//! what `z_nm` should be when the Z-LUT was made from the fixed beads with the same optics. For a fixed bead that is the
//! focus f itself. Where z + f is beyond `defocus_range_nm`, the nearest defocus is shown, and the truth is that of what
//! is shown.

use crate::options::Options;
use std::sync::Arc;
use tetherscope_kernels::optics::{OpticsError, RadialTable, Scene, Sensor, TetheredBead, place_beads};
use tetherscope_plugin_api::{Channel, Error, Result};

/// Channel values before those of the beads: the focus.
const N_BEFORE_TRUTH: usize = 1;

/// The simulated sample under the microscope.
pub struct Simulation {
    options: Options,
    scene: Scene,
    sensor: Sensor,
    /// Where each bead is fixed or tethered.
    anchors_px: Vec<[f64; 2]>,
    tethered: Vec<TetheredBead>,
    /// The time up to which the tethered beads have moved.
    time_ns: Option<i64>,
    /// `focus_nm`, then x_px, y_px, z_nm of every bead.
    channels: Vec<f64>,
}

/// The channels of a frame: see [`Simulation::channels`].
pub fn channels(n_beads: usize) -> Vec<Channel> {
    let channel = |key: &str, unit: &str, length: usize| Channel {
        key: key.into(),
        unit: unit.into(),
        length: u32::try_from(length).expect("the schema allows 10,000 beads"),
    };
    vec![channel("focus_nm", "nm", N_BEFORE_TRUTH), channel("truth", "px, px, nm", 3 * n_beads)]
}

/// The image of one kind of bead: `cached` where that is it.
pub fn table(options: &Options, cached: Option<&Arc<RadialTable>>) -> Result<Arc<RadialTable>> {
    match cached {
        Some(table) if *table.parameters() == options.table => Ok(table.clone()),
        _ => Ok(Arc::new(RadialTable::new(options.table).map_err(refused)?)),
    }
}

fn refused(error: OpticsError) -> Error {
    Error::invalid(error.message())
}

impl Simulation {
    /// Places the beads.
    ///
    /// # Errors
    /// More beads than fit, or more memory than a gigabyte.
    pub fn new(options: &Options, table: Arc<RadialTable>) -> Result<Self> {
        let layout = place_beads(&options.placement, options.seed).map_err(refused)?;
        let (wanted, n_fitted) = (options.scene.n_beads, layout.n_fitted());
        if n_fitted < wanted {
            let p = &options.placement;
            return Err(Error::invalid(format!(
                "cannot place {wanted} beads\n{n_fitted} fit into {} x {} px at least {} px apart and {} px from the \
                 border\nlower `n_fixed`, `n_tethered`, `min_separation_px` or `margin_px`, or make the frames larger",
                p.width_px, p.height_px, p.least_separation_px, p.margin_px
            )));
        }
        let tethered =
            (0..options.n_tethered() as u32).map(|bead| TetheredBead::new(&options.tether, options.seed, bead));
        Ok(Self {
            scene: Scene::new(options.scene, table).map_err(refused)?,
            sensor: Sensor::new(options.sensor).map_err(refused)?,
            anchors_px: layout.positions_px,
            tethered: tethered.collect::<std::result::Result<_, _>>().map_err(refused)?,
            time_ns: None,
            channels: vec![f64::NAN; N_BEFORE_TRUTH + 3 * wanted],
            options: *options,
        })
    }

    /// Takes over what may change while the camera runs. Allocates nothing.
    pub fn change(&mut self, options: &Options) -> Result<()> {
        self.sensor.set_parameters(options.sensor).map_err(refused)?;
        let (old, new) = (&self.options.tether, &options.tether);
        if (old.sigma_xy_nm, old.sigma_z_nm) != (new.sigma_xy_nm, new.sigma_z_nm) {
            for bead in &mut self.tethered {
                bead.set_sigmas_nm(new.sigma_xy_nm, new.sigma_z_nm).map_err(refused)?;
            }
        }
        self.options = *options;
        Ok(())
    }

    /// Beads that move.
    pub fn n_tethered(&self) -> usize {
        self.tethered.len()
    }

    /// The tethered beads move on to `time_ns`. The first time they stay where they start, in equilibrium.
    pub fn move_to(&mut self, time_ns: i64) {
        let dt_s = (time_ns - self.time_ns.unwrap_or(time_ns)) as f64 * 1e-9;
        self.time_ns = Some(time_ns);
        for bead in &mut self.tethered {
            bead.step(dt_s);
        }
    }

    /// Shows all beads with this focus of the stage, in frame `frame` of the script.
    pub fn show(&mut self, frame: u64, stage_nm: f64) {
        let o = &self.options;
        let focus_nm = stage_nm + o.script.offset_nm(frame);
        let (before, truth) = self.channels.split_at_mut(N_BEFORE_TRUTH);
        before[0] = focus_nm;
        for (bead, (&[x, y], truth)) in self.anchors_px.iter().zip(truth.as_chunks_mut::<3>().0).enumerate() {
            let (dx_nm, dy_nm, z_nm) = match bead.checked_sub(o.n_fixed) {
                None => (0.0, 0.0, o.fixed_z_nm),
                Some(i) => {
                    let [dx, dy, dz] = self.tethered[i].displacement_nm();
                    (dx, dy, o.tethered_z_nm + dz)
                }
            };
            let per_px = o.table.nm_per_px;
            let [x_px, y_px, defocus_nm] =
                self.scene.set_bead(bead, x + dx_nm / per_px, y + dy_nm / per_px, z_nm + focus_nm);
            *truth = [x_px, y_px, defocus_nm - o.fixed_z_nm];
        }
    }

    /// Writes what is shown as the pixels of frame `frame`, row by row without gaps; above 8 bits as 16 bits in the
    /// machine's order.
    pub fn expose(&self, frame: u64, pixels: &mut [u8]) {
        match (self.options.sensor.bits > 8, self.options.noise) {
            (false, true) => self.sensor.expose(&self.scene, self.options.seed, frame, pixels),
            (false, false) => self.sensor.expose_noiseless(&self.scene, pixels),
            (true, noise) => {
                let pixels = pixels.as_chunks_mut::<2>().0;
                if noise {
                    self.sensor.expose(&self.scene, self.options.seed, frame, pixels);
                } else {
                    self.sensor.expose_noiseless(&self.scene, pixels);
                }
            }
        }
    }

    /// `focus_nm`, then x_px, y_px and z_nm (as the module's head defines it) of every bead, the fixed ones first.
    pub fn channels(&self) -> &[f64] {
        &self.channels
    }
}

#[cfg(test)]
mod tests;
