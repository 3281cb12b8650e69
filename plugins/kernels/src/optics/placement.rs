//! Where beads lie on an image: at random, but not on top of each other (dart throwing).

use rand_distr::{Distribution, Uniform};

use super::error::{OpticsError, check_count, check_not_negative};
use super::random::{Purpose, stream};

/// Darts in a row that may miss before the separation is relaxed, and by which factor it is.
const MISSES_BEFORE_RELAXING: usize = 2000;
const RELAXATION: f64 = 0.95;

/// How many beads, where, how far apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlacementParameters {
    /// Beads wanted.
    pub n_beads: usize,
    /// Columns of the image.
    pub width_px: usize,
    /// Rows of the image.
    pub height_px: usize,
    /// Distance that bead centres keep from the middle of the outermost pixels; less where the image is too small for it.
    pub margin_px: f64,
    /// Distance that beads keep from each other, if they fit.
    pub separation_px: f64,
    /// The distance is relaxed down to this; beads that don't fit then are left out.
    pub least_separation_px: f64,
}

impl Default for PlacementParameters {
    fn default() -> Self {
        Self {
            n_beads: 8,
            width_px: 512,
            height_px: 256,
            margin_px: 27.0,
            separation_px: 50.0,
            least_separation_px: 4.0,
        }
    }
}

/// Where the beads are. It may hold fewer than were wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct Layout {
    /// (x_px, y_px) per bead that fitted, in the order of placing.
    pub positions_px: Vec<[f64; 2]>,
    /// The distance that the last bead kept: below the one asked for when it had to be relaxed.
    pub separation_px: f64,
}

impl Layout {
    /// How many beads fitted.
    pub fn n_fitted(&self) -> usize {
        self.positions_px.len()
    }
}

/// Throws beads onto the image, each at a uniformly random place that is far enough from those before it.
///
/// After 2,000 misses in a row the separation shrinks by 5 %, down to `least_separation_px`; then the rest is left out.
/// The same seed and parameters give the same layout. Allocates; for set-up, not for every frame.
///
/// # Errors
/// A side outside 1 to 65,536 px, more than 100,000 beads, a distance that is negative or not finite.
pub fn place_beads(parameters: &PlacementParameters, seed: u64) -> Result<Layout, OpticsError> {
    let p = parameters;
    check_count("n_beads", p.n_beads, 0, 100_000)?;
    check_count("width_px", p.width_px, 1, 65_536)?;
    check_count("height_px", p.height_px, 1, 65_536)?;
    check_not_negative("margin_px", p.margin_px)?;
    check_not_negative("separation_px", p.separation_px)?;
    check_not_negative("least_separation_px", p.least_separation_px)?;
    let range = |size: usize| {
        let last = size as f64 - 1.0;
        let margin = p.margin_px.min(last / 2.0);
        Uniform::new_inclusive(margin, last - margin).expect("the margin is at most half the image")
    };
    let (columns, rows) = (range(p.width_px), range(p.height_px));
    let mut rng = stream(seed, Purpose::Placement, 0);
    let mut cells = Cells::new(p, p.separation_px);
    let mut misses = 0;
    while cells.positions.len() < p.n_beads {
        let dart = [columns.sample(&mut rng), rows.sample(&mut rng)];
        if cells.is_free(dart) {
            cells.add(dart);
            misses = 0;
            continue;
        }
        misses += 1;
        if misses == MISSES_BEFORE_RELAXING {
            let relaxed = cells.separation_px * RELAXATION;
            if relaxed < p.least_separation_px || relaxed < f64::MIN_POSITIVE {
                break;
            }
            let placed = std::mem::take(&mut cells.positions);
            cells = Cells::new(p, relaxed);
            placed.into_iter().for_each(|position| cells.add(position));
            misses = 0;
        }
    }
    Ok(Layout { positions_px: cells.positions, separation_px: cells.separation_px })
}

/// Beads by square of the image, so that a dart is compared with its neighbours only.
struct Cells {
    separation_px: f64,
    side_px: f64,
    n_columns: usize,
    n_rows: usize,
    members: Vec<Vec<usize>>,
    positions: Vec<[f64; 2]>,
}

impl Cells {
    fn new(p: &PlacementParameters, separation_px: f64) -> Self {
        // Neighbours closer than the separation are at most one square away; tiny squares would only cost memory.
        let side_px = separation_px.max(8.0);
        let along = |size: usize| (size as f64 / side_px) as usize + 1;
        let (n_columns, n_rows) = (along(p.width_px), along(p.height_px));
        let members = vec![Vec::new(); n_columns * n_rows];
        Self { separation_px, side_px, n_columns, n_rows, members, positions: Vec::new() }
    }

    fn cell(&self, [x, y]: [f64; 2]) -> (usize, usize) {
        ((x / self.side_px) as usize, (y / self.side_px) as usize)
    }

    fn add(&mut self, position: [f64; 2]) {
        let (column, row) = self.cell(position);
        self.members[row * self.n_columns + column].push(self.positions.len());
        self.positions.push(position);
    }

    fn is_free(&self, [x, y]: [f64; 2]) -> bool {
        let (column, row) = self.cell([x, y]);
        let near = |at: usize, n: usize| at.saturating_sub(1)..(at + 2).min(n);
        near(row, self.n_rows).all(|row| {
            near(column, self.n_columns).all(|column| {
                self.members[row * self.n_columns + column].iter().all(|&i| {
                    let [bx, by] = self.positions[i];
                    (bx - x).hypot(by - y) >= self.separation_px
                })
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closest(layout: &Layout) -> f64 {
        let p = &layout.positions_px;
        (0..p.len())
            .flat_map(|i| (0..i).map(move |j| (p[i][0] - p[j][0]).hypot(p[i][1] - p[j][1])))
            .fold(f64::INFINITY, f64::min)
    }

    #[test]
    fn beads_keep_their_distance_from_each_other_and_from_the_border() {
        for seed in 0..20 {
            let layout = place_beads(&PlacementParameters::default(), seed).unwrap();
            assert_eq!((layout.n_fitted(), layout.separation_px), (8, 50.0));
            assert!(closest(&layout) >= 50.0);
            assert!(
                layout.positions_px.iter().all(|p| (27.0..=484.0).contains(&p[0]) && (27.0..=228.0).contains(&p[1]))
            );
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_layout_and_another_seed_another() {
        let p = PlacementParameters::default();
        assert_eq!(place_beads(&p, 1).unwrap(), place_beads(&p, 1).unwrap());
        assert_ne!(place_beads(&p, 1).unwrap(), place_beads(&p, 2).unwrap());
    }

    #[test]
    fn more_beads_keep_the_places_of_the_first_ones() {
        let few = place_beads(&PlacementParameters { n_beads: 5, ..Default::default() }, 3).unwrap();
        let more = place_beads(&PlacementParameters { n_beads: 12, ..Default::default() }, 3).unwrap();
        assert_eq!(few.positions_px[..], more.positions_px[..5]);
    }

    #[test]
    fn a_crowd_relaxes_the_separation() {
        let layout = place_beads(&PlacementParameters { n_beads: 120, ..Default::default() }, 1).unwrap();
        assert_eq!(layout.n_fitted(), 120);
        assert!(layout.separation_px < 50.0 && layout.separation_px > 10.0, "{}", layout.separation_px);
        assert!(closest(&layout) >= layout.separation_px);
    }

    #[test]
    fn what_cannot_fit_is_left_out_and_counted() {
        let crowd = PlacementParameters { n_beads: 5000, least_separation_px: 20.0, ..Default::default() };
        let layout = place_beads(&crowd, 1).unwrap();
        assert!((50..400).contains(&layout.n_fitted()), "{}", layout.n_fitted());
        assert!(closest(&layout) >= 20.0);
        let touching = PlacementParameters { n_beads: 10, separation_px: 0.0, least_separation_px: 0.0, ..crowd };
        assert_eq!(place_beads(&touching, 1).unwrap().n_fitted(), 10);
    }

    #[test]
    fn an_image_smaller_than_its_margins_takes_beads_in_the_middle() {
        let tiny = PlacementParameters { n_beads: 1, width_px: 9, height_px: 1, ..Default::default() };
        assert_eq!(place_beads(&tiny, 1).unwrap().positions_px, [[4.0, 0.0]]);
    }
}
