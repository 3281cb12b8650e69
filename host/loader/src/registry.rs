//! All components that were found, and what was refused. `scan` is the one road from a file to a component.

use crate::component::{self, Component, Home};
use crate::crashes::{self, Crash};
use crate::descriptor::{ComponentInfo, Isolation};
use crate::error::{LoadError, LoadErrorKind as ErrorKind};
use crate::in_call;
use crate::inspect::inspect;
use crate::isolation::Session;
use crate::library;
use crate::method::MethodRef;
use crate::probe::{Cache, probe};
use crate::search::{SearchOptions, libraries};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tetherscope_plugin_api::Kind;

/// A file that was not loaded, and why.
#[derive(Debug, Clone)]
pub struct Refused {
    /// The file or folder.
    pub path: PathBuf,
    /// Why.
    pub error: LoadError,
}

/// Something worth knowing about what was loaded, for example that a second copy is hidden.
#[derive(Debug, Clone, PartialEq)]
pub struct Note {
    /// The file.
    pub path: PathBuf,
    /// One sentence.
    pub text: String,
}

/// All components. Made once at start; never shrinks.
#[derive(Debug, Default)]
pub struct Registry {
    components: Vec<Component>,
    refused: Vec<Refused>,
    notes: Vec<Note>,
    /// What is held against libraries, loaded or not; read with the first library.
    held: Option<Vec<Crash>>,
    /// The libraries that run isolated for that.
    crashes: Vec<Crash>,
    /// Made with the options of the first library.
    session: Option<Arc<Session>>,
}

impl Registry {
    /// Searches all places and loads what it finds. Never fails as a whole: what cannot be loaded is in
    /// [`Registry::refused`].
    pub fn scan(options: &SearchOptions) -> Self {
        let mut registry = Self::default();
        let mut cache = Cache::read(options);
        for place in options.places() {
            let files = match libraries(&place.folder) {
                Ok(files) => files,
                Err(e) => {
                    if options.plugin_dirs.contains(&place.folder) {
                        registry.refused.push(Refused {
                            error: LoadError::new(
                                ErrorKind::Unreadable,
                                format!("cannot search {}", place.folder.display()),
                                format!("the folder cannot be read: {e}"),
                                "check the path that was given with --plugin-dir",
                            ),
                            path: place.folder,
                        });
                    }
                    continue;
                }
            };
            for file in files {
                match registry.add(&file, options, &mut cache) {
                    Err(error) if place.mixed && error.kind == ErrorKind::NotAPlugin => {}
                    Err(error) => registry.refused.push(Refused { path: file, error }),
                    Ok(()) => {}
                }
            }
        }
        cache.write(options);
        registry
    }

    /// Loads one file, whatever its name.
    pub fn load_file(&mut self, path: &Path, options: &SearchOptions) -> Result<(), LoadError> {
        let mut cache = Cache::read(options);
        let outcome = self.add(path, options, &mut cache);
        cache.write(options);
        outcome
    }

    fn add(&mut self, path: &Path, options: &SearchOptions, cache: &mut Cache) -> Result<(), LoadError> {
        let path = path.canonicalize().map_err(|e| {
            let cause = format!("the file cannot be found: {e}");
            LoadError::file(ErrorKind::Unreadable, path, cause, "check the path")
        })?;
        let facts = inspect(&path)?;
        if let Some(same) = self.components.iter().find(|c| c.hash() == facts.hash) {
            let text = format!("the same build as {}, which was found first", same.path().display());
            if same.path() != path {
                self.notes.push(Note { path, text });
            }
            return Ok(());
        }
        let probed = match cache.get(&path, &facts) {
            Some(known) => known,
            None => {
                let found = probe(&path, options)?;
                cache.put(&path, &facts, &found);
                found
            }
        };
        let infos = component::parse(&path, &facts, &probed.components)?;
        let crash = self.held_against(&facts.hash, options);
        let isolated = crash.is_some() || is_isolated(&infos, &facts.hash, options)?;
        self.crashes.extend(crash);
        let accusable = !isolated && writes_crashes_down(options);
        let (opened, layout) = if isolated {
            (None, probed.layout)
        } else {
            let suspect = accusable.then(|| component::suspect(&path, &facts.hash, None));
            let (opened, described) = library::open(&path, suspect)?;
            if described != probed.components {
                return Err(LoadError::file(
                    ErrorKind::BadDescriptor,
                    &path,
                    "it describes itself differently than when it was probed",
                    "descriptors must be constant; report it to the plugin's author",
                ));
            }
            let layout = opened.layout;
            (Some(opened), layout)
        };
        let session = self.session.get_or_insert_with(|| Session::new(options)).clone();
        let home = Arc::new(Home { path, facts, layout, opened, accusable, session, devices: Mutex::default() });
        let mut made: Vec<Component> = Vec::with_capacity(infos.len());
        for (index, info) in infos.into_iter().enumerate() {
            made.push(Component::new(&home, index as u32, info)?);
        }
        for component in &made {
            self.note_other_builds(component);
        }
        self.components.append(&mut made);
        Ok(())
    }

    /// What took a host down before, if it was a library of this content.
    fn held_against(&mut self, hash: &str, options: &SearchOptions) -> Option<Crash> {
        if options.isolation.never {
            return None;
        }
        let held = self.held.get_or_insert_with(|| crashes::remembered(options));
        held.iter().find(|c| c.hash() == hash).cloned()
    }

    fn note_other_builds(&mut self, new: &Component) {
        let other = self.components.iter().find(|c| c.info.id == new.info.id && c.info.version == new.info.version);
        if let Some(other) = other {
            let text = format!(
                "another build of {}: the plain name means the one in {}, this one is {}#{}",
                new.label(),
                other.path().display(),
                new.info.id,
                &new.hash()[..8]
            );
            self.notes.push(Note { path: new.path().to_owned(), text });
        }
    }

    /// All components, in the order in which they were found.
    pub fn components(&self) -> &[Component] {
        &self.components
    }

    /// What was refused, and why.
    pub fn refused(&self) -> &[Refused] {
        &self.refused
    }

    /// Libraries that run isolated because they crashed in a host's process before; what each is accused of.
    pub fn crashes(&self) -> &[Crash] {
        &self.crashes
    }

    /// What else is worth knowing.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// The component of a kind that a name means: the newest version that fits; of two builds of it, the first found.
    pub fn resolve(&self, kind: Kind, method: &str) -> Result<&Component, LoadError> {
        let found = self.find(method)?;
        if found.info.kind != kind {
            return Err(LoadError::new(
                ErrorKind::NotFound,
                format!("cannot use {method} here"),
                format!("it is a {}, a {} is wanted", found.info.kind.name(), kind.name()),
                self.available(Some(kind)),
            ));
        }
        Ok(found)
    }

    /// The component that a name means, of any kind.
    pub fn find(&self, method: &str) -> Result<&Component, LoadError> {
        let wanted: MethodRef = method.parse()?;
        let kind = Kind::ALL.into_iter().find(|k| wanted.id.split('.').next() == Some(k.name()));
        let not_found = |cause: String| {
            LoadError::new(ErrorKind::NotFound, format!("cannot find the method {method}"), cause, self.available(kind))
        };
        let of_id: Vec<&Component> = self.components.iter().filter(|c| c.info.id == wanted.id).collect();
        if of_id.is_empty() {
            return Err(not_found(format!("no loaded library offers {}", wanted.id)));
        }
        let fits = |c: &&&Component| wanted.means(&c.info, c.hash());
        let mut newest: Option<&Component> = None;
        for c in of_id.iter().filter(fits) {
            if newest.is_none_or(|n| c.info.version > n.info.version) {
                newest = Some(c);
            }
        }
        newest.ok_or_else(|| {
            let there: Vec<String> = of_id.iter().map(|c| format!("{}#{}", c.info.version, &c.hash()[..8])).collect();
            not_found(format!("{} is there as {}", wanted.id, there.join(", ")))
        })
    }

    fn available(&self, kind: Option<Kind>) -> String {
        let mut ids: Vec<&str> = self
            .components
            .iter()
            .filter(|c| kind.is_none_or(|k| c.info.kind == k))
            .map(|c| c.info.id.as_str())
            .collect();
        ids.sort_unstable();
        ids.dedup();
        let what = kind.map_or("method", Kind::name);
        if ids.is_empty() {
            format!("no {what} was loaded at all: see `tetherscope plugins list`, or name a folder with --plugin-dir")
        } else {
            format!("available: {}", ids.join(", "))
        }
    }
}

/// A library is isolated as a whole: its components share a context, and one that crashes takes the others along.
fn is_isolated(infos: &[ComponentInfo], hash: &str, options: &SearchOptions) -> Result<bool, LoadError> {
    let wanted = options.isolation.method_refs()?;
    let named = |info: &ComponentInfo| wanted.iter().any(|m| m.means(info, hash));
    let any = || infos.iter().any(|i| i.isolation == Isolation::Process || named(i));
    Ok(!options.isolation.never && (options.isolation.all || any()))
}

/// Sees to it that a crash of this process is written down, unless it is there to be lost or has no place for that.
fn writes_crashes_down(options: &SearchOptions) -> bool {
    let folder = crashes::folder(options).filter(|_| !options.isolation.never);
    folder.is_some_and(|f| std::fs::create_dir_all(&f).is_ok() && in_call::write_down_in(&f))
}
