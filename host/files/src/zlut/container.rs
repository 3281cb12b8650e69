//! Our own Z-LUT container. Layout, all little-endian:
//!
//! | bytes | content |
//! |---|---|
//! | 8 | `TSZLUT01`; the digits are the version |
//! | 8 | length of the header, u64 |
//! | 32 | BLAKE3 of the 16 bytes before and of the header |
//! | … | header, JSON: settings, tables, and name, type, length and BLAKE3 of every section |
//! | … | the sections in the header's order, nothing between or behind them |
//!
//! So every byte of the file is under a checksum: a file that was cut or changed is found out.
//! A reader passes over fields and sections that it doesn't know; whatever changes the meaning of
//! a known one gets a new version.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::ZlutFile;
use super::settings::ZlutSettings;
use super::table::{ZlutTable, f64_bytes, u32_bytes};
use crate::error::{ErrorKind, FileError, Result};
use crate::new_file::write_bytes;

const MAGIC: &[u8; 6] = b"TSZLUT";
const VERSION: &[u8; 2] = b"01";
/// Magic, version, length of the header.
const PREFIX_BYTES: usize = 16;
const CHECKSUM_BYTES: usize = 32;

#[derive(Debug, Serialize, Deserialize)]
struct Header {
    created_utc: String,
    program_version: String,
    notes: String,
    /// For people and tools that look for it; readers compare the settings themselves.
    settings_hash: String,
    settings: ZlutSettings,
    report: Option<serde_json::Value>,
    tables: Vec<TableHeader>,
}

#[derive(Debug, Serialize, Deserialize)]
struct TableHeader {
    bead: Option<u32>,
    sections: Vec<Section>,
}

/// What the header says of a section.
#[derive(Debug, Serialize, Deserialize)]
struct Section {
    name: String,
    /// `f64`, `u32` or `u8`, little-endian.
    kind: String,
    /// Number of values.
    n: u64,
    /// Checksum of the bytes, hexadecimal.
    blake3: String,
}

/// Whether a file that begins so is one of ours.
pub(super) fn begins(start: &[u8]) -> bool {
    start.starts_with(MAGIC)
}

/// Writes a Z-LUT to a new `.zlut` file.
///
/// Fails on settings that can't be stored (NaN, a key twice, a size of zero), on tables that make
/// no sense (see [`ZlutTable`]) or don't fit the settings' bins, and on two tables of one bead.
pub fn write_zlut(path: impl AsRef<Path>, file: &ZlutFile) -> Result<()> {
    let path = path.as_ref();
    if !path.extension().is_some_and(|e| e.eq_ignore_ascii_case("zlut")) {
        return Err(FileError::new(
            ErrorKind::UnknownFormat,
            format!("cannot write {}", path.display()),
            "a Z-LUT with settings is a .zlut file",
            "end the file's name in .zlut",
        ));
    }
    let mend = "check the settings and build the table anew";
    file.check().map_err(|cause| FileError::invalid(path, cause, mend))?;
    let bytes = encode(file).map_err(|cause| FileError::invalid(path, cause, mend))?;
    write_bytes(path, &bytes)
}

/// Reads one of our files.
pub(super) fn read(path: &Path) -> Result<ZlutFile> {
    let bytes = std::fs::read(path).map_err(|e| FileError::reading(path, &e))?;
    if let Some(version) = bytes.get(MAGIC.len()..MAGIC.len() + VERSION.len())
        && begins(&bytes)
        && version.iter().all(u8::is_ascii_digit)
        && version > VERSION.as_slice()
    {
        return Err(FileError::new(
            ErrorKind::TooNew,
            format!("cannot read {}", path.display()),
            format!(
                "its format has version {}, this Tetherscope knows {}",
                String::from_utf8_lossy(version),
                String::from_utf8_lossy(VERSION)
            ),
            "get a newer Tetherscope",
        ));
    }
    let file = decode(&bytes).map_err(|cause| FileError::damaged(path, cause))?;
    file.check().map_err(|cause| FileError::malformed(path, None, cause, "record the Z-LUT anew"))?;
    Ok(file)
}

fn encode(file: &ZlutFile) -> std::result::Result<Vec<u8>, String> {
    let mut body = Vec::new();
    let tables = file
        .tables
        .iter()
        .map(|table| TableHeader { bead: table.bead, sections: push_table(&mut body, table) })
        .collect();
    let header = Header {
        created_utc: file.created_utc.clone(),
        program_version: file.program_version.clone(),
        notes: file.notes.clone(),
        settings_hash: file.settings.hash(),
        settings: file.settings.clone(),
        report: file.report.clone(),
        tables,
    };
    let header = serde_json::to_vec_pretty(&header).map_err(|e| e.to_string())?;
    // A report that is nested too deep can be written, but not read.
    serde_json::from_slice::<Header>(&header).map_err(|e| format!("the report: {e}"))?;
    Ok(seal(&header, &body))
}

/// Puts the parts of a file together.
fn seal(header: &[u8], body: &[u8]) -> Vec<u8> {
    let mut bytes = [MAGIC.as_slice(), VERSION].concat();
    bytes.extend((header.len() as u64).to_le_bytes());
    let checksum = header_checksum(&bytes, header);
    bytes.extend(checksum.as_bytes());
    bytes.extend(header);
    bytes.extend(body);
    bytes
}

fn push_table(body: &mut Vec<u8>, table: &ZlutTable) -> Vec<Section> {
    let mut sections = Vec::new();
    let mut push = |name: &str, kind: &str, n: usize, bytes: &[u8]| {
        sections.push(Section {
            name: name.to_owned(),
            kind: kind.to_owned(),
            n: n as u64,
            blake3: blake3::hash(bytes).to_hex().to_string(),
        });
        body.extend_from_slice(bytes);
    };
    let floats = |v: &[f64]| (v.len(), f64_bytes(v));
    let (n, bytes) = floats(&table.z_nm);
    push("z_nm", "f64", n, &bytes);
    let (n, bytes) = floats(&table.profiles);
    push("profiles", "f64", n, &bytes);
    if let Some(variance) = &table.variance {
        let (n, bytes) = floats(variance);
        push("variance", "f64", n, &bytes);
    }
    if let Some(bytes) = &table.bytes {
        push("bytes", "u8", bytes.len(), bytes);
    }
    let counts = &table.n_frames_per_plane;
    push("n_frames_per_plane", "u32", counts.len(), &u32_bytes(counts));
    sections
}

fn header_checksum(prefix: &[u8], header: &[u8]) -> blake3::Hash {
    blake3::Hasher::new().update(prefix).update(header).finalize()
}

/// The error is what is damaged, in words.
fn decode(bytes: &[u8]) -> std::result::Result<ZlutFile, String> {
    let mut rest = bytes;
    let prefix = take(&mut rest, PREFIX_BYTES as u64, "the first bytes")?;
    if prefix[..8] != [MAGIC.as_slice(), VERSION].concat() {
        return Err("its first bytes are not those of a Z-LUT file".to_owned());
    }
    let length = prefix[8..].iter().rev().fold(0, |n, b| n << 8 | u64::from(*b));
    let stored = take(&mut rest, CHECKSUM_BYTES as u64, "the header's checksum")?;
    let header = take(&mut rest, length, "the header")?;
    if header_checksum(prefix, header).as_bytes() != stored {
        return Err("the header doesn't match its checksum".to_owned());
    }
    let header: Header = serde_json::from_slice(header).map_err(|e| format!("the header can't be read: {e}"))?;
    let tables =
        header.tables.iter().map(|table| take_table(&mut rest, table)).collect::<std::result::Result<_, _>>()?;
    if !rest.is_empty() {
        return Err(format!("{} bytes too many at its end", rest.len()));
    }
    Ok(ZlutFile {
        settings: header.settings,
        tables,
        created_utc: header.created_utc,
        program_version: header.program_version,
        notes: header.notes,
        report: header.report,
    })
}

fn take_table(rest: &mut &[u8], header: &TableHeader) -> std::result::Result<ZlutTable, String> {
    let mut table = ZlutTable { bead: header.bead, ..ZlutTable::default() };
    for section in &header.sections {
        let what = format!("{} of {}", section.name, table.name());
        let size = match section.kind.as_str() {
            "f64" => 8,
            "u32" => 4,
            "u8" => 1,
            other => return Err(format!("{what} has the unknown type {other:?}")),
        };
        let length = section.n.checked_mul(size);
        let bytes = take(rest, length.unwrap_or(u64::MAX), &what)?;
        if blake3::hash(bytes).to_hex().as_str() != section.blake3 {
            return Err(format!("{what} doesn't match its checksum"));
        }
        match (section.name.as_str(), section.kind.as_str()) {
            ("z_nm", "f64") => table.z_nm = f64_values(bytes),
            ("profiles", "f64") => table.profiles = f64_values(bytes),
            ("variance", "f64") => table.variance = Some(f64_values(bytes)),
            ("bytes", "u8") => table.bytes = Some(bytes.to_vec()),
            ("n_frames_per_plane", "u32") => table.n_frames_per_plane = u32_values(bytes),
            _ => {} // of a newer writer; not needed to understand the rest
        }
    }
    Ok(table)
}

fn take<'a>(rest: &mut &'a [u8], n: u64, what: &str) -> std::result::Result<&'a [u8], String> {
    let split = usize::try_from(n).ok().and_then(|n| rest.split_at_checked(n));
    let Some((taken, left)) = split else {
        return Err(format!("the file ends inside {what}"));
    };
    *rest = left;
    Ok(taken)
}

fn f64_values(bytes: &[u8]) -> Vec<f64> {
    let (values, _) = bytes.as_chunks::<8>();
    values.iter().map(|b| f64::from_le_bytes(*b)).collect()
}

fn u32_values(bytes: &[u8]) -> Vec<u32> {
    let (values, _) = bytes.as_chunks::<4>();
    values.iter().map(|b| u32::from_le_bytes(*b)).collect()
}

#[cfg(test)]
mod tests;
