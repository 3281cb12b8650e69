//! What a rig asks the engine for: the same commands as any client sends, in the order in which they make sense. Each
//! carries the key of the rig that it comes from, so that a refusal can name the line.

use super::{NameWords, Parameters, Rig, RigProblem, recording_name};
use crate::EngineOptions;
use crate::control::{
    BeadRole, BeadsCommand, CameraCommand, Command, FoundBead, MethodChoice, NewRoi, ParameterText, RecordingCommand,
    RecordingRequest, StageCommand, TrackingCommand, ZlutCommand,
};
use std::path::PathBuf;

/// Side of ROIs if nothing says it.
const USUAL_ROI_PX: u32 = 64;

/// A command and the key that it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct RigStep {
    /// Key.
    pub key: &'static str,
    /// Command.
    pub command: Command,
}

fn text(parameters: &Parameters) -> ParameterText {
    parameters.iter().map(|(key, value)| (key.clone(), value.to_string())).collect()
}

fn choice(method: &str, parameters: &Parameters) -> MethodChoice {
    MethodChoice { method: method.to_owned(), parameters: text(parameters) }
}

/// Bytes of a MiB.
const MIB: u64 = 1 << 20;

type ReadBeads = (u32, Vec<(u32, NewRoi)>);

impl Rig {
    /// Side of the ROIs, as far as the rig itself says it.
    pub fn roi_px(&self) -> u32 {
        self.beads.roi_px.unwrap_or(USUAL_ROI_PX)
    }

    /// How the engine runs: what is no command because it cannot change later.
    pub fn engine_options(&self) -> EngineOptions {
        let usual = EngineOptions::new(self.optics());
        EngineOptions {
            threads: self.tracking.threads.map_or(usual.threads, |n| n as usize),
            roi_size_px: self.roi_px(),
            batch: self.tracking.batch,
            ring_bytes: u64::from(self.ring.memory_mib) * MIB,
            min_ring_slots: self.ring.min_frames as usize,
            memory_budget_bytes: self.ring.most_memory_mib.map(|m| u64::from(m) * MIB),
            lossless: self.camera.lossless,
            ..usual
        }
    }

    /// The beads of the rig's file, with the side of their ROIs.
    pub(super) fn beads_of_file(&self) -> Result<ReadBeads, RigProblem> {
        let path = self.beads.file.as_deref().unwrap_or(std::path::Path::new(""));
        let key = "beads.file";
        let rois = tetherscope_files::read_rois(path).map_err(|e| RigProblem::from_error(key, &e))?;
        let (w_px, h_px) = tetherscope_files::common_size(&rois).map_err(|e| RigProblem::from_error(key, &e))?;
        let refuse = |cause: String, mend: &str| Err(RigProblem::new(key, cause, mend));
        if w_px != h_px || w_px % 2 != 0 || !(8..=512).contains(&w_px) {
            let cause = format!("the ROIs in {} are {w_px} × {h_px} px", path.display());
            return refuse(cause, "give square ROIs with an even side from 8 to 512 px");
        }
        match self.beads.roi_px {
            Some(size) if size != w_px => {
                let cause = format!("the ROIs in {} are {w_px} px wide, beads.roi_px is {size}", path.display());
                refuse(cause, "leave beads.roi_px out, or give a list with that size")
            }
            _ => Ok((w_px, rois.iter().map(|r| (r.bead, NewRoi { x_px: r.x_px, y_px: r.y_px })).collect())),
        }
    }

    /// Everything that is set before the camera starts. Reads the list of beads.
    pub fn setup(&self) -> Result<Vec<RigStep>, RigProblem> {
        let mut steps = Vec::new();
        let mut step = |key, command| steps.push(RigStep { key, command });
        let c = &self.camera;
        let open = CameraCommand::Open { camera: choice(&c.method, &c.parameters), device: c.device.clone() };
        step("camera.method", Command::Camera(open));
        if !c.settings.is_empty() {
            step("camera.settings", Command::Camera(CameraCommand::Set { values: text(&c.settings) }));
        }
        let (size_px, beads) = match &self.beads.file {
            Some(_) => self.beads_of_file()?,
            None => {
                let list = self.beads.list.iter().map(|b| (b.bead, NewRoi { x_px: b.x_px, y_px: b.y_px }));
                (self.roi_px(), list.collect())
            }
        };
        step("beads.roi_px", Command::Beads(BeadsCommand::SetRoiSize { size_px }));
        let tracker = choice(&self.tracker.method, &self.tracker.parameters);
        step("tracker.method", Command::Tracking(TrackingCommand::SetTracker { tracker }));
        let (mode, limits) = (self.tracking.mode, self.tracking.batch);
        step("tracking.mode", Command::Tracking(TrackingCommand::SetMode { mode }));
        step("tracking.batch", Command::Tracking(TrackingCommand::SetBatch { limits }));
        if !beads.is_empty() {
            let key = if self.beads.file.is_some() { "beads.file" } else { "beads.list" };
            step(key, Command::Beads(BeadsCommand::Restore { beads }));
        }
        for bead in self.beads.list.iter().filter(|b| b.role != BeadRole::default()) {
            step("beads.list", Command::Beads(BeadsCommand::SetRole { bead: bead.bead, role: bead.role }));
        }
        if let Some(z) = &self.zlut {
            let strategy = z.strategy.as_ref().map(|s| choice(&s.method, &s.parameters));
            step("zlut.file", Command::Zlut(ZlutCommand::Load { path: z.file.clone(), strategy }));
        }
        for s in &self.stages {
            let (name, stage, device) = (s.name.clone(), choice(&s.method, &s.parameters), s.device.clone());
            step("stages", Command::Stages(StageCommand::Open { name, stage, device }));
            for a in &s.axes {
                let (stage, axis) = (s.name.clone(), a.axis);
                if let Some(w) = a.window {
                    let window = StageCommand::SetWindow { stage: stage.clone(), axis, min: w.min, max: w.max };
                    step("stages", Command::Stages(window));
                }
                if let Some(c) = a.caps {
                    let (max_step, max_speed_per_s) = (c.max_step, c.max_speed_per_s);
                    step("stages", Command::Stages(StageCommand::SetCaps { stage, axis, max_step, max_speed_per_s }));
                }
            }
        }
        Ok(steps)
    }

    /// The question for beads in the next frame, if the rig wants them found.
    pub fn find_step(&self) -> Option<RigStep> {
        let find = self.beads.find.as_ref()?;
        let seed = find.seed.map(|c| NewRoi { x_px: c.x_px, y_px: c.y_px });
        let finder = choice(&find.method, &find.parameters);
        Some(RigStep { key: "beads.find", command: Command::Beads(BeadsCommand::Find { finder, seed }) })
    }

    /// Adds those of the found beads that the rig wants; they come the surest first.
    pub fn add_found(&self, found: &[FoundBead]) -> Result<RigStep, RigProblem> {
        let (min_score, most) =
            self.beads.find.as_ref().map_or((0.0, None), |f| (f.min_score, f.max_beads.map(|n| n as usize)));
        let sure = found.iter().filter(|b| b.score.is_nan() || b.score >= min_score);
        let rois: Vec<NewRoi> = sure.filter_map(|b| b.roi).take(most.unwrap_or(usize::MAX)).collect();
        if rois.is_empty() {
            let cause =
                format!("of {} beads that were found none is sure enough and wholly inside the frame", found.len());
            return Err(RigProblem::new(
                "beads.find",
                cause,
                "give an example as beads.find.seed, or the ROIs themselves",
            ));
        }
        Ok(RigStep { key: "beads.find", command: Command::Beads(BeadsCommand::Add { rois }) })
    }

    /// The recording to start, if the rig wants one; into `folder` if given, else into the rig's.
    pub fn recording_step(&self, folder: Option<PathBuf>, date: &str, time: &str) -> Option<RigStep> {
        let r = &self.recording;
        let folder = folder.unwrap_or_else(|| r.folder.clone());
        let words = NameWords { date, time, operator: &r.operator };
        let request = RecordingRequest {
            name: recording_name(&r.name, &words, &folder),
            folder,
            operator: r.operator.clone(),
            notes: r.notes.clone(),
            profiles: r.profiles,
            rotate_minutes: r.rotate_minutes,
            frames: None,
        };
        let command = Command::Recording(RecordingCommand::Start(request));
        r.on.then_some(RigStep { key: "recording.folder", command })
    }
}
