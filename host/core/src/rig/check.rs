//! What is wrong with a rig beyond its grammar: methods that are not there, values out of range, files that are missing.
//! Every problem carries the key that it is about, so that whoever read the file can name the line. No device is touched.

use super::{Parameters, Rig, Ring, name};
use std::collections::HashSet;
use std::fmt;
use std::path::Path;
use tetherscope_loader::{Component, Kind, Registry};

/// Something wrong with a rig.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RigProblem {
    /// The key, as `camera.parameters.frame_rate_hz` or `stages[1].method`.
    pub key: String,
    /// What is wrong with it.
    pub cause: String,
    /// What helps.
    pub mend: String,
}

impl RigProblem {
    /// From its parts.
    pub fn new(key: impl Into<String>, cause: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { key: key.into(), cause: cause.into(), mend: mend.into() }
    }

    /// From the three lines of an error that came up while `key` was used.
    pub fn from_error(key: impl Into<String>, error: &impl fmt::Display) -> Self {
        let text = error.to_string();
        let mut lines = text.lines();
        let (thing, cause) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
        Self::new(key, format!("{thing}: {cause}"), lines.collect::<Vec<_>>().join("\n"))
    }
}

impl Rig {
    /// Everything that is wrong, in the order of the file; nothing if the rig can be tried. What only a device can tell
    /// (its settings, its frames) is told when it is opened.
    pub fn check(&self, registry: &Registry) -> Vec<RigProblem> {
        let mut found = Problems(Vec::new());
        found.camera(self, registry);
        found.ring(self);
        found.optics(self);
        found.beads(self, registry);
        found.parameters(
            "tracker",
            "parameters",
            registry,
            Kind::Tracker,
            &self.tracker.method,
            &self.tracker.parameters,
        );
        found.zlut(self, registry);
        found.tracking(self);
        found.stages(self, registry);
        found.recording(self);
        found.log(self);
        found.0
    }
}

struct Problems(Vec<RigProblem>);

impl Problems {
    fn add(&mut self, key: impl Into<String>, cause: impl Into<String>, mend: impl Into<String>) {
        self.0.push(RigProblem::new(key, cause, mend));
    }

    fn unless(&mut self, fine: bool, key: impl Into<String>, cause: impl Into<String>, mend: impl Into<String>) {
        if !fine {
            self.add(key, cause, mend);
        }
    }

    /// A method and its parameters, one by one so that each problem has its own key.
    fn parameters<'r>(
        &mut self,
        at: &str,
        part: &str,
        registry: &'r Registry,
        kind: Kind,
        method: &str,
        parameters: &Parameters,
    ) -> Option<&'r Component> {
        let component = match registry.resolve(kind, method) {
            Ok(component) => component,
            Err(e) => {
                self.0.push(RigProblem::from_error(format!("{at}.method"), &e));
                return None;
            }
        };
        for (key, value) in parameters {
            if let Err(e) = component.params([(key.as_str(), value.to_string().as_str())]) {
                self.0.push(RigProblem::new(format!("{at}.{part}.{key}"), e.cause, e.mend));
            }
        }
        Some(component)
    }

    fn camera(&mut self, rig: &Rig, registry: &Registry) {
        let c = &rig.camera;
        let Some(component) = self.parameters("camera", "parameters", registry, Kind::Camera, &c.method, &c.parameters)
        else {
            return;
        };
        if let Some(path) = c.parameters.get("path").map(ToString::to_string)
            && !Path::new(&path).exists()
        {
            self.add("camera.parameters.path", format!("{path} does not exist"), "give the path of a video or folder");
        }
        // A camera that knows its scale (a simulated one) must not know another: every length would be wrong by the ratio.
        let Some(schema) = component.info().parameters.iter().find(|p| p.key == "nm_per_px") else { return };
        let given = c.settings.get("nm_per_px").or_else(|| c.parameters.get("nm_per_px"));
        let text = given.map_or_else(|| schema.default_text(), ToString::to_string);
        let same = text.parse::<f64>().is_ok_and(|v| v == rig.optics.nm_per_px);
        self.unless(
            same,
            "optics.nm_per_px",
            format!("it is {} here, but {} makes its images at {text} nm per px", rig.optics.nm_per_px, c.method),
            "give camera.parameters.nm_per_px and optics.nm_per_px the same value",
        );
    }

    fn ring(&mut self, rig: &Rig) {
        let Ring { memory_mib: mib, min_frames: n, most_memory_mib: most } = rig.ring;
        self.unless(n >= 2, "ring.min_frames", format!("it is {n}"), "give 2 or more");
        self.unless(mib >= 1, "ring.memory_mib", "it is 0", "give the memory for frames in MiB, such as 256");
        if let Some(most) = most.filter(|m| *m < mib) {
            let cause = format!("it is {most}, less than ring.memory_mib, which is {mib}");
            self.add("ring.most_memory_mib", cause, "give as much or more, or leave it out");
        }
    }

    fn optics(&mut self, rig: &Rig) {
        let o = &rig.optics;
        let positive = |v: f64| v.is_finite() && v > 0.0;
        let must = "it must be a positive number";
        let mut check = |key: &str, fine: bool, value: String, must: &str| {
            let mend = format!("give {key} as your microscope has it");
            self.unless(fine, format!("optics.{key}"), format!("it is {value}; {must}"), mend);
        };
        check("nm_per_px", positive(o.nm_per_px), o.nm_per_px.to_string(), must);
        check("focal_shift_factor", positive(o.focal_shift_factor), o.focal_shift_factor.to_string(), must);
        if let Some(v) = o.significant_bits {
            check("significant_bits", (1..=16).contains(&v), v.to_string(), "it must be 1 to 16");
        }
        if let Some(v) = o.gain_e_per_adu {
            check("gain_e_per_adu", positive(v), v.to_string(), must);
        }
        if let Some(v) = o.offset_adu {
            check("offset_adu", v.is_finite(), v.to_string(), "it must be a number");
        }
        if let Some(v) = o.read_noise_e {
            check("read_noise_e", v.is_finite() && v >= 0.0, v.to_string(), "it must be a number, 0 or more");
        }
    }

    fn beads(&mut self, rig: &Rig, registry: &Registry) {
        let b = &rig.beads;
        if let Some(size) = b.roi_px {
            let fine = (8..=512).contains(&size) && size % 2 == 0;
            self.unless(fine, "beads.roi_px", format!("it is {size}"), "give an even number from 8 to 512");
        }
        let ways = [b.file.is_some(), !b.list.is_empty(), b.find.is_some()];
        if ways.iter().filter(|w| **w).count() > 1 {
            let mend = "keep one of beads.file, beads.list and beads.find";
            self.add("beads", "it says in more than one way where the beads are", mend);
        }
        if let Some(Err(problem)) = b.file.as_ref().map(|_| rig.beads_of_file()) {
            self.0.push(problem);
        }
        let mut ids = HashSet::new();
        for (i, bead) in b.list.iter().enumerate() {
            let cause = format!("bead {} is there twice", bead.bead);
            self.unless(
                ids.insert(bead.bead),
                format!("beads.list[{i}].bead"),
                cause,
                "give each bead an id of its own",
            );
        }
        let Some(find) = &b.find else { return };
        self.parameters("beads.find", "parameters", registry, Kind::Finder, &find.method, &find.parameters);
        let s = find.min_score;
        self.unless((0.0..=1.0).contains(&s), "beads.find.min_score", format!("it is {s}"), "give 0 to 1");
        if let Some(n) = find.max_beads {
            self.unless(n > 0, "beads.find.max_beads", "it is 0", "give 1 or more, or leave it out");
        }
    }

    fn zlut(&mut self, rig: &Rig, registry: &Registry) {
        let Some(zlut) = &rig.zlut else { return };
        // Whether it fits tracker and camera is checked when it is loaded: that needs the camera's format.
        if let Err(e) = tetherscope_files::read_zlut(&zlut.file) {
            self.0.push(RigProblem::from_error("zlut.file", &e));
        }
        if let Some(s) = &zlut.strategy {
            self.parameters("zlut.strategy", "parameters", registry, Kind::Zlut, &s.method, &s.parameters);
        }
    }

    fn tracking(&mut self, rig: &Rig) {
        let b = &rig.tracking.batch;
        let (n, ms) = (b.max_frames, b.max_ms);
        self.unless(
            (1..=10_000).contains(&n),
            "tracking.batch.max_frames",
            format!("it is {n}"),
            "give 1 to 10000: 1 for feedback, 16 for throughput",
        );
        let fine = ms.is_finite() && ms > 0.0;
        self.unless(fine, "tracking.batch.max_ms", format!("it is {ms}"), "give a positive time in ms, such as 5");
        if let Some(n) = rig.tracking.threads {
            self.unless(
                (1..=1024).contains(&n),
                "tracking.threads",
                format!("it is {n}"),
                "give 1 to 1024, or leave it out",
            );
        }
    }

    fn stages(&mut self, rig: &Rig, registry: &Registry) {
        let mut names = HashSet::new();
        for (i, s) in rig.stages.iter().enumerate() {
            let at = format!("stages[{i}]");
            let name = s.name.trim();
            self.unless(!name.is_empty(), format!("{at}.name"), "it is empty", "give the stage a name, such as focus");
            let cause = format!("two stages are called {name}");
            self.unless(names.insert(name), format!("{at}.name"), cause, "give each stage a name of its own");
            self.parameters(&at, "parameters", registry, Kind::Stage, &s.method, &s.parameters);
            let mut axes = HashSet::new();
            for (j, axis) in s.axes.iter().enumerate() {
                let at = format!("{at}.axes[{j}]");
                let cause = format!("axis {} is there twice", axis.axis);
                self.unless(axes.insert(axis.axis), format!("{at}.axis"), cause, "say everything of an axis at once");
                if let Some(w) = axis.window {
                    let cause = format!("it reaches from {} to {}", w.min, w.max);
                    self.unless(w.min < w.max, format!("{at}.window"), cause, "give min below max");
                }
                if let Some(c) = axis.caps {
                    let fine = c.max_step > 0.0 && c.max_speed_per_s > 0.0;
                    let cause = format!("max_step is {}, max_speed_per_s is {}", c.max_step, c.max_speed_per_s);
                    self.unless(fine, format!("{at}.caps"), cause, "give positive numbers");
                }
            }
        }
    }

    fn recording(&mut self, rig: &Rig) {
        let r = &rig.recording;
        if r.on && r.folder.exists() && !r.folder.is_dir() {
            let cause = format!("{} is a file", r.folder.display());
            self.add("recording.folder", cause, "give a folder; it is made if it does not exist");
        }
        if let Some(cause) = name::problem(&r.name) {
            self.add("recording.name", cause, "give text with {date}, {time}, {operator} or {n}, or leave it empty");
        }
        let m = r.rotate_minutes;
        let fine = m.is_finite() && m >= 0.0;
        self.unless(fine, "recording.rotate_minutes", format!("it is {m}"), "give minutes, or 0 for one file");
        let Some(c) = &r.capture else { return };
        for (key, s) in [("before_s", c.before_s), ("after_s", c.after_s)] {
            let fine = (0.0..=3600.0).contains(&s);
            self.unless(fine, format!("recording.capture.{key}"), format!("it is {s}"), "give 0 to 3600 seconds");
        }
        self.unless(
            c.before_s + c.after_s > 0.0,
            "recording.capture",
            "before_s and after_s are both 0",
            "give at least one of them, or leave recording.capture out",
        );
    }

    fn log(&mut self, rig: &Rig) {
        let l = &rig.log;
        self.unless(l.file_mib >= 1, "log.file_mib", "it is 0", "give the size of a file in MiB, such as 4");
        self.unless(l.files >= 1, "log.files", "it is 0", "give how many files are kept, such as 20");
        if let Some(folder) = l.folder.as_deref().filter(|f| is_file(f)) {
            self.add("log.folder", format!("{} is a file", folder.display()), "give a folder");
        }
    }
}

fn is_file(path: &Path) -> bool {
    path.exists() && !path.is_dir()
}
