//! The parameters as the simulation uses them, and what must fit together beyond the range of each one.

use crate::focus_script::FocusScript;
use tetherscope_kernels::optics::{
    BeadOptics, PlacementParameters, RadialTableParameters, SceneParameters, SensorParameters, TetherParameters,
};
use tetherscope_plugin_api::{Error, ParamValues, Result};

/// The part of `crop_radius_nm` over which beads fade.
const TAPER_PART: f64 = 2.0 / 15.0;

/// Values of all parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// Image and light.
    pub scene: SceneParameters,
    /// Bead and objective.
    pub table: RadialTableParameters,
    /// Electrons, read noise, bits.
    pub sensor: SensorParameters,
    /// False: expected brightness.
    pub noise: bool,
    /// How the tethered beads move.
    pub tether: TetherParameters,
    /// Where the beads are.
    pub placement: PlacementParameters,
    /// Fixed beads.
    pub n_fixed: usize,
    /// Height of the fixed beads.
    pub fixed_z_nm: f64,
    /// Mean height of the tethered beads.
    pub tethered_z_nm: f64,
    /// The scripted focus.
    pub script: FocusScript,
    /// Frames per second.
    pub frame_rate_hz: f64,
    /// Exposure.
    pub exposure_ns: i64,
    /// Frames of a run; 0 endless.
    pub n_frames: u64,
    /// Seed.
    pub seed: u64,
}

impl Options {
    /// Reads the values of all keys of the schema, each in its range.
    ///
    /// # Errors
    /// An exposure longer than a frame, or margins that leave no room.
    pub fn from_values(values: &ParamValues) -> Result<Self> {
        let size = |key: &str| -> Result<usize> { Ok(usize::try_from(values.int(key)?).unwrap_or(0)) };
        let count = |key: &str| -> Result<u64> { Ok(u64::try_from(values.int(key)?).unwrap_or(0)) };
        let number = |key: &str| values.float(key);
        let (width_px, height_px) = (size("width_px")?, size("height_px")?);
        let (n_fixed, n_tethered) = (size("n_fixed")?, size("n_tethered")?);
        let n_beads = n_fixed + n_tethered;
        let crop_radius_nm = number("crop_radius_nm")?;
        let (nm_per_px, defocus_range_nm) = (number("nm_per_px")?, number("defocus_range_nm")?);
        let (min_separation_px, margin_px) = (number("min_separation_px")?, number("margin_px")?);
        let crop_radius_px = crop_radius_nm / nm_per_px;
        let exposure_ms = number("exposure_ms")?;
        let options = Self {
            scene: SceneParameters {
                width_px,
                height_px,
                n_beads,
                background_level: number("background_level")?,
                contrast_scale: number("contrast")?,
            },
            table: RadialTableParameters {
                bead: BeadOptics {
                    radius_nm: number("bead_radius_nm")?,
                    wavelength_nm: number("wavelength_nm")?,
                    index_sphere: number("index_sphere")?,
                    index_medium: number("index_medium")?,
                    numerical_aperture: number("numerical_aperture")?,
                    absorption_per_nm: 0.0,
                },
                nm_per_px,
                crop_radius_nm,
                taper_nm: crop_radius_nm * TAPER_PART,
                z_min_nm: -defocus_range_nm,
                z_max_nm: defocus_range_nm,
            },
            sensor: SensorParameters {
                full_scale_electrons: number("full_scale_e")?,
                read_noise_electrons: number("read_noise_e")?,
                bits: values.text("bits")?.parse().map_err(|_| Error::internal("`bits` is not a number"))?,
            },
            noise: values.bool("noise")?,
            tether: TetherParameters {
                theta_xy_per_s: number("theta_xy_per_s")?,
                theta_z_per_s: number("theta_z_per_s")?,
                sigma_xy_nm: number("tethered_xy_sigma_nm")?,
                sigma_z_nm: number("tethered_z_sigma_nm")?,
            },
            placement: PlacementParameters {
                n_beads,
                width_px,
                height_px,
                margin_px,
                // Where there is room, their rings touch neither each other nor a ROI that the margin makes room for.
                separation_px: min_separation_px.max(crop_radius_px + crop_radius_px.max(margin_px)),
                least_separation_px: min_separation_px,
            },
            n_fixed,
            fixed_z_nm: number("fixed_z_nm")?,
            tethered_z_nm: number("tethered_z_nm")?,
            script: FocusScript {
                start_nm: number("focus_start_nm")?,
                step_nm: number("focus_step_nm")?,
                frames_per_step: count("frames_per_step")?.max(1),
                n_steps: count("n_focus_steps")?,
            },
            frame_rate_hz: number("frame_rate_hz")?,
            exposure_ns: (exposure_ms * 1e6).round() as i64,
            n_frames: count("n_frames")?,
            seed: count("seed")?,
        };
        options.check(exposure_ms)?;
        Ok(options)
    }

    /// Beads that move.
    pub fn n_tethered(&self) -> usize {
        self.scene.n_beads - self.n_fixed
    }

    fn check(&self, exposure_ms: f64) -> Result<()> {
        let frame_ns = (1e9 / self.frame_rate_hz).round() as i64;
        if self.exposure_ns > frame_ns {
            return Err(Error::invalid(format!(
                "`exposure_ms` is {exposure_ms}\nat {} frames per second a frame has {} ms\n\
                 lower `exposure_ms` or `frame_rate_hz`",
                self.frame_rate_hz,
                frame_ns as f64 * 1e-6
            )));
        }
        let (width, height, margin) = (self.scene.width_px, self.scene.height_px, self.placement.margin_px);
        if self.scene.n_beads > 0 && 2.0 * margin > (width.min(height) - 1) as f64 {
            return Err(Error::invalid(format!(
                "`margin_px` is {margin}\nframes of {width} x {height} px have no room for beads between such margins\n\
                 lower `margin_px`, or make the frames larger",
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::schema;
    use tetherscope_plugin_api::Value;

    fn with(changes: &[(&str, Value)]) -> Result<Options> {
        let mut values = ParamValues::defaults(&schema());
        changes.iter().for_each(|(key, value)| values.set(key, value.clone()));
        Options::from_values(&values)
    }

    #[test]
    fn every_default_is_in_its_range_and_all_fit_together() {
        for parameter in schema() {
            parameter.check(parameter.default_value()).unwrap();
        }
        let options = with(&[]).unwrap();
        assert_eq!((options.scene.n_beads, options.n_fixed, options.n_tethered()), (8, 5, 3));
        assert_eq!(options.exposure_ns, 100_000);
    }

    #[test]
    fn an_exposure_longer_than_a_frame_is_refused_with_the_longest_one() {
        let error = with(&[("exposure_ms", Value::Float(6.0)), ("frame_rate_hz", Value::Float(200.0))]).unwrap_err();
        assert!(error.message().contains("a frame has 5 ms"), "{error}");
        with(&[("exposure_ms", Value::Float(5.0)), ("frame_rate_hz", Value::Float(200.0))]).unwrap();
        with(&[("frame_rate_hz", Value::Float(10_000.0))]).unwrap();
    }

    #[test]
    fn margins_that_leave_no_room_are_refused_by_name() {
        let small = [("height_px", Value::Int(64))];
        assert!(with(&small).unwrap_err().message().contains("`margin_px` is 40"));
        with(&[("height_px", Value::Int(64)), ("margin_px", Value::Float(20.0))]).unwrap();
    }

    #[test]
    fn beads_keep_their_rings_apart_where_there_is_room() {
        assert_eq!(with(&[]).unwrap().placement.separation_px, 70.0);
        let fine = with(&[("nm_per_px", Value::Float(100.0))]).unwrap().placement;
        assert_eq!((fine.separation_px, fine.least_separation_px), (120.0, 50.0));
    }
}
