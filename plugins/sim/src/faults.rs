//! The fault script of `camera.sim`: which frames are lost, late, double, corrupt or torn, when the camera stalls or is
//! unplugged, and how fast its clock runs. What happens to a frame depends on the script, the seed and the frame's number
//! alone, so it is the same in every run; `run.rs` does it.
//!
//! # The script
//! Entries between `;`, frames by number from 0, `A..B` with both ends, times in `ns`, `us`, `ms` or `s`:
//!
//! | entry | what happens |
//! |---|---|
//! | `lost 100..103` | the frames never come; their ids are missing |
//! | `lost 100..103 told` | the camera also tells how many |
//! | `late 200 50ms` | the frame comes so much later than it should; live only |
//! | `duplicate 300` | it comes twice, with the same id and time |
//! | `corrupt 400` | its pixels are wrong, and the camera says so |
//! | `torn 410` | its lower half is missing, and the camera says so |
//! | `stall 600 2s` | the camera makes no frame for so long before this one; ids go on, no frame is missing |
//! | `unplug 500 1s` | the camera is gone, cannot be opened for so long, and begins its ids and its time anew when it is started again; the frames of that time are lost |
//! | `drift 50ppm` | its clock runs so much too fast |
//! | `random 0.001 lost` | each frame with this probability: `lost`, `late 5ms`, `duplicate`, `corrupt` or `torn` |

use std::time::Duration;
use tetherscope_plugin_api::abi::{FRAME_CORRUPT, FRAME_INCOMPLETE};

/// Longest time that an entry may name.
const MOST_NS: f64 = 3600e9;

/// A script.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FaultScript {
    entries: Vec<Entry>,
    drift_ppm: f64,
    seed: u64,
}

#[derive(Debug, Clone, PartialEq)]
struct Entry {
    what: What,
    when: When,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum What {
    Lost { told: bool },
    Late { ns: i64 },
    Duplicate,
    Corrupt,
    Torn,
    Stall { ns: i64 },
    Unplug { ns: i64 },
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum When {
    Frames { first: u64, last: u64 },
    Random { probability: f64 },
}

/// What happens to one frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fate {
    /// It never comes.
    pub lost: bool,
    /// The camera tells that it does not.
    pub told: bool,
    /// It comes so much later.
    pub late_ns: i64,
    /// It comes twice.
    pub duplicate: bool,
    /// Its pixels are wrong.
    pub corrupt: bool,
    /// Its lower half is missing.
    pub torn: bool,
    /// The camera makes no frame for so long before it.
    pub stall_ns: i64,
    /// The camera is unplugged before it, for so long; 0: it is not.
    pub unplug_ns: i64,
}

impl Fate {
    /// Bits of the channel `injected`, for a frame that comes.
    pub const LATE: u32 = 1;
    /// The second copy of a frame.
    pub const DUPLICATE: u32 = 2;
    /// Its pixels are wrong.
    pub const CORRUPT: u32 = 4;
    /// Its lower half is missing.
    pub const TORN: u32 = 8;
    /// The camera stalled before it.
    pub const STALL: u32 = 16;

    /// What the channel `injected` says of it.
    pub fn bits(&self, is_copy: bool) -> u32 {
        let bit = |set: bool, bit: u32| if set { bit } else { 0 };
        bit(self.late_ns > 0, Self::LATE)
            | bit(is_copy, Self::DUPLICATE)
            | bit(self.corrupt, Self::CORRUPT)
            | bit(self.torn, Self::TORN)
            | bit(self.stall_ns > 0, Self::STALL)
    }

    /// Spoils the pixels as it says, and gives the frame's status.
    pub fn spoil(&self, pixels: &mut [u8]) -> u32 {
        let mut status = 0;
        if self.corrupt {
            pixels.iter_mut().for_each(|p| *p ^= 0xa5);
            status |= FRAME_CORRUPT;
        }
        if self.torn {
            let half = pixels.len() / 2;
            pixels[half..].fill(0);
            status |= FRAME_INCOMPLETE;
        }
        status
    }
}

impl FaultScript {
    /// Reads a script; empty text is none. The error is three lines.
    pub fn parse(text: &str, seed: u64) -> Result<Self, String> {
        let mut script = Self { seed, ..Self::default() };
        for entry in text.split(';').map(str::trim).filter(|e| !e.is_empty()) {
            script.read(entry).map_err(|cause| {
                format!(
                    "`faults` cannot be read at `{entry}`\n{cause}\nexamples: `lost 100..103; late 200 50ms; duplicate \
                     300; corrupt 400; torn 410; unplug 500 1s; stall 600 2s; drift 50ppm; random 0.001 lost`"
                )
            })?;
        }
        Ok(script)
    }

    /// True when nothing happens.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.drift_ppm == 0.0
    }

    fn read(&mut self, entry: &str) -> Result<(), String> {
        let mut words = entry.split_whitespace();
        let mut next = |what: &str| words.next().ok_or_else(|| format!("{what} is missing"));
        let verb = next("the fault")?;
        let entry = match verb {
            "drift" => {
                self.drift_ppm = ppm(next("the drift, as in `50ppm`")?)?;
                None
            }
            "random" => {
                let probability = probability(next("the probability")?)?;
                let what = next("what happens at random")?;
                let rest: Vec<&str> = words.by_ref().collect();
                let what = what_of(what, &rest)?;
                if matches!(what, What::Stall { .. } | What::Unplug { .. }) {
                    return Err("stalls and unplugging happen at a frame, not at random".into());
                }
                Some(Entry { what, when: When::Random { probability } })
            }
            _ => {
                let when = frames(next("the frame")?)?;
                let rest: Vec<&str> = words.by_ref().collect();
                let what = what_of(verb, &rest)?;
                let once = matches!(what, What::Stall { .. } | What::Unplug { .. });
                if once && !matches!(when, When::Frames { first, last } if first == last) {
                    return Err(format!("`{verb}` happens at one frame"));
                }
                Some(Entry { what, when })
            }
        };
        if let Some(word) = words.next() {
            return Err(format!("`{word}` is more than belongs there"));
        }
        self.entries.extend(entry);
        Ok(())
    }

    /// What happens to a frame.
    pub fn fate(&self, frame: u64) -> Fate {
        let mut fate = Fate::default();
        for (number, entry) in self.entries.iter().enumerate() {
            let applies = match entry.when {
                When::Frames { first, last } => (first..=last).contains(&frame),
                When::Random { probability } => uniform(self.seed, number as u64, frame) < probability,
            };
            if !applies {
                continue;
            }
            match entry.what {
                What::Lost { told } => (fate.lost, fate.told) = (true, fate.told || told),
                What::Late { ns } => fate.late_ns = fate.late_ns.max(ns),
                What::Duplicate => fate.duplicate = true,
                What::Corrupt => fate.corrupt = true,
                What::Torn => fate.torn = true,
                What::Stall { ns } => fate.stall_ns += ns,
                What::Unplug { ns } => fate.unplug_ns = ns,
            }
        }
        fate
    }

    /// The first frame from `from` on, and before `until`, at which the camera stalls or is unplugged; else `until`.
    pub fn next_break(&self, from: u64, until: u64) -> u64 {
        let breaks = self.entries.iter().filter_map(|e| match (e.what, e.when) {
            (What::Stall { .. } | What::Unplug { .. }, When::Frames { first, .. }) => Some(first),
            _ => None,
        });
        breaks.filter(|f| (from..until).contains(f)).min().unwrap_or(until)
    }

    /// The camera's own time at the true time `t_ns`.
    pub fn device_ns(&self, t_ns: i64) -> i64 {
        t_ns + (t_ns as f64 * self.drift_ppm * 1e-6).round() as i64
    }
}

fn what_of(verb: &str, rest: &[&str]) -> Result<What, String> {
    let time = |default: Option<i64>| match rest {
        [] => default.ok_or_else(|| format!("`{verb}` needs a time, as in `50ms`")),
        [time] => time_ns(time),
        [_, more, ..] => Err(format!("`{more}` is more than belongs there")),
    };
    let none = |what| match rest {
        [] => Ok(what),
        [more, ..] => Err(format!("`{more}` is more than belongs there")),
    };
    match verb {
        "lost" if rest == ["told"] => Ok(What::Lost { told: true }),
        "lost" => none(What::Lost { told: false }),
        "late" => Ok(What::Late { ns: time(None)? }),
        "duplicate" => none(What::Duplicate),
        "corrupt" => none(What::Corrupt),
        "torn" => none(What::Torn),
        "stall" => Ok(What::Stall { ns: time(None)? }),
        "unplug" => Ok(What::Unplug { ns: time(Some(1_000_000_000))?.max(1) }),
        other => Err(format!("there is no fault `{other}`")),
    }
}

fn frames(text: &str) -> Result<When, String> {
    let number = |t: &str| t.parse::<u64>().map_err(|_| format!("`{t}` is no frame number"));
    let (first, last) = match text.split_once("..") {
        None => (number(text)?, number(text)?),
        Some((first, last)) => (number(first)?, number(last)?),
    };
    if last < first {
        return Err(format!("`{text}` ends before it begins"));
    }
    Ok(When::Frames { first, last })
}

fn probability(text: &str) -> Result<f64, String> {
    let p: f64 = text.parse().map_err(|_| format!("`{text}` is no probability"))?;
    if (0.0..=1.0).contains(&p) { Ok(p) } else { Err(format!("a probability is from 0 to 1, not {text}")) }
}

fn ppm(text: &str) -> Result<f64, String> {
    let ppm: f64 = text
        .strip_suffix("ppm")
        .and_then(|t| t.parse().ok())
        .ok_or_else(|| format!("`{text}` is no drift; write it as in `50ppm`"))?;
    if ppm.abs() <= 10_000.0 { Ok(ppm) } else { Err(format!("a drift is at most 10000ppm, not {text}")) }
}

fn time_ns(text: &str) -> Result<i64, String> {
    let wrong = || format!("`{text}` is no time; write it as in `50ms` or `2s`");
    let (number, factor) = [("ns", 1.0), ("us", 1e3), ("ms", 1e6), ("s", 1e9)]
        .iter()
        .find_map(|(unit, factor)| text.strip_suffix(unit).map(|n| (n, factor)))
        .ok_or_else(wrong)?;
    let ns = number.parse::<f64>().map_err(|_| wrong())? * factor;
    if (0.0..=MOST_NS).contains(&ns) {
        Ok(ns.round() as i64)
    } else {
        Err(format!("a time is at most {:?}, not {text}", Duration::from_nanos(MOST_NS as u64)))
    }
}

/// A number from 0 to 1 that belongs to an entry and a frame: three rounds of SplitMix64's mixing.
fn uniform(seed: u64, entry: u64, frame: u64) -> f64 {
    let mix = |z: u64| {
        let z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    // 53 bits: all that fit between 0 and 1.
    (mix(mix(mix(seed) ^ entry) ^ frame) >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(text: &str) -> FaultScript {
        FaultScript::parse(text, 1).unwrap()
    }

    #[test]
    fn a_script_says_what_happens_to_each_frame() {
        let all = "lost 100..103 told; late 200 50ms; duplicate 300; corrupt 400; torn 410;unplug 500; stall 600 2s; \
                   drift 50ppm; late 200..201 1us";
        let s = script(all);
        let lost = Fate { lost: true, told: true, ..Fate::default() };
        assert_eq!([99, 100, 103, 104].map(|f| s.fate(f)), [Fate::default(), lost, lost, Fate::default()]);
        assert_eq!((s.fate(200).late_ns, s.fate(201).late_ns), (50_000_000, 1000));
        assert!(s.fate(300).duplicate && s.fate(400).corrupt && s.fate(410).torn);
        assert_eq!((s.fate(500).unplug_ns, s.fate(600).stall_ns), (1_000_000_000, 2_000_000_000));
        assert_eq!((s.next_break(0, 550), s.next_break(501, 550), s.next_break(501, 900)), (500, 550, 600));
        assert_eq!(s.device_ns(1_000_000_000), 1_000_050_000);
        assert!(script(" ; ").is_empty() && !script("drift -1ppm").is_empty());
    }

    #[test]
    fn what_cannot_be_read_is_named_with_an_example() {
        for (text, cause) in [
            ("lose 3", "there is no fault `lose`"),
            ("lost", "the frame is missing"),
            ("lost x", "`x` is no frame number"),
            ("lost 9..3", "ends before it begins"),
            ("lost 3 4", "`4` is more than belongs there"),
            ("late 3", "`late` needs a time"),
            ("late 3 50", "`50` is no time"),
            ("late 3 -1ms", "a time is at most 3600s"),
            ("stall 3..4 1s", "happens at one frame"),
            ("random 2 lost", "from 0 to 1"),
            ("random 0.1 stall 1s", "not at random"),
            ("drift 50", "no drift"),
            ("drift 50ppm now", "`now` is more"),
            ("drift NaNppm", "at most 10000ppm"),
        ] {
            let error = FaultScript::parse(&format!("lost 1; {text}"), 1).unwrap_err();
            assert!(error.starts_with(&format!("`faults` cannot be read at `{text}`\n")), "{error}");
            assert!(error.contains(cause) && error.lines().count() == 3, "{error}");
        }
    }

    #[test]
    fn random_faults_have_their_rate_and_belong_to_the_seed() {
        let s = script("random 0.01 lost; random 0.02 duplicate");
        let frames = 100_000;
        let lost = (0..frames).filter(|&f| s.fate(f).lost).count();
        let double = (0..frames).filter(|&f| s.fate(f).duplicate).count();
        let both = (0..frames).filter(|&f| s.fate(f).duplicate && s.fate(f).lost).count();
        // Five standard deviations of a binomial count.
        assert!(
            lost.abs_diff(1000) < 160 && double.abs_diff(2000) < 220 && both.abs_diff(20) < 23,
            "{lost} {double} {both}"
        );
        let other = FaultScript::parse("random 0.01 lost", 2).unwrap();
        assert!((0..frames).any(|f| s.fate(f).lost != other.fate(f).lost));
        assert!((0..frames).all(|f| s.fate(f) == s.clone().fate(f)));
    }

    #[test]
    fn a_torn_frame_lacks_its_lower_half_and_a_corrupt_one_says_so() {
        let mut pixels = vec![7; 10];
        assert_eq!(script("torn 0").fate(0).spoil(&mut pixels), FRAME_INCOMPLETE);
        assert_eq!(pixels, [7, 7, 7, 7, 7, 0, 0, 0, 0, 0]);
        assert_eq!(script("corrupt 0").fate(0).spoil(&mut pixels), FRAME_CORRUPT);
        assert_eq!(pixels[0], 7 ^ 0xa5);
    }
}
