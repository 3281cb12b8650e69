//! How far the z of a Z-LUT can be trusted, from frames of its sweep that it was not made from: the same numbers for every
//! strategy, computed from nothing but focus and the z that was found.
//!
//! What counts as error is z found − focus, so a stage or a bead that moved otherwise than the focus list says shows here
//! too; `scatter_nm` within a plane against `sigma_nm` tells the two apart. Three kinds of held-out frames answer three
//! questions: half of each plane's frames (is the table consistent with itself, at its own density?), images interpolated
//! between two planes (what does the strategy make of a bead between planes?), and every second plane (what does the table
//! lose where planes are twice as far apart: an upper limit for what it loses now?).

use crate::statistics::{correlation, mean, median, rms, robust_deviation, standard_deviation};
use serde::{Deserialize, Serialize};

mod ambiguity;
mod verdict;

/// Version of what is stored. Fields are added with a default; a changed meaning is a new version.
pub const BIAS_MAP_VERSION: u32 = 1;

/// Steps of a plane beyond which an error is no error but another place.
const FAR_STEPS: f64 = 3.0;
/// And deviations of the other errors beyond which it is.
const FAR_DEVIATIONS: f64 = 6.0;
/// Places between two planes that are told apart.
const N_PLACES: usize = 8;

/// Which frames were looked up in which table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeldOutScheme {
    /// A table from one half of every plane's frames; the other half looked up.
    HalfOfFrames,
    /// The same table; images interpolated between planes of the other half.
    BetweenPlanes,
    /// A table from every second plane; the planes between looked up.
    EverySecondPlane,
}

/// One image that was looked up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LookedUp {
    /// Where its focus was.
    pub focus_nm: f64,
    /// What was found; NaN for nothing.
    pub z_nm: f64,
    /// The strategy's own standard error; NaN where it says none.
    pub sigma_z_nm: f64,
}

/// Images looked up in a table that was not made from them.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldOut {
    /// Which.
    pub scheme: HeldOutScheme,
    /// Planes of the table that they were looked up in; rising.
    pub table_z_nm: Vec<f64>,
    /// The images. Those beyond the table's planes are passed over.
    pub images: Vec<LookedUp>,
}

/// Held-out frames of one plane.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlaneBias {
    /// Focus of the plane.
    pub focus_nm: f64,
    /// Held-out images.
    pub n: u32,
    /// Without z, or with one that is far off.
    pub n_lost: u32,
    /// Mean of z found − focus; None without z.
    pub bias_nm: Option<f64>,
    /// Standard deviation of z; None of fewer than two.
    pub scatter_nm: Option<f64>,
}

/// Images at one place between two planes of the table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BetweenPlanes {
    /// 0 is on a plane, ½ in the middle between two.
    pub place: f64,
    /// Images with z.
    pub n: u32,
    /// Mean of z found − focus.
    pub bias_nm: f64,
    /// Root mean square of the same.
    pub rms_nm: f64,
}

/// A plane that looks like one far away.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ambiguity {
    /// The plane.
    pub focus_nm: f64,
    /// The plane that it looks like.
    pub like_nm: f64,
    /// How much (Pearson's correlation of the profiles).
    pub correlation: f64,
}

/// What the verdict says in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// Nothing speaks against it.
    Good,
    /// Usable, with what the sentence names in mind.
    Fair,
    /// Record it again, or use another strategy.
    Poor,
}

/// One line for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// In one word.
    pub grade: Grade,
    /// Why.
    pub sentence: String,
}

/// All that is known of one table's bias.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BiasMap {
    /// [`BIAS_MAP_VERSION`] of whoever made it.
    pub version: u32,
    /// Where `planes` come from; None where nothing could be held out.
    pub scheme: Option<HeldOutScheme>,
    /// Mean distance of the table's planes.
    pub plane_step_nm: f64,
    /// By rising focus.
    pub planes: Vec<PlaneBias>,
    /// Where `between` comes from; None where it could not be had.
    pub between_scheme: Option<HeldOutScheme>,
    /// Mean distance of the planes of the table that `between` was looked up in.
    pub between_step_nm: Option<f64>,
    /// By rising place; places without images are missing.
    pub between: Vec<BetweenPlanes>,
    /// Root mean square of z found − focus where every second plane was left out: an upper limit.
    pub coarse_rms_nm: Option<f64>,
    /// From the first to the last plane in which at least half of the held-out images were found; None where none was. A
    /// strategy may see no z at the ends of its table; what lies outside counts nowhere below.
    pub usable_nm: Option<(f64, f64)>,
    /// Held-out images.
    pub n_held_out: u32,
    /// Images without z.
    pub n_without_z: u32,
    /// Images whose z is another place.
    pub n_far: u32,
    /// Root mean square of z found − focus, those far off left out.
    pub error_rms_nm: Option<f64>,
    /// Mean of the same.
    pub error_mean_nm: Option<f64>,
    /// Root mean square of the scatter within planes.
    pub scatter_nm: Option<f64>,
    /// Root mean square of the strategy's own standard errors; None where it says none.
    pub sigma_nm: Option<f64>,
    /// Largest bias of a plane, with its sign.
    pub worst_plane_nm: Option<f64>,
    /// Largest bias at a place between planes, with its sign.
    pub worst_between_nm: Option<f64>,
    /// Planes from which the mean z found falls to the next.
    pub falls_at_nm: Vec<f64>,
    /// Planes that look like one far away.
    pub ambiguous: Vec<Ambiguity>,
    /// One line for people.
    pub verdict: Verdict,
}

/// Computes the map of a table with planes `z_nm` and `profiles` (`[plane × bin]`, NaN for empty bins; may be empty: then no
/// plane can be found ambiguous). A scheme may come with several tables.
///
/// # Panics
/// When the profiles do not go into the planes.
pub fn bias_map(z_nm: &[f64], profiles: &[f64], held_out: &[HeldOut]) -> BiasMap {
    let by = |scheme: HeldOutScheme| {
        let all: Vec<&HeldOut> = held_out.iter().filter(|h| h.scheme == scheme).collect();
        (!all.is_empty()).then(|| (scheme, Errors::of(&all)))
    };
    let (mut halves, mut second) = (by(HeldOutScheme::HalfOfFrames), by(HeldOutScheme::EverySecondPlane));
    let mut between = by(HeldOutScheme::BetweenPlanes);
    let mut map = BiasMap {
        version: BIAS_MAP_VERSION,
        scheme: None,
        plane_step_nm: step_nm(z_nm).unwrap_or(0.0),
        planes: Vec::new(),
        between_scheme: None,
        between_step_nm: None,
        between: Vec::new(),
        coarse_rms_nm: None,
        usable_nm: None,
        n_held_out: 0,
        n_without_z: 0,
        n_far: 0,
        error_rms_nm: None,
        error_mean_nm: None,
        scatter_nm: None,
        sigma_nm: None,
        worst_plane_nm: None,
        worst_between_nm: None,
        falls_at_nm: Vec::new(),
        ambiguous: ambiguity::ambiguous_planes(z_nm, profiles),
        verdict: Verdict { grade: Grade::Poor, sentence: String::new() },
    };
    if let Some((scheme, errors)) = halves.as_ref().or(second.as_ref()) {
        map.scheme = Some(*scheme);
        map.planes = errors.planes();
        map.usable_nm = usable(&map.planes);
    }
    if let Some(usable) = map.usable_nm {
        let all = [&mut halves, &mut second, &mut between];
        all.into_iter().flatten().for_each(|(_, errors)| errors.keep_within(usable));
    }
    if let Some((_, errors)) = halves.as_ref().or(second.as_ref()) {
        map.n_held_out = errors.images.len() as u32;
        map.n_without_z = errors.images.iter().filter(|i| i.z_nm.is_nan()).count() as u32;
        map.n_far = errors.images.iter().filter(|i| errors.is_far(i)).count() as u32;
        map.error_rms_nm = rms(&errors.near());
        map.error_mean_nm = mean(&errors.near());
        let sigmas: Vec<f64> = errors
            .images
            .iter()
            .filter(|i| errors.is_near(i) && i.sigma_z_nm.is_finite())
            .map(|i| i.sigma_z_nm)
            .collect();
        map.sigma_nm = rms(&sigmas);
        let planes = errors.planes();
        map.scatter_nm = rms(&planes.iter().filter_map(|p| p.scatter_nm).collect::<Vec<_>>());
        map.worst_plane_nm = worst(planes.iter().filter_map(|p| p.bias_nm));
        map.falls_at_nm = falls(&planes);
    }
    if let Some((scheme, errors)) = between.as_ref().or(second.as_ref()) {
        map.between_scheme = Some(*scheme);
        map.between_step_nm = Some(errors.step_nm);
        map.between = errors.places();
        map.worst_between_nm = worst(map.between.iter().map(|b| b.bias_nm));
    }
    map.coarse_rms_nm = second.and_then(|(_, errors)| rms(&errors.near()));
    map.verdict = verdict::verdict(&map);
    map
}

fn step_nm(z_nm: &[f64]) -> Option<f64> {
    (z_nm.len() > 1).then(|| (z_nm[z_nm.len() - 1] - z_nm[0]) / (z_nm.len() - 1) as f64)
}

/// Where a focus lies between two planes, 0 to 1; None beyond the planes.
fn place_between(z_nm: &[f64], focus_nm: f64) -> Option<f64> {
    let above = z_nm.partition_point(|z| *z <= focus_nm);
    match above {
        0 => None,
        _ if above < z_nm.len() => Some((focus_nm - z_nm[above - 1]) / (z_nm[above] - z_nm[above - 1])),
        // The last plane itself.
        _ => (z_nm[above - 1] == focus_nm).then_some(0.0),
    }
}

/// The value farthest from 0.
fn worst(values: impl Iterator<Item = f64>) -> Option<f64> {
    values.max_by(|a, b| a.abs().total_cmp(&b.abs()))
}

/// The images of one scheme that lie within their table, and what counts as far off.
struct Errors {
    images: Vec<LookedUp>,
    /// Per image: where it lies between two planes of its table, 0 to 1.
    places: Vec<f64>,
    step_nm: f64,
    middle_nm: f64,
    far_nm: f64,
}

impl Errors {
    fn of(held_out: &[&HeldOut]) -> Self {
        let (mut images, mut places) = (Vec::new(), Vec::new());
        for h in held_out {
            for image in &h.images {
                if let Some(place) = place_between(&h.table_z_nm, image.focus_nm) {
                    images.push(*image);
                    places.push(place);
                }
            }
        }
        let errors: Vec<f64> = images.iter().map(|i| i.z_nm - i.focus_nm).filter(|e| e.is_finite()).collect();
        let steps: Vec<f64> = held_out.iter().filter_map(|h| step_nm(&h.table_z_nm)).collect();
        let step_nm = mean(&steps).unwrap_or(0.0);
        let far_nm = (FAR_STEPS * step_nm).max(FAR_DEVIATIONS * robust_deviation(&errors).unwrap_or(0.0));
        Self { images, places, step_nm, middle_nm: median(&errors).unwrap_or(0.0), far_nm }
    }

    /// Forgets images outside.
    fn keep_within(&mut self, (from, to): (f64, f64)) {
        let inside: Vec<bool> = self.images.iter().map(|i| (from..=to).contains(&i.focus_nm)).collect();
        let mut of_images = inside.iter();
        self.images.retain(|_| *of_images.next().expect("one for each image"));
        let mut of_places = inside.iter();
        self.places.retain(|_| *of_places.next().expect("one for each image"));
    }

    fn is_near(&self, image: &LookedUp) -> bool {
        (image.z_nm - image.focus_nm - self.middle_nm).abs() <= self.far_nm
    }

    fn is_far(&self, image: &LookedUp) -> bool {
        image.z_nm.is_finite() && !self.is_near(image)
    }

    fn near(&self) -> Vec<f64> {
        self.images.iter().filter(|i| self.is_near(i)).map(|i| i.z_nm - i.focus_nm).collect()
    }

    fn planes(&self) -> Vec<PlaneBias> {
        let mut focus: Vec<f64> = self.images.iter().map(|i| i.focus_nm).collect();
        focus.sort_by(f64::total_cmp);
        focus.dedup();
        let plane = |&focus_nm: &f64| {
            let here: Vec<&LookedUp> = self.images.iter().filter(|i| i.focus_nm == focus_nm).collect();
            let errors: Vec<f64> = here.iter().filter(|i| self.is_near(i)).map(|i| i.z_nm - focus_nm).collect();
            PlaneBias {
                focus_nm,
                n: here.len() as u32,
                n_lost: (here.len() - errors.len()) as u32,
                bias_nm: mean(&errors),
                scatter_nm: standard_deviation(&errors),
            }
        };
        focus.iter().map(plane).collect()
    }

    fn places(&self) -> Vec<BetweenPlanes> {
        let mut errors: [Vec<f64>; N_PLACES] = Default::default();
        for (image, place) in self.images.iter().zip(&self.places).filter(|(i, _)| self.is_near(i)) {
            errors[(place * N_PLACES as f64).round() as usize % N_PLACES].push(image.z_nm - image.focus_nm);
        }
        let entry = |(place, errors): (usize, &Vec<f64>)| {
            Some(BetweenPlanes {
                place: place as f64 / N_PLACES as f64,
                n: errors.len() as u32,
                bias_nm: mean(errors)?,
                rms_nm: rms(errors)?,
            })
        };
        errors.iter().enumerate().filter_map(entry).collect()
    }
}

/// From the first to the last plane in which at least half of the images were found.
fn usable(planes: &[PlaneBias]) -> Option<(f64, f64)> {
    let found = |p: &&PlaneBias| 2 * p.n_lost <= p.n;
    let (first, last) = (planes.iter().find(found)?, planes.iter().rfind(found)?);
    Some((first.focus_nm, last.focus_nm))
}

/// Planes from which the mean z found falls to the next one that has z.
fn falls(planes: &[PlaneBias]) -> Vec<f64> {
    let found: Vec<(f64, f64)> = planes.iter().filter_map(|p| Some((p.focus_nm, p.focus_nm + p.bias_nm?))).collect();
    found.windows(2).filter(|w| w[1].1 <= w[0].1).map(|w| w[0].0).collect()
}

#[cfg(test)]
mod tests;
