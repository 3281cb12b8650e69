//! A live Arrow stream with its file of checksums: what is appended is whole or not there, and what is read back was
//! checked. It knows batches, not what is in them.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_ipc::reader::StreamDecoder;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, Schema};

use super::crc_log::{self, CrcRecord};
use super::live::{LiveFile, OpenFiles};
use crate::error::{ErrorKind, FileError, Result};

/// Writes batches.
pub(crate) struct ArrowLog {
    data: LiveFile,
    crc: LiveFile,
    encoder: StreamWriter<Vec<u8>>,
    schema: Arc<Schema>,
    n_rows: u64,
}

impl std::fmt::Debug for ArrowLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ArrowLog")
            .field("path", &self.data.path())
            .field("n_rows", &self.n_rows)
            .finish_non_exhaustive()
    }
}

impl ArrowLog {
    /// Begins both files; if one can't be made, neither is left behind.
    pub(crate) fn create(data: &Path, crc: &Path, schema: Schema, open: &OpenFiles) -> Result<Self> {
        let encoder = StreamWriter::try_new(Vec::new(), &schema).map_err(|e| arrow_error(data, &e))?;
        let data_file = LiveFile::create(data, open)?;
        let crc_file = LiveFile::create(crc, open).inspect_err(|_| remove(data))?;
        let mut log = Self { data: data_file, crc: crc_file, encoder, schema: Arc::new(schema), n_rows: 0 };
        let begun = log.crc.append(&crc_log::header()).and_then(|_| log.append_encoded(0));
        if let Err(error) = begun {
            remove(data);
            remove(crc);
            return Err(error);
        }
        Ok(log)
    }

    pub(crate) fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    pub(crate) fn path(&self) -> &Path {
        self.data.path()
    }

    pub(crate) fn failed(&self) -> bool {
        self.data.failed() || self.crc.failed()
    }

    pub(crate) fn n_rows(&self) -> u64 {
        self.n_rows
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.data.end()
    }

    /// Appends a batch. After an error the log is closed at the batch before.
    pub(crate) fn append(&mut self, batch: &RecordBatch) -> Result<()> {
        if self.data.failed() {
            return Err(FileError::failed_before(self.data.path()));
        }
        self.encoder.write(batch).map_err(|e| arrow_error(self.data.path(), &e))?;
        let n_rows = u32::try_from(batch.num_rows()).expect("batches are cut to far fewer rows");
        self.append_encoded(n_rows)?;
        self.n_rows += u64::from(n_rows);
        Ok(())
    }

    /// Ends the stream as Arrow ends one, for readers that want an end.
    pub(crate) fn end_stream(&mut self) -> Result<()> {
        self.encoder.finish().map_err(|e| arrow_error(self.data.path(), &e))?;
        self.append_encoded(0)
    }

    fn append_encoded(&mut self, n_rows: u32) -> Result<()> {
        let mut bytes = std::mem::take(self.encoder.get_mut());
        let written = self.data.append(&bytes).and_then(|start| {
            let end = self.data.end();
            let record = CrcRecord { start, end, n_rows, crc: crc32c::crc32c(&bytes) };
            self.crc.append(&record.bytes()).inspect_err(|_| self.data.take_back(start))
        });
        bytes.clear();
        *self.encoder.get_mut() = bytes;
        written.map(|_| ())
    }
}

/// What a reader found to be missing or wrong; nothing of it was given out as data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The file's name in the recording.
    pub file: String,
    /// What is wrong, in words.
    pub what: String,
    /// How many rows or records are lost by it, where that is known.
    pub n_lost: Option<u64>,
}

/// Reads batches, each checked against its checksum; what is damaged is passed over and told.
pub(crate) struct ArrowLogReader {
    path: PathBuf,
    file: File,
    records: std::vec::IntoIter<Option<CrcRecord>>,
    decoder: StreamDecoder,
    schema: Vec<u8>,
    damage: Vec<Damage>,
    /// Where the last good batch ends, and whether anything good came behind something damaged.
    good_end: u64,
    n_read: u64,
}

impl std::fmt::Debug for ArrowLogReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ArrowLogReader").field("path", &self.path).finish_non_exhaustive()
    }
}

impl ArrowLogReader {
    /// Opens a stream and its checksums. `fallback` is the schema to read with where the stream's own is damaged.
    pub(crate) fn open(data: &Path, crc: &Path, fallback: Option<&Schema>) -> Result<Self> {
        let records = crc_log::read(crc)?;
        let file = File::open(data).map_err(|e| FileError::reading(data, &e))?;
        let mut reader = Self {
            path: data.to_owned(),
            file,
            records: records.into_iter(),
            decoder: StreamDecoder::new(),
            schema: Vec::new(),
            damage: Vec::new(),
            good_end: 0,
            n_read: 0,
        };
        let stored = match reader.records.next() {
            Some(Some(record)) => reader.checked(&record)?,
            _ => None,
        };
        reader.schema = match (stored, fallback) {
            (Some(schema), _) => schema,
            (None, Some(fallback)) => schema_bytes(data, fallback)?,
            (None, None) if reader.records.len() == 0 => Vec::new(), // killed before anything was written
            (None, None) => return Err(FileError::damaged(data, "the description of its columns is damaged")),
        };
        reader.prime()?;
        Ok(reader)
    }

    /// The next whole batch.
    pub(crate) fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        while let Some(record) = self.records.next() {
            let Some(record) = record else {
                self.tell("a record of its checksums is damaged, so its rows can't be vouched for", None);
                continue;
            };
            let Some(bytes) = self.checked(&record)? else {
                let n = u64::from(record.n_rows);
                self.tell(&format!("{n} rows from byte {} don't match their checksum", record.start), Some(n));
                continue;
            };
            self.good_end = record.end;
            if record.n_rows == 0 {
                continue;
            }
            let mut buffer = Buffer::from_vec(bytes);
            match self.decoder.decode(&mut buffer) {
                Ok(Some(batch)) if batch.num_rows() as u64 == u64::from(record.n_rows) => {
                    self.n_read += u64::from(record.n_rows);
                    return Ok(Some(batch));
                }
                _ => {
                    let n = u64::from(record.n_rows);
                    self.tell(&format!("{n} rows from byte {} can't be decoded", record.start), Some(n));
                    self.prime()?;
                }
            }
        }
        Ok(None)
    }

    /// What was passed over so far.
    pub(crate) fn damage(&self) -> &[Damage] {
        &self.damage
    }

    pub(crate) fn n_read(&self) -> u64 {
        self.n_read
    }

    /// Where the last good message ends.
    pub(crate) fn good_end(&self) -> u64 {
        self.good_end
    }

    /// Whether the message that a record speaks of is there and matches.
    pub(crate) fn is_whole(file: &mut File, length: u64, record: &CrcRecord) -> bool {
        if record.end > length {
            return false;
        }
        let mut bytes = vec![0; (record.end - record.start) as usize];
        let read = file.seek(SeekFrom::Start(record.start)).and_then(|_| file.read_exact(&mut bytes));
        read.is_ok() && crc32c::crc32c(&bytes) == record.crc
    }

    fn tell(&mut self, what: &str, n_lost: Option<u64>) {
        let file = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        self.damage.push(Damage { file, what: what.to_owned(), n_lost });
    }

    /// The bytes of a record if they are all there and match.
    fn checked(&mut self, record: &CrcRecord) -> Result<Option<Vec<u8>>> {
        let length = self.file.metadata().map_err(|e| FileError::reading(&self.path, &e))?.len();
        if record.end > length {
            return Ok(None);
        }
        let mut bytes = vec![0; (record.end - record.start) as usize];
        self.file
            .seek(SeekFrom::Start(record.start))
            .and_then(|_| self.file.read_exact(&mut bytes))
            .map_err(|e| FileError::reading(&self.path, &e))?;
        if crc32c::crc32c(&bytes) != record.crc {
            return Ok(None);
        }
        if record.n_rows == 0 {
            self.good_end = record.end;
        }
        Ok(Some(bytes))
    }

    fn prime(&mut self) -> Result<()> {
        self.decoder = StreamDecoder::new();
        let mut buffer = Buffer::from_vec(self.schema.clone());
        match self.decoder.decode(&mut buffer) {
            Ok(_) => Ok(()),
            Err(error) => Err(FileError::damaged(&self.path, error.to_string())),
        }
    }
}

fn schema_bytes(path: &Path, schema: &Schema) -> Result<Vec<u8>> {
    let mut writer = StreamWriter::try_new(Vec::new(), schema).map_err(|e| arrow_error(path, &e))?;
    Ok(std::mem::take(writer.get_mut()))
}

fn remove(path: &Path) {
    // Ours, made a moment ago and empty of data: if it can't be removed, it does no harm.
    let _ = std::fs::remove_file(path);
}

fn arrow_error(path: &Path, error: &ArrowError) -> FileError {
    FileError::new(
        ErrorKind::InvalidValue,
        format!("cannot write {}", path.display()),
        error.to_string(),
        "this is a bug in Tetherscope: please report it with this message",
    )
}
