//! The checks of bead finders: fields with known beads and without any, the form of what they give, giving up.

use crate::checks::Check;
use crate::outcome::{Stop, Verdict, ensure};
use crate::params::at_their_ends;
use crate::picture::{Picture, Placement, Roi, SOME_Z_NM, rings};
use crate::subject::{Random, Subject, is_refusal};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tetherscope_loader::abi::{self, Rect};
use tetherscope_loader::{BeadFinder, CancelToken, Hit, Kind, PluginError};

pub(crate) const CHECKS: &[Check] = &[
    Check {
        name: "finder.known-field",
        kind: Kind::Finder,
        proves: "In a field of well separated, equal beads most are found, and little else.",
        run: known_field,
    },
    Check {
        name: "finder.empty-field",
        kind: Kind::Finder,
        proves: "In a constant field and in one of noise next to nothing is found, and that is no error.",
        run: empty_field,
    },
    Check {
        name: "finder.hits",
        kind: Kind::Finder,
        proves: "Hits have a finite place and score, the surest first, and progress is told in 0 to 1, if at all.",
        run: hits,
    },
    Check {
        name: "finder.mono16",
        kind: Kind::Finder,
        proves: "The same field in 12 of 16 bits gives as many beads as in 8 bits, at the same places.",
        run: mono16,
    },
    Check {
        name: "finder.repeat",
        kind: Kind::Finder,
        proves: "The same field gives the same hits again, and in two threads at once.",
        run: repeat,
    },
    Check {
        name: "finder.cancel",
        kind: Kind::Finder,
        proves: "A user who gives up is heard: the search ends as cancelled, or is over within a second anyway.",
        run: cancel,
    },
    Check {
        name: "finder.odd-images",
        kind: Kind::Finder,
        proves: "Tiny and oblong images, and seeds at or beyond the border, give hits or a refusal, never a panic.",
        run: odd_images,
    },
    Check {
        name: "finder.parameters",
        kind: Kind::Finder,
        proves: "Every parameter at both ends of its range works, or is refused with a reason.",
        run: parameters,
    },
];

/// Side of the fields.
const FIELD_PX: usize = 320;
/// How far a hit may be from its bead.
const NEAR_PX: f64 = 4.0;
/// Side of the seed round a bead.
const SEED_PX: u32 = 40;
/// What goes for "at once".
const AT_ONCE: Duration = Duration::from_secs(1);

/// Beads on a loose grid, 64 px apart, in arbitrary order.
fn beads() -> Vec<(f64, f64, f64)> {
    let mut random = Random::new(11);
    let mut at = move |k: usize| 38.0 + 61.0 * k as f64 + 6.0 * (random.unit() - 0.5);
    let mut all: Vec<_> = (0..25).map(|i| (at(i % 5), at(i / 5), SOME_Z_NM)).collect();
    all.rotate_left(12);
    all
}

fn field(bits: u32) -> Picture {
    let roi = rings(FIELD_PX, FIELD_PX, &beads(), bits, Some(5));
    Picture::of_size([&roi], FIELD_PX, FIELD_PX, Placement::packed(bits))
}

fn empty(noise: bool) -> Picture {
    let roi = rings(FIELD_PX, FIELD_PX, &[], 8, noise.then_some(5));
    Picture::of_size([&roi], FIELD_PX, FIELD_PX, Placement::packed(8))
}

/// The first bead as the user's example.
fn seed() -> Rect {
    let (x, y, _) = beads()[0];
    let half = f64::from(SEED_PX) / 2.0;
    Rect { x_px: (x - half).round() as i32, y_px: (y - half).round() as i32, w_px: SEED_PX, h_px: SEED_PX }
}

fn instance(subject: &Subject) -> Result<Arc<BeadFinder>, Stop> {
    Ok(BeadFinder::create(&subject.component, &subject.params()?)?)
}

fn find(finder: &BeadFinder, picture: &Picture, bits: u32) -> Result<Vec<Hit>, PluginError> {
    finder.find(&picture.rois(), bits, Some(seed()), |_| {})
}

fn known_field(subject: &Subject) -> Verdict {
    let found = find(&*instance(subject)?, &field(8), 8)?;
    let beads = beads();
    let near = |h: &Hit, b: &(f64, f64, f64)| (h.x_px - b.0).hypot(h.y_px - b.1) <= NEAR_PX;
    let right = beads.iter().filter(|b| found.iter().any(|h| near(h, b))).count();
    ensure!(right * 10 >= beads.len() * 8, "{right} of {} beads are found", beads.len());
    let false_hits = found.iter().filter(|h| !beads.iter().any(|b| near(h, b))).count();
    ensure!(false_hits * 5 <= beads.len(), "{false_hits} of {} hits are no bead", found.len());
    ensure!(
        found.len() <= beads.len() + false_hits,
        "{} hits for {} beads: some are found twice",
        found.len(),
        beads.len()
    );
    Ok(())
}

fn empty_field(subject: &Subject) -> Verdict {
    let finder = instance(subject)?;
    for noise in [false, true] {
        // No seed: there is nothing that a user could point at.
        let found = match finder.find(&empty(noise).rois(), 8, None, |_| {}) {
            Ok(found) => found,
            Err(e) if is_refusal(&e) => find(&finder, &empty(noise), 8)?,
            Err(e) => return Err(e.into()),
        };
        let name = if noise { "a field of noise" } else { "a constant field" };
        ensure!(found.len() <= if noise { 2 } else { 0 }, "in {name} {} beads are found", found.len());
    }
    Ok(())
}

fn hits(subject: &Subject) -> Verdict {
    let mut told = Vec::new();
    let found = instance(subject)?.find(&field(8).rois(), 8, Some(seed()), |p| told.push(p))?;
    for h in &found {
        ensure!(h.score.is_finite(), "the hit at ({:.1}, {:.1}) has the score {}", h.x_px, h.y_px, h.score);
    }
    let rising = found.windows(2).find(|h| h[1].score > h[0].score);
    ensure!(rising.is_none(), "the hits do not come with the surest first");
    let back = told.windows(2).any(|p| p[1] < p[0]) || told.iter().any(|p| p.is_nan());
    ensure!(!back, "its progress goes back: {told:?}");
    Ok(())
}

fn mono16(subject: &Subject) -> Verdict {
    let finder = instance(subject)?;
    let (narrow, wide) = (find(&finder, &field(8), 8)?, find(&finder, &field(12), 12)?);
    let pairs = narrow.iter().filter(|a| wide.iter().any(|b| (a.x_px - b.x_px).hypot(a.y_px - b.y_px) <= 1.0)).count();
    let (a, b) = (narrow.len(), wide.len());
    ensure!(pairs * 10 >= a.max(b) * 9, "{a} beads in 8 bits, {b} in 12, {pairs} at the same places");
    Ok(())
}

fn same_hits(a: &[Hit], b: &[Hit]) -> bool {
    let bits = |h: &Hit| (h.x_px.to_bits(), h.y_px.to_bits(), h.score.to_bits(), h.flags);
    a.len() == b.len() && a.iter().zip(b).all(|(p, q)| bits(p) == bits(q))
}

fn repeat(subject: &Subject) -> Verdict {
    let finder = instance(subject)?;
    let picture = field(8);
    let first = find(&finder, &picture, 8)?;
    ensure!(same_hits(&first, &find(&finder, &picture, 8)?), "the second search gives other hits");
    let (a, b) = std::thread::scope(|scope| {
        let other = scope.spawn(|| find(&finder, &picture, 8));
        (find(&finder, &picture, 8), other.join())
    });
    let b = b.map_err(|_| Stop::Failed("the second thread panicked".into()))?;
    ensure!(same_hits(&first, &a?) && same_hits(&first, &b?), "two searches at once give other hits than one alone");
    Ok(())
}

fn cancel(subject: &Subject) -> Verdict {
    let finder = instance(subject)?;
    let picture = field(8);
    let token = CancelToken::new();
    token.cancel();
    let begun = Instant::now();
    match token.run(|| find(&finder, &picture, 8)) {
        Err(e) if e.status == abi::STATUS_CANCELLED => {}
        Err(e) => crate::outcome::fail!("a search that was given up fails otherwise: {}", e.message),
        Ok(_) => {
            let took = begun.elapsed();
            ensure!(took <= AT_ONCE, "given up at its beginning, the search goes on for {:.1} s", took.as_secs_f64());
        }
    }
    // The next search is not given up.
    let found = find(&finder, &picture, 8)?;
    ensure!(!found.is_empty(), "after a search that was given up the next finds nothing");
    Ok(())
}

fn odd_images(subject: &Subject) -> Verdict {
    let finder = instance(subject)?;
    let polite = |outcome: Result<Vec<Hit>, PluginError>, what: &str| -> Verdict {
        if let Err(e) = outcome {
            ensure!(is_refusal(&e), "{what}: {}", e.message);
        }
        Ok(())
    };
    for (w, h) in [(1, 1), (3, 3), (1, 40), (40, 1), (17, 9), (64, 20)] {
        let roi = Roi { pixels: (0..w * h).map(|i| (i * 13 % 250) as u16).collect() };
        let picture = Picture::of_size([&roi], w, h, Placement::packed(8));
        polite(finder.find(&picture.rois(), 8, None, |_| {}), &format!("an image of {w} x {h} px"))?;
    }
    let picture = field(8);
    let side = FIELD_PX as i32;
    for (x_px, y_px, w_px, h_px) in
        [(0, 0, 0, 0), (-20, -20, 40, 40), (side - 5, 10, 40, 40), (5000, 5000, 40, 40), (0, 0, u32::MAX, u32::MAX)]
    {
        let seed = Rect { x_px, y_px, w_px, h_px };
        let outcome = finder.find(&picture.rois(), 8, Some(seed), |_| {});
        polite(outcome, &format!("a seed of {w_px} x {h_px} px at ({x_px}, {y_px})"))?;
    }
    Ok(())
}

fn parameters(subject: &Subject) -> Verdict {
    let picture = field(8);
    at_their_ends(subject, |params| {
        Ok(BeadFinder::create(&subject.component, &params).and_then(|f| find(&f, &picture, 8)).map(drop))
    })
}
