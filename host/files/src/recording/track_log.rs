//! The live log of one track set: rows and, on request, profiles. Small batches are gathered, but no longer than a tenth of
//! a second.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_schema::ArrowError;

use super::arrow_log::ArrowLog;
use super::arrow_rows::{profiles_batch, profiles_schema, rows_batch, rows_schema};
use super::finalise::ClosedPart;
use super::names::Stream;
use super::shared::Shared;
use crate::error::{FileError, Result};
use crate::rows::Row;

/// Rows wait for each other so long at most.
const GATHER: Duration = Duration::from_millis(100);
/// So many rows wait for no others.
const BATCH_ROWS: usize = 4096;
/// Batches are cut to that, so that a reader needs no more memory.
const MAX_BATCH_ROWS: usize = 1 << 16;

/// A log and what waits to go into it.
#[derive(Debug)]
struct Part {
    log: ArrowLog,
    part: u32,
    frames: Option<(u64, u64)>,
}

impl Part {
    fn create(shared: &Shared, stream: &Stream, part: u32, schema: arrow_schema::Schema) -> Result<Self> {
        let at = |extension: &str| shared.dir.join(stream.file(part, extension));
        let log = ArrowLog::create(&at("arrows"), &at("crc"), schema, &shared.open)?;
        shared.change(|m| {
            m.file(&stream.file(part, "arrows"), &stream.name(), part);
        });
        Ok(Self { log, part, frames: None })
    }

    fn saw(&mut self, frame: u64) {
        self.frames = Some(self.frames.map_or((frame, frame), |(a, b)| (a.min(frame), b.max(frame))));
    }

    fn close(mut self, shared: &Shared, stream: &Stream) -> Result<()> {
        let ended = if self.log.failed() { Ok(()) } else { self.log.end_stream() };
        shared.change(|m| {
            let entry = m.file(&stream.file(self.part, "arrows"), &stream.name(), self.part);
            entry.state = super::metadata::FileState::Closed;
            entry.n_records = self.log.n_rows();
            (entry.first_frame, entry.last_frame) = (self.frames.map(|f| f.0), self.frames.map(|f| f.1));
        });
        shared.push_closed(ClosedPart { stream: stream.clone(), part: self.part });
        ended
    }
}

/// Writes rows of one set.
#[derive(Debug)]
pub(crate) struct TrackLog {
    stream: Stream,
    now: Part,
    pending: Vec<Row>,
    since: Instant,
    pub(crate) begun: Instant,
    done_bytes: u64,
    done_rows: u64,
    profiles: Option<ProfileLog>,
    next_profile_part: u32,
}

impl TrackLog {
    pub(crate) fn create(shared: &Shared, set: &str) -> Result<Self> {
        let stream = Stream::Tracks(set.to_owned());
        let now = Part::create(shared, &stream, 1, schema(shared, set, 1))?;
        Ok(Self {
            stream,
            now,
            pending: Vec::new(),
            since: Instant::now(),
            begun: Instant::now(),
            done_bytes: 0,
            done_rows: 0,
            profiles: None,
            next_profile_part: 1,
        })
    }

    pub(crate) fn append(&mut self, rows: &[Row]) -> Result<()> {
        if self.now.log.failed() {
            return Err(FileError::failed_before(self.now.log.path()));
        }
        if self.pending.is_empty() {
            self.since = Instant::now();
        }
        self.pending.extend_from_slice(rows);
        if self.pending.len() >= BATCH_ROWS || self.since.elapsed() >= GATHER {
            self.flush()?;
        }
        Ok(())
    }

    /// Writes what waits. Rows that could not be written never will be: [`TrackLog::rows_written`] tells how many were.
    pub(crate) fn flush(&mut self) -> Result<()> {
        let pending = std::mem::take(&mut self.pending);
        for rows in pending.chunks(MAX_BATCH_ROWS) {
            let batch = rows_batch(self.now.log.schema(), rows).map_err(|e| impossible(self.now.log.path(), &e))?;
            self.now.log.append(&batch)?;
            rows.iter().for_each(|r| self.now.saw(r.frame));
        }
        self.pending = pending;
        self.pending.clear();
        match &mut self.profiles {
            Some(profiles) => profiles.flush(),
            None => Ok(()),
        }
    }

    /// Goes on in a new file. If that can't be made, the old one goes on.
    pub(crate) fn rotate(&mut self, shared: &Shared) -> Result<()> {
        self.flush()?;
        let Stream::Tracks(set) = &self.stream else { unreachable!("a track log writes tracks") };
        let part = self.now.part + 1;
        let next = Part::create(shared, &self.stream, part, schema(shared, set, part))?;
        let old = std::mem::replace(&mut self.now, next);
        self.begun = Instant::now();
        self.done_bytes += old.log.bytes();
        self.done_rows += old.log.n_rows();
        old.close(shared, &self.stream)?;
        if let Some(profiles) = &self.profiles {
            let (n_bins, weights) = (profiles.n_bins, profiles.with_weights);
            self.start_profiles(shared, n_bins, weights)?;
        }
        Ok(())
    }

    pub(crate) fn close(mut self, shared: &Shared) -> Result<()> {
        let flushed = if self.now.log.failed() { Ok(()) } else { self.flush() };
        let profiles = self.stop_profiles(shared);
        let closed = self.now.close(shared, &self.stream);
        flushed.and(profiles).and(closed)
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.done_bytes + self.now.log.bytes() + self.profiles.as_ref().map_or(0, |p| p.now.log.bytes())
    }

    /// Rows that went to the operating system, whole batches of them, in all parts.
    pub(crate) fn rows_written(&self) -> u64 {
        self.done_rows + self.now.log.n_rows()
    }

    /// Bytes of rows that are in the part being written.
    pub(crate) fn log_bytes(&self) -> u64 {
        self.now.log.bytes()
    }

    /// Begins a file of profiles; the one before is closed.
    pub(crate) fn start_profiles(&mut self, shared: &Shared, n_bins: u32, with_weights: bool) -> Result<()> {
        let Stream::Tracks(set) = &self.stream else { unreachable!("a track log writes tracks") };
        let stream = Stream::Profiles(set.clone());
        let part = self.next_profile_part;
        let schema = profiles_schema(n_bins, with_weights, &about(shared, set, part));
        let now = Part::create(shared, &stream, part, schema)?;
        self.next_profile_part += 1;
        let next = ProfileLog {
            stream,
            now,
            n_bins,
            with_weights,
            keys: Vec::new(),
            profiles: Vec::new(),
            weights: Vec::new(),
            since: Instant::now(),
        };
        match self.profiles.replace(next) {
            Some(old) => old.close(shared),
            None => Ok(()),
        }
    }

    pub(crate) fn stop_profiles(&mut self, shared: &Shared) -> Result<()> {
        self.profiles.take().map_or(Ok(()), |p| p.close(shared))
    }

    pub(crate) fn append_profiles(&mut self, keys: &[(u64, u32)], profiles: &[f64], weights: &[f32]) -> Result<()> {
        match &mut self.profiles {
            Some(log) => log.append(keys, profiles, weights),
            None => Err(FileError::invalid(
                self.now.log.path(),
                "profiles came, but none were asked for",
                "start profiles before you append some",
            )),
        }
    }
}

/// Writes profiles of one set.
#[derive(Debug)]
struct ProfileLog {
    stream: Stream,
    now: Part,
    n_bins: u32,
    with_weights: bool,
    keys: Vec<(u64, u32)>,
    profiles: Vec<f64>,
    weights: Vec<f32>,
    since: Instant,
}

impl ProfileLog {
    fn append(&mut self, keys: &[(u64, u32)], profiles: &[f64], weights: &[f32]) -> Result<()> {
        let n = keys.len() * self.n_bins as usize;
        let n_weights = if self.with_weights { n } else { 0 };
        if profiles.len() != n || weights.len() != n_weights {
            return Err(FileError::invalid(
                self.now.log.path(),
                format!(
                    "{} values and {} weights came for {} profiles of {} bins",
                    profiles.len(),
                    weights.len(),
                    keys.len(),
                    self.n_bins
                ),
                "start profiles anew when the number of bins changes",
            ));
        }
        if self.keys.is_empty() {
            self.since = Instant::now();
        }
        self.keys.extend_from_slice(keys);
        self.profiles.extend_from_slice(profiles);
        self.weights.extend_from_slice(weights);
        if self.keys.len() >= BATCH_ROWS || self.since.elapsed() >= GATHER {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        if self.keys.is_empty() {
            return Ok(());
        }
        let weights = self.with_weights.then_some(self.weights.as_slice());
        let schema: Arc<_> = self.now.log.schema().clone();
        let batch = profiles_batch(&schema, &self.keys, &self.profiles, weights);
        let batch = batch.map_err(|e| impossible(self.now.log.path(), &e))?;
        self.now.log.append(&batch)?;
        for key in &self.keys {
            self.now.saw(key.0);
        }
        self.keys.clear();
        self.profiles.clear();
        self.weights.clear();
        Ok(())
    }

    fn close(mut self, shared: &Shared) -> Result<()> {
        let flushed = if self.now.log.failed() { Ok(()) } else { self.flush() };
        flushed.and(self.now.close(shared, &self.stream))
    }
}

fn schema(shared: &Shared, set: &str, part: u32) -> arrow_schema::Schema {
    rows_schema(&about(shared, set, part))
}

fn about(shared: &Shared, set: &str, part: u32) -> Vec<(String, String)> {
    let entry = |k: &str, v: String| (format!("tetherscope.{k}"), v);
    vec![
        entry("recording_id", shared.metadata().id),
        entry("track_set", set.to_owned()),
        entry("part", part.to_string()),
    ]
}

fn impossible(path: &Path, error: &ArrowError) -> FileError {
    FileError::invalid(path, error.to_string(), "this is a bug in Tetherscope: please report it with this message")
}
