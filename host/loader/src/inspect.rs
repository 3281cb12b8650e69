//! Reads a library file without running any of its code: format, architecture, entry symbol, magic, versions, sizes.

use crate::error::{LoadError, LoadErrorKind as Kind};
use object::read::{ExportTarget, NameOrOrdinal};
use object::{Object, ObjectKind, ObjectSection};
use std::path::Path;
use tetherscope_plugin_api::abi::{self, PluginEntry};
use tetherscope_plugin_api::{FROZEN_NAMES, FROZEN_SIZES};

/// Name of the static that makes a library a plugin.
const ENTRY_SYMBOL: &[u8] = b"tetherscope_plugin_entry";
/// Bytes of [`PluginEntry`] that are read from the file: all before its pointer.
const HEADER_BYTES: usize = std::mem::offset_of!(PluginEntry, library);

/// What the file says before anything of it runs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FileFacts {
    /// blake3 of the content, in hex.
    pub(crate) hash: String,
    /// Size in bytes.
    pub(crate) size: u64,
    /// Interface that it was built against.
    pub(crate) abi: (u16, u16),
}

/// Reads and checks a file.
pub(crate) fn inspect(path: &Path) -> Result<FileFacts, LoadError> {
    let bytes = std::fs::read(path).map_err(|e| {
        LoadError::file(
            Kind::Unreadable,
            path,
            format!("the file cannot be read: {e}"),
            "check that it exists and that you may read it",
        )
    })?;
    let header = entry_header(path, &bytes)?;
    let abi = check_header(path, &header)?;
    Ok(FileFacts { hash: blake3::hash(&bytes).to_hex().to_string(), size: bytes.len() as u64, abi })
}

fn entry_header(path: &Path, bytes: &[u8]) -> Result<[u8; HEADER_BYTES], LoadError> {
    let wrong = |cause: String, mend: &str| LoadError::file(Kind::WrongFormat, path, cause, mend);
    let file = object::File::parse(bytes).map_err(|e| {
        wrong(format!("it is not a shared library: {e}"), "give the library file that the plugin's build made")
    })?;
    let (format, architecture) = (file.format(), file.architecture());
    let here = host_architecture();
    if format != host_format() || architecture != here {
        return Err(wrong(
            format!("it was built for {format:?}/{architecture:?}, this host is {:?}/{here:?}", host_format()),
            "get the plugin built for this system, or build it here",
        ));
    }
    if file.kind() != ObjectKind::Dynamic {
        return Err(wrong(
            format!("it is a {:?} file, not a shared library", file.kind()).to_lowercase(),
            "build it as a shared library (Rust: crate-type = [\"cdylib\"], C: -shared -fPIC)",
        ));
    }
    let not_a_plugin = |cause: &str| {
        LoadError::file(
            Kind::NotAPlugin,
            path,
            cause,
            "if it should be one, export the static tetherscope_plugin_entry (Rust: export_plugin!, C: TS_PLUGIN_ENTRY)",
        )
    };
    let exports =
        file.exports().map_err(|e| wrong(format!("its symbols cannot be read: {e}"), "build the plugin again"))?;
    let address = exports
        .filter_map(Result::ok)
        .find_map(|e| match (e.name(), e.target()) {
            (NameOrOrdinal::Name(n), ExportTarget::Address { address })
                if n == ENTRY_SYMBOL || n.strip_prefix(b"_") == Some(ENTRY_SYMBOL) =>
            {
                Some(address)
            }
            _ => None,
        })
        .ok_or_else(|| not_a_plugin("it exports no tetherscope_plugin_entry, so it is not a Tetherscope plugin"))?;
    let data = file
        .sections()
        .find_map(|s| s.data_range(address, HEADER_BYTES as u64).ok().flatten())
        .ok_or_else(|| not_a_plugin("its tetherscope_plugin_entry is not a static with constant content"))?;
    data.try_into().map_err(|_| not_a_plugin("its tetherscope_plugin_entry is cut short"))
}

/// Checks magic, versions and sizes; gives the interface's version.
fn check_header(path: &Path, header: &[u8; HEADER_BYTES]) -> Result<(u16, u16), LoadError> {
    let u16_at = |at: usize| u16::from_ne_bytes([header[at], header[at + 1]]);
    let u32_at = |at: usize| u32::from_ne_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let refuse = |cause: String, mend: &str| LoadError::file(Kind::Incompatible, path, cause, mend);
    let magic = u32_at(std::mem::offset_of!(PluginEntry, magic));
    if magic != abi::MAGIC {
        return Err(refuse(
            format!("its entry begins with 0x{magic:08x}, a plugin begins with 0x{:08x}", abi::MAGIC),
            "build it against tetherscope-plugin-api or tetherscope.h",
        ));
    }
    let major = u16_at(std::mem::offset_of!(PluginEntry, abi_major));
    let minor = u16_at(std::mem::offset_of!(PluginEntry, abi_minor));
    let host = crate::host_version();
    if major != abi::ABI_MAJOR {
        let mend = format!(
            "get a Tetherscope for interface {major}, or build it against tetherscope-plugin-api {}",
            host.major
        );
        return Err(refuse(
            format!(
                "it was built for plugin interface {major}.{minor}, this host offers {}.{}",
                host.major, host.minor
            ),
            &mend,
        ));
    }
    let min_at = std::mem::offset_of!(PluginEntry, min_host);
    let stated = semver::Version::new(u16_at(min_at).into(), u16_at(min_at + 2).into(), u16_at(min_at + 4).into());
    let unstated = stated == semver::Version::new(0, 0, 0);
    let wanted = if unstated { semver::Version::new(major.into(), minor.into(), 0) } else { stated };
    if wanted > host {
        let why = if unstated { " (it states no min_host)" } else { "" };
        return Err(refuse(
            format!("it needs a host of plugin interface {wanted}{why}, this host offers {host}"),
            &format!(
                "get a newer Tetherscope, or build it against tetherscope-plugin-api {}.{}",
                host.major, host.minor
            ),
        ));
    }
    let sizes_at = std::mem::offset_of!(PluginEntry, sizes);
    let (n_sizes, known) = (u32_at(std::mem::offset_of!(PluginEntry, n_sizes)) as usize, FROZEN_NAMES.len());
    let struct_size = u32_at(std::mem::offset_of!(PluginEntry, struct_size)) as usize;
    if n_sizes < known || struct_size < size_of::<PluginEntry>() {
        return Err(refuse(
            format!(
                "it tells the sizes of {n_sizes} structs in {struct_size} bytes, its interface has {known} structs"
            ),
            "build it against the unchanged tetherscope-plugin-api or tetherscope.h",
        ));
    }
    for (i, name) in FROZEN_NAMES.iter().enumerate() {
        let (theirs, ours) = (u32_at(sizes_at + 4 * i), FROZEN_SIZES[i]);
        if theirs != ours {
            return Err(refuse(
                format!(
                    "its struct {name} has {theirs} bytes, the host's has {ours}: it was built against changed headers"
                ),
                "build it against the unchanged tetherscope-plugin-api or tetherscope.h",
            ));
        }
    }
    Ok((major, minor))
}

fn host_format() -> object::BinaryFormat {
    object::BinaryFormat::native_object()
}

fn host_architecture() -> object::Architecture {
    match std::env::consts::ARCH {
        "x86_64" => object::Architecture::X86_64,
        "aarch64" => object::Architecture::Aarch64,
        "x86" => object::Architecture::I386,
        "riscv64" => object::Architecture::Riscv64,
        _ => object::Architecture::Unknown,
    }
}
