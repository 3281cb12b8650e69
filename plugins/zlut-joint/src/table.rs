//! The table: the template of the pixels, and the mean profiles of the tracker that give a fit its start. Built of a sweep
//! or of its saved parts, always by the same road, so that a loaded table equals the built one.

use tetherscope_kernels::{
    BinGeometry, Isa, JointBuilder, JointTemplate, NoiseModel, SplineTable, SplineTableError, SweepFrame,
    append_mean_profile, known_weights,
};
use tetherscope_plugin_api::abi::PROFILE_RADIAL;
use tetherscope_plugin_api::{
    Error, HostHandle, ProfileLayout, Result, Roi, SavedTable, SavedTableView, SweepView, WorkerConfig,
};

/// What is looked up in.
pub struct Table {
    pub saved: SavedTable,
    pub profiles: SplineTable,
    pub template: JointTemplate,
}

/// The camera's noise, as far as it is known.
pub fn noise(config: &WorkerConfig) -> NoiseModel {
    NoiseModel {
        gain_e_per_adu: config.gain_e_per_adu,
        offset_adu: config.offset_adu,
        read_noise_e: config.read_noise_e,
    }
}

impl Table {
    /// From the parts of a file.
    pub fn load(parts: &SavedTableView<'_>) -> Result<Table> {
        let Some(bytes) = parts.bytes else {
            return Err(Error::invalid(
                "this Z-LUT has no pixel template\nit was made by another strategy, or is a text table; zlut.joint needs \
                 the template that it makes of a sweep\nbuild the Z-LUT with zlut.joint, or track with zlut.spline",
            ));
        };
        let saved = SavedTable {
            z_nm: parts.z_nm.to_vec(),
            profiles: parts.profiles.to_vec(),
            variance: parts.variance.unwrap_or_default().to_vec(),
            bytes: bytes.to_vec(),
        };
        Table::of(saved, &parts.layout)
    }

    fn of(saved: SavedTable, layout: &ProfileLayout) -> Result<Table> {
        let geometry = match layout.kind {
            PROFILE_RADIAL if layout.step_px > 0.0 => {
                BinGeometry::Radial { first_radius_px: layout.first_radius_px, step_px: layout.step_px }
            }
            _ => BinGeometry::Equal,
        };
        let n_needed = saved.z_nm.len() * layout.n_bins as usize;
        if saved.profiles.len() != n_needed {
            let n_given = saved.profiles.len();
            return Err(refused(SplineTableError::WrongLength { n_given, n_needed }));
        }
        let template = JointTemplate::from_bytes(&saved.z_nm, checked(&saved.bytes)?).map_err(refused)?;
        let profiles = SplineTable::new(&saved.z_nm, &saved.profiles, &saved.variance, &geometry).map_err(refused)?;
        Ok(Table { saved, profiles, template })
    }

    /// From the frames of a sweep. A frame counts when its x and y are finite.
    pub fn build(sweep: &SweepView<'_>, host: &HostHandle) -> Result<Table> {
        check(sweep)?;
        let config = &sweep.config;
        let size_px = config.w_px as usize;
        let mut builder =
            JointBuilder::new(size_px, noise(config), config.saturation_adu, Isa::detect()).map_err(refused)?;
        let planes = sweep.planes();
        let mut saved = SavedTable::default();
        let mut lost = Vec::new();
        for (focus_nm, entries) in &planes {
            if host.cancelled() {
                return Err(Error::cancelled());
            }
            let tracked = |i: &usize| sweep.fixes[*i].x_px.is_finite() && sweep.fixes[*i].y_px.is_finite();
            let frames: Vec<usize> = entries.iter().copied().filter(tracked).collect();
            if frames.is_empty() {
                lost.push(*focus_nm);
                continue;
            }
            add_plane(&mut builder, sweep, *focus_nm, &frames)?;
            saved.z_nm.push(*focus_nm);
            let n_bins = sweep.layout.n_bins as usize;
            let weights = |i: usize| sweep.weights.get(i * n_bins..(i + 1) * n_bins).unwrap_or_default();
            let profiles: Vec<(&[f64], &[f32])> =
                frames.iter().map(|&i| (sweep.profile(i), known_weights(weights(i)))).collect();
            append_mean_profile(n_bins, &profiles, &mut saved.profiles, &mut saved.variance);
        }
        if !lost.is_empty() {
            return Err(refused(SplineTableError::LostPlanes { lost_nm: lost, n_planes: planes.len() }));
        }
        if saved.variance.iter().all(|v| v.is_nan()) {
            saved.variance.clear();
        }
        saved.bytes = builder.finish().map_err(refused)?.to_bytes();
        saved.bytes.extend(checksum(&saved.bytes).to_le_bytes());
        Table::of(saved, &sweep.layout)
    }
}

/// Refuses sweeps that no table can be made of.
fn check(sweep: &SweepView<'_>) -> Result<()> {
    let n_bins = sweep.layout.n_bins as usize;
    if n_bins < 4 || sweep.profiles.len() != sweep.focus_nm.len() * n_bins {
        return Err(Error::invalid(format!(
            "the sweep has no profiles to start from (its tracker {} makes {n_bins} bins)\na start needs 4 bins or \
             more\ntake a tracker that makes profiles, such as tracker.quadrant",
            sweep.tracker_id
        )));
    }
    if !sweep.batch.has_pixels() {
        return Err(Error::invalid(
            "the sweep has no pixels\nzlut.joint makes its template of them\nbuild the Z-LUT from the video of the sweep",
        ));
    }
    let (w, h) = (sweep.config.w_px, sweep.config.h_px);
    if w != h || (w as usize, h as usize) != (sweep.batch.w_px(), sweep.batch.h_px()) {
        return Err(Error::invalid(format!(
            "the sweep's ROIs are {w} x {h} px\nthis strategy needs square ones\nmake them {0} x {0} px",
            w.min(h)
        )));
    }
    if let Some(i) = sweep.focus_nm.iter().position(|z| !z.is_finite()) {
        return Err(Error::invalid(format!(
            "the focus of entry {i} (frame {}) is {}\nevery frame of a sweep needs a focus position\nleave the frame out, \
             or record the sweep again",
            sweep.batch.frame_index(i),
            sweep.focus_nm[i]
        )));
    }
    Ok(())
}

fn add_plane(builder: &mut JointBuilder, sweep: &SweepView<'_>, z_nm: f64, frames: &[usize]) -> Result<()> {
    let center = |i: usize| (sweep.fixes[i].x_px, sweep.fixes[i].y_px);
    let (mut narrow, mut wide) = (Vec::new(), Vec::new());
    for &i in frames {
        let (x_px, y_px) = center(i);
        match sweep.batch.roi(i) {
            Roi::U8(image) => narrow.push(SweepFrame { image, x_px, y_px }),
            Roi::U16(image) => wide.push(SweepFrame { image, x_px, y_px }),
        }
    }
    let added = if wide.is_empty() { builder.add_plane(z_nm, &narrow) } else { builder.add_plane(z_nm, &wide) };
    added.map_err(refused)
}

/// The template's bytes, without the checksum behind them. One altered bit would give a wrong z and no flag.
fn checked(bytes: &[u8]) -> Result<&[u8]> {
    match bytes.split_last_chunk::<8>() {
        Some((template, sum)) if u64::from_le_bytes(*sum) == checksum(template) => Ok(template),
        _ => Err(Error::invalid(
            "the template in this Z-LUT cannot be read: its checksum is another\nthe file was cut or altered\nbuild the Z-LUT \
             again from its sweep",
        )),
    }
}

/// FNV-1a: against accidents, not against anybody.
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &b| (hash ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// An error of the kernels, in its three lines.
pub fn refused(error: impl std::error::Error) -> Error {
    Error::invalid(error.to_string())
}
