//! `tetherscope plugins new`: a folder with a plugin that builds, has a test on simulated data, and says how to go on.
//!
//! It checks the name, picks the files of kind and language (`templates.rs`), puts the name into them and writes them;
//! nothing is overwritten, nothing is fetched. A Rust plugin builds against the SDK beside this program (`sdk.rs`).

mod sdk;
mod templates;

use super::{CommandResult, Ending, Output};
use sdk::Sdk;
use serde_json::json;
use std::path::{Path, PathBuf};
use templates::{File, Language, Template};
use tetherscope_core::RunError;
use tetherscope_core::loader::Kind;

/// Write a new plugin: a folder that builds, with a method, a test and a README
///
/// A C or C++ plugin carries the interface's headers and needs nothing else. A Rust plugin builds against
/// tetherscope-plugin-api: by path, without network, when this program was built from a source tree that is still there
/// or `--sdk` names one; else by version, which Cargo fetches.
#[derive(clap::Args)]
pub(crate) struct New {
    /// `lab.method`: lower case letters, digits and `-`, for example `smith.rings`; never renamed later
    name: String,
    /// What it does
    #[arg(long, value_parser = ["tracker", "zlut", "camera", "stage", "finder"])]
    kind: String,
    /// In which language
    #[arg(long)]
    lang: Language,
    /// Folder to make [default: KIND-LAB-METHOD here]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Folder of the Rust SDK (`plugin-api`), or of the source tree that holds it
    #[arg(long, value_name = "DIR")]
    sdk: Option<PathBuf>,
}

impl New {
    /// Writes the folder.
    pub(crate) fn run(self) -> CommandResult {
        let kind = Kind::ALL.into_iter().find(|k| k.name() == self.kind).expect("clap allows the kinds");
        let name = Name::parse(&self.name, kind)?;
        let folder = self.out.clone().unwrap_or_else(|| PathBuf::from(name.package()));
        let sdk = match self.lang {
            Language::Rust => Some(Sdk::find(self.sdk.as_deref())?),
            _ => None,
        };
        let template = Template { kind, language: self.lang, name: &name, sdk: sdk.as_ref() };
        let files = template.files()?;
        write(&folder, &files)?;
        Ok((report(&template, &folder, &files), Ending::Fine))
    }
}

/// A name that was checked, and what is made of it.
struct Name {
    kind: Kind,
    lab: String,
    method: String,
}

impl Name {
    fn parse(text: &str, kind: Kind) -> Result<Self, RunError> {
        let refuse =
            |cause: String, mend: String| Err(RunError::refused(format!("cannot call a plugin `{text}`"), cause, mend));
        let parts: Vec<&str> = text.split('.').collect();
        match parts[..] {
            [method] => {
                return refuse(
                    "names without a lab are Tetherscope's own".into(),
                    format!("write it as `lab.method`, for example `smith.{method}`"),
                );
            }
            [first, lab, method] if Kind::ALL.iter().any(|k| k.name() == first) => {
                return refuse(
                    format!("the kind `{first}` is put in front by itself"),
                    format!("write `{lab}.{method} --kind {first}`"),
                );
            }
            [_, _] => {}
            _ => {
                return refuse(
                    format!("it has {} parts, it needs two", parts.len()),
                    "write it as `lab.method`, for example `smith.rings`".into(),
                );
            }
        }
        for part in &parts {
            let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            let cause = if part.is_empty() || part.len() > 40 {
                format!("`{part}` has {} characters, allowed are 1 to 40", part.len())
            } else if !part.chars().all(good) {
                format!("`{part}` has something else than lower case letters, digits and `-`")
            } else if !part.starts_with(|c: char| c.is_ascii_lowercase()) || part.ends_with('-') {
                format!("`{part}` does not begin with a letter, or ends with `-`")
            } else {
                continue;
            };
            return refuse(cause, "write it as `lab.method`, for example `smith.rings-2`".into());
        }
        Ok(Self { kind, lab: parts[0].into(), method: parts[1].into() })
    }

    /// `tracker.smith.rings`.
    fn id(&self) -> String {
        format!("{}.{}.{}", self.kind.name(), self.lab, self.method)
    }

    /// `tracker-smith-rings`: the folder, and Cargo's package.
    fn package(&self) -> String {
        self.id().replace('.', "-")
    }

    /// `Rings 2`, for people.
    fn title(&self) -> String {
        let text = self.method.replace('-', " ");
        text[..1].to_uppercase() + &text[1..]
    }

    /// `Rings2Method`, the Rust or C++ type. The ending keeps it apart from the types of the templates.
    fn type_name(&self) -> String {
        let words = self.method.split('-').filter(|w| !w.is_empty());
        words.map(|w| w[..1].to_uppercase() + &w[1..]).collect::<String>() + "Method"
    }

    /// The text of a template with the name in it.
    fn put_into(&self, text: &str) -> String {
        let package = self.package();
        text.replace("your-lab.your-method", &format!("{}.{}", self.lab, self.method))
            .replace("Your method", &self.title())
            .replace("YourMethod", &self.type_name())
            .replace("your-plugin", &package)
            .replace("your_plugin", &package.replace('-', "_"))
    }
}

/// Writes the files into a folder that does not exist or is empty.
fn write(folder: &Path, files: &[File]) -> Result<(), RunError> {
    let thing = || format!("cannot write the plugin to {}", folder.display());
    let failed = |e: std::io::Error| RunError::refused(thing(), e.to_string(), "give another folder with --out");
    std::fs::create_dir_all(folder).map_err(failed)?;
    if std::fs::read_dir(folder).map_err(failed)?.next().is_some() {
        let mend = "give a new or empty folder with --out; nothing is overwritten";
        return Err(RunError::refused(thing(), "the folder is not empty", mend));
    }
    for file in files {
        let path = folder.join(&file.path);
        std::fs::create_dir_all(path.parent().expect("a file lies in a folder")).map_err(failed)?;
        let mut opened = std::fs::File::create_new(&path).map_err(failed)?;
        std::io::Write::write_all(&mut opened, file.text.as_bytes()).map_err(failed)?;
    }
    Ok(())
}

fn report(template: &Template<'_>, folder: &Path, files: &[File]) -> Output {
    let commands = template.commands();
    let mut text = format!("wrote {}: {} in {}\n", folder.display(), template.name.id(), template.language.title());
    files.iter().for_each(|f| text += &format!("  {}\n", f.path));
    if let Some(sdk) = template.sdk {
        text += &format!("{}\n", sdk.sentence());
    }
    text += &format!("next:\n  cd {}\n", folder.display());
    commands.iter().for_each(|c| text += &format!("  {c}\n"));
    let json = json!({
        "id": template.name.id(),
        "language": template.language.title(),
        "folder": folder.display().to_string(),
        "files": files.iter().map(|f| f.path.as_str()).collect::<Vec<_>>(),
        "library": template.library_path(),
        "sdk": template.sdk.and_then(Sdk::folder).map(|f| f.display().to_string()),
        "commands": commands,
    });
    Output { text, json }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_id_package_title_and_type() {
        let name = Name::parse("smith.rings-2", Kind::Tracker).unwrap();
        assert_eq!(name.id(), "tracker.smith.rings-2");
        assert_eq!(name.package(), "tracker-smith-rings-2");
        assert_eq!((name.title().as_str(), name.type_name().as_str()), ("Rings 2", "Rings2Method"));
        assert_eq!(name.put_into("libyour_plugin your-plugin"), "libtracker_smith_rings_2 tracker-smith-rings-2");
    }

    #[test]
    fn bad_names_are_refused_with_a_mend() {
        for (text, cause) in [
            ("rings", "Tetherscope's own"),
            ("tracker.smith.rings", "by itself"),
            ("a.b.c", "3 parts"),
            ("smith.", "0 characters"),
            ("Smith.rings", "lower case"),
            ("smith.ri ngs", "lower case"),
            ("smith.größe", "lower case"),
            ("smith.2rings", "begin with a letter"),
            ("smith.rings-", "ends with"),
            ("../etc.x", "parts"),
        ] {
            let Err(e) = Name::parse(text, Kind::Tracker) else { panic!("`{text}` was taken") };
            let lines: Vec<String> = e.to_string().lines().map(str::to_owned).collect();
            assert!(lines.len() == 3 && lines[1].contains(cause), "{text}: {lines:?}");
        }
    }
}
