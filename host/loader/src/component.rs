//! One component of a library, as callers know it: what it says of itself, where it runs, and how its failures are told.
//!
//! A library runs in this process, opened, or isolated: then this process never opens it, and what is known of it comes
//! from the probe.
#![allow(unsafe_code)]

use crate::child::DeviceChild;
use crate::crashes::Accused;
use crate::descriptor::ComponentInfo;
use crate::error::{LoadError, LoadErrorKind, PluginError};
use crate::in_call::{self, InCall, Suspect};
use crate::inspect::FileFacts;
use crate::isolation::Session;
use crate::layout::Checked;
use crate::library::{self, Library, MAX_ERROR_BYTES, Output, status_name};
use crate::params::ParamSet;
use std::ffi::c_void;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tetherscope_plugin_api::Kind;
use tetherscope_plugin_api::abi::{self, Status, Writer};

/// A library as the registry knows it.
#[derive(Debug)]
pub(crate) struct Home {
    pub(crate) path: PathBuf,
    pub(crate) facts: FileFacts,
    pub(crate) layout: Checked,
    /// None for a library that this process does not open.
    pub(crate) opened: Option<Arc<Library>>,
    /// A crash in one of its calls is written down.
    pub(crate) accusable: bool,
    pub(crate) session: Arc<Session>,
    /// The one child of all its cameras and stages, if they are isolated.
    pub(crate) devices: Mutex<Option<Arc<DeviceChild>>>,
}

/// One component of a library.
#[derive(Debug, Clone)]
pub struct Component {
    pub(crate) home: Arc<Home>,
    pub(crate) info: ComponentInfo,
    pub(crate) index: u32,
    /// Isolated although its library is open.
    forced: bool,
    table: *const c_void,
    /// As whom a crash in one of its calls accuses it; None where nobody writes crashes down.
    suspect: Option<&'static Suspect>,
}

// SAFETY: the table is a constant of the library, which is never unloaded.
unsafe impl Send for Component {}
// SAFETY: as above.
unsafe impl Sync for Component {}

/// Reads the descriptors of a library and checks that its ids are unique.
pub(crate) fn parse(
    path: &Path,
    facts: &FileFacts,
    described: &[(u32, String)],
) -> Result<Vec<ComponentInfo>, LoadError> {
    let bad = |cause: String| {
        let mend = "report it to the plugin's author; `describe` in tetherscope-plugin-api shows the form";
        LoadError::file(LoadErrorKind::BadDescriptor, path, cause, mend)
    };
    let newer = facts.abi.1 > abi::ABI_MINOR;
    let mut infos: Vec<ComponentInfo> = Vec::with_capacity(described.len());
    for (index, (code, json)) in described.iter().enumerate() {
        let kind =
            Kind::from_code(*code).ok_or_else(|| bad(format!("component {index} is of the unknown kind {code}")))?;
        let info = ComponentInfo::parse(kind, json, newer).map_err(bad)?;
        if infos.iter().any(|i| i.id == info.id) {
            let cause = format!("two of its components have the id {}", info.id);
            let mend = "ids are unique; report it to the plugin's author";
            return Err(LoadError::file(LoadErrorKind::BadDescriptor, path, cause, mend));
        }
        infos.push(info);
    }
    Ok(infos)
}

/// As whom a crash accuses a component, or the library as a whole.
pub(crate) fn suspect(path: &Path, hash: &str, info: Option<&ComponentInfo>) -> &'static Suspect {
    let (method, version) = info.map(|i| (i.id.clone(), i.version.to_string())).unwrap_or_default();
    let accused = Accused { method, version, path: path.to_owned(), hash: hash.to_owned() };
    Suspect::new(&serde_json::to_string(&accused).unwrap_or_default())
}

impl Component {
    /// A component; its table is asked for and checked if its library is open.
    pub(crate) fn new(home: &Arc<Home>, index: u32, info: ComponentInfo) -> Result<Self, LoadError> {
        let table = match &home.opened {
            Some(library) => library::table(library, index, &info)?,
            None => std::ptr::null(),
        };
        let suspect = home.accusable.then(|| suspect(&home.path, &home.facts.hash, Some(&info)));
        Ok(Self { home: home.clone(), info, index, forced: false, table, suspect })
    }

    /// What it says of itself.
    pub fn info(&self) -> &ComponentInfo {
        &self.info
    }

    /// The library's file.
    pub fn path(&self) -> &Path {
        &self.home.path
    }

    /// blake3 of the library's content, in hex.
    pub fn hash(&self) -> &str {
        &self.home.facts.hash
    }

    /// `id version`, for messages.
    pub fn label(&self) -> String {
        format!("{} {}", self.info.id, self.info.version)
    }

    /// True if what is made of it runs in a child process.
    pub fn is_isolated(&self) -> bool {
        self.forced || self.home.opened.is_none()
    }

    /// The same component, isolated. Its library may be open in this process all the same.
    pub fn isolated(&self) -> Self {
        Self { forced: true, ..self.clone() }
    }

    /// What became of the comparison of struct layouts, as a sentence.
    pub fn layout_check(&self) -> &'static str {
        match self.home.layout {
            Checked::Agrees => "the layouts of all structs agree",
            Checked::NotOffered => "the library offers no layouts to compare; sizes agree",
            Checked::OtherAbiStable => "skipped: the library describes its layouts in another version; sizes agree",
        }
    }

    /// Parameters from `key=text` pairs, the rest at their defaults.
    pub fn params<'a>(&self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<ParamSet, LoadError> {
        ParamSet::from_text(&self.info.parameters, pairs).map_err(|cause| self.bad_parameter(cause))
    }

    /// Parameters that a file stored.
    pub fn stored_params(&self, object: &serde_json::Map<String, serde_json::Value>) -> Result<ParamSet, LoadError> {
        ParamSet::from_json_object(&self.info.parameters, object).map_err(|cause| self.bad_parameter(cause))
    }

    fn bad_parameter(&self, cause: String) -> LoadError {
        LoadError::new(
            LoadErrorKind::BadParameter,
            format!("cannot use {}", self.label()),
            cause,
            format!("`tetherscope plugins inspect {}` shows keys, ranges and defaults", self.info.id),
        )
    }

    /// The context for `create` and `open`.
    pub(crate) fn context(&self) -> *mut c_void {
        self.home.opened.as_ref().expect("only what is open runs in this process").context
    }

    /// The component's function table as `T`, absent functions null.
    ///
    /// # Safety
    /// `T` must be the table type of the component's kind, and its library must be open.
    pub(crate) unsafe fn table<T>(&self) -> T {
        // SAFETY: the table is valid, was checked at load, and is of type `T`, as the caller promises.
        unsafe { library::copy_table(self.table) }
    }

    /// To be held through every call into the plugin: a crash meanwhile is its.
    #[inline]
    pub(crate) fn enter(&self, function: &'static str) -> InCall {
        in_call::enter(self.suspect, function)
    }

    /// Runs one call: the plugin's error text and status become an error that names the plugin.
    pub(crate) fn call(&self, function: &'static str, f: impl FnOnce(Writer) -> Status) -> Result<(), PluginError> {
        let mut text = Output::new(MAX_ERROR_BYTES);
        let status = {
            let _in_call = self.enter(function);
            f(text.writer())
        };
        if status == abi::STATUS_OK { Ok(()) } else { Err(self.failed(function, status, &text)) }
    }

    #[cold]
    fn failed(&self, function: &'static str, status: Status, text: &Output) -> PluginError {
        let said = text.sentence();
        let message =
            if said.is_empty() { format!("it returned {} and said nothing", status_name(status)) } else { said };
        self.error(function, status, message)
    }

    /// An error that the host itself found in what the plugin did.
    #[cold]
    pub(crate) fn error(&self, function: &'static str, status: Status, message: String) -> PluginError {
        PluginError { plugin: self.label(), file: self.home.path.clone(), function, status, message }
    }
}
