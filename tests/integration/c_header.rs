//! The C header `plugin-api/c/tetherscope.h`: generated from the Rust sources by cbindgen, compared with the checked-in
//! one, compiled as C11 and as C++17, and compared with Rust field by field.

use super::abi_layout;
use super::abi_source;
use super::harness::{Language, bless_or_compare, compiler, repository, scratch};
use cbindgen::{Builder, Config, DocumentationStyle, ItemType, Style};
use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::path::PathBuf;
use tetherscope_plugin_api::FROZEN_NAMES;

/// The width of the header's lines.
const LINE_LENGTH: usize = 120;

fn header_path() -> PathBuf {
    repository().join("plugin-api/c/tetherscope.h")
}

/// Opens what [`trailer`] closes: the include guard and the guard for C++, both round everything.
const OPENING: &str = "#ifndef TETHERSCOPE_H\n#define TETHERSCOPE_H\n\n#include <stddef.h>\n#include <stdint.h>\n\
                       #include <string.h>\n\n#if defined(__cplusplus)\nextern \"C\" {\n#endif";

/// What cbindgen is told: C, our names, documentation as it stands.
fn config() -> Config {
    let mut config = Config {
        header: Some(opening_comment()),
        no_includes: true,
        after_includes: Some(OPENING.into()),
        trailer: Some(trailer()),
        language: cbindgen::Language::C,
        style: Style::Both,
        line_length: LINE_LENGTH,
        documentation_style: DocumentationStyle::C99,
        ..Config::default()
    };
    config.export.rename = names().into_iter().collect();
    // Constants and aliases that no struct uses would be left out otherwise.
    config.export.include = names().into_keys().collect();
    config.export.item_types = vec![ItemType::Constants, ItemType::Structs, ItemType::Typedefs, ItemType::OpaqueItems];
    config
}

/// The rules that stand at the top of `abi.rs`, as a C comment.
fn opening_comment() -> String {
    let rules: Vec<String> = abi_source::module_text()
        .lines()
        .filter_map(|l| Some(l.strip_prefix("//!")?.trim_start().replace("**", "")))
        .map(|l| format!(" * {l}").trim_end().to_owned())
        .collect();
    format!(
        "/*\n * Tetherscope's plugin interface in C. Licensed under MIT or Apache-2.0, at your option.\n *\n * Generated \
         from plugin-api/src/abi by the test `c_header`; change the Rust sources, not this file.\n *\n{}\n */",
        rules.join("\n")
    )
}

/// Macros and helpers; the list of sizes comes from the Rust side, so that it cannot differ.
fn trailer() -> String {
    let sizes = FROZEN_NAMES.iter().map(|name| format!("    {:<114} \\", format!("(uint32_t)sizeof(ts_{name}),")));
    let sizes = sizes.collect::<Vec<_>>().join("\n");
    let text = include_str!("c_header/trailer.h").replace("@SIZES@", &sizes);
    format!("{text}\n#if defined(__cplusplus)\n}} // extern \"C\"\n#endif\n\n#endif // TETHERSCOPE_H")
}

/// The header as it should be.
fn generated() -> String {
    let builder = abi_source::files().iter().fold(Builder::new().with_config(config()), Builder::with_src);
    let mut bytes = Vec::new();
    builder.generate().expect("cbindgen reads the interface").write(&mut bytes);
    let text = String::from_utf8(bytes).expect("cbindgen writes UTF-8");
    let names = names();
    let lines: Vec<String> = text.lines().map(|l| c_line(l.trim_end(), &names)).collect();
    let doubled = |i: usize| i > 0 && lines[i].is_empty() && lines[i - 1].is_empty();
    let kept = (0..lines.len()).filter(|&i| !separates_one_family(&lines, i) && !doubled(i));
    format!("{}\n", kept.map(|i| lines[i].as_str()).collect::<Vec<_>>().join("\n"))
}

/// True for the empty line between two constants of one family, such as `TS_FLAG_*`.
fn separates_one_family(lines: &[String], i: usize) -> bool {
    let family = |line: &str| line.strip_prefix("#define TS_")?.split('_').next().map(str::to_owned);
    let before = i.checked_sub(1).and_then(|i| family(&lines[i]));
    let after = lines[i + 1..].iter().find(|l| !l.starts_with("//")).and_then(|l| family(l));
    lines[i].is_empty() && before.is_some() && before == after
}

/// Turns the Rust names in a line's documentation into C names, ``[`Fix`]`` into `ts_fix` and `KIND_*` into `TS_KIND_*`,
/// and the codes that everybody knows in hex into hex.
fn c_line(line: &str, names: &BTreeMap<String, String>) -> String {
    if let Some((name, value)) = line.strip_prefix("#define ").and_then(|rest| rest.split_once(' ')) {
        return match value.parse::<u32>() {
            Ok(value) if name == "TS_MAGIC" || name.starts_with("TS_PIXEL_") => format!("#define {name} {value:#010x}"),
            _ => line.to_owned(),
        };
    }
    let parts: Vec<&str> = line.split('`').collect();
    if parts.len().is_multiple_of(2) {
        // A piece of code that goes on in the next line: JSON, which names nothing of ours.
        return line.to_owned();
    }
    let mut out = String::new();
    for (i, part) in parts.iter().enumerate() {
        if i % 2 == 1 {
            out.push_str(&format!("`{}`", c_name(part, names)));
            continue;
        }
        // The brackets of a link stand outside the backticks, on both sides.
        let links = |k: Option<&&str>| k.is_some_and(|after| after.starts_with(']'));
        let part = if i > 0 { part.strip_prefix(']').unwrap_or(part) } else { part };
        out.push_str(if links(parts.get(i + 2)) { part.strip_suffix('[').unwrap_or(part) } else { part });
    }
    out
}

/// `super::CameraFormat::flags` becomes `ts_camera_format.flags`, `TIME_*` becomes `TS_TIME_*`; the rest stays.
fn c_name(rust: &str, names: &BTreeMap<String, String>) -> String {
    if rust.ends_with("_*") && rust.chars().all(|c| c.is_ascii_uppercase() || "_*".contains(c)) {
        return format!("TS_{rust}");
    }
    let path: Vec<&str> = rust.split("::").filter(|s| !["super", "crate", "abi"].contains(s)).collect();
    match names.get(path[0]) {
        Some(name) => [&[name.as_str()], &path[1..]].concat().join("."),
        None => rust.to_owned(),
    }
}

/// Rust names of all items, and what C calls them.
fn names() -> BTreeMap<String, String> {
    abi_source::items().iter().map(|i| (i.name().to_owned(), i.c_name())).collect()
}

/// A C or C++ file that does not compile unless every size, offset and value is Rust's.
fn assertions(assert: &str) -> String {
    let mut out = String::from("#include \"tetherscope.h\"\n");
    for (ty, size) in abi_layout::c_sizes() {
        writeln!(out, "{assert}(sizeof({ty}) == {size}, \"size of {ty}\");").expect("a String takes all");
    }
    for (ty, field, at) in abi_layout::c_offsets() {
        writeln!(out, "{assert}(offsetof({ty}, {field}) == {at}, \"{ty}.{field}\");").expect("a String takes all");
    }
    for (name, value) in abi_layout::c_constants() {
        let value = match value.as_str() {
            // C has no literal for the smallest number.
            "-9223372036854775808" => "INT64_MIN".to_owned(),
            "18446744073709551615" => "UINT64_MAX".to_owned(),
            v => v.to_owned(),
        };
        writeln!(out, "{assert}({name} == {value}, \"{name}\");").expect("a String takes all");
    }
    out
}

/// A plugin of nothing, with all macros and helpers.
const PLUGIN_OF_NOTHING: &str = r#"
static ts_status open_library(const ts_host *host, void **context, ts_writer error) {
  *context = NULL;
  if (!TS_HAS(host, log)) return ts_fail(error, TS_STATUS_UNSUPPORTED, "the host has no log");
  ts_params none = {NULL, 0};
  return ts_find_param(none, "key") ? TS_STATUS_INTERNAL : TS_STATUS_OK;
}
static const ts_library_table library = {sizeof(ts_library_table), 0, open_library, NULL, NULL, NULL, NULL, NULL};
TS_PLUGIN_ENTRY(library);
"#;

fn compiles(language: Language, assert: &str, flags: &[&str]) {
    let Some(mut command) = compiler(language) else { return };
    let folder = scratch("c_header");
    let (file, object) = match language {
        Language::C => ("interface.c", "interface-c.o"),
        Language::Cpp => ("interface.cpp", "interface-cpp.o"),
    };
    std::fs::write(folder.path().join(file), assertions(assert) + PLUGIN_OF_NOTHING).unwrap();
    let output = command
        .current_dir(folder.path())
        .args(flags)
        .args(["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-c", "-o", object, file, "-I"])
        .arg(header_path().parent().expect("the header lies in a folder"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{file}: C and Rust do not agree, or the header does not compile:\n{said}");
}

#[test]
fn the_header_is_what_the_rust_sources_say() {
    bless_or_compare(&header_path(), &generated());
}

#[test]
fn the_header_names_every_public_item_and_links_in_no_rust_way() {
    let header = generated();
    let words: HashSet<&str> = header.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    for item in abi_source::items() {
        assert!(words.contains(item.c_name().as_str()), "{} is missing from the header", item.c_name());
    }
    for rust in ["[`", "`]", "::", "Option<"] {
        let line = header.lines().find(|l| l.contains(rust));
        assert!(line.is_none(), "`{rust}` is no C: {}", line.unwrap_or_default());
    }
}

#[test]
fn the_header_compiles_as_c11_and_agrees_with_rust_on_every_offset_and_value() {
    compiles(Language::C, "_Static_assert", &["-std=c11"]);
}

#[test]
fn the_header_compiles_as_cpp17_and_agrees_with_rust_on_every_offset_and_value() {
    compiles(Language::Cpp, "static_assert", &["-std=c++17"]);
}

#[test]
fn documentation_uses_c_names() {
    for (rust, c) in [
        ("// See [`Fix`] and [`super::STATUS_OK`].", "// See `ts_fix` and `TS_STATUS_OK`."),
        ("// [`CameraFormat::flags`]: one of `TIME_*`.", "// `ts_camera_format.flags`: one of `TS_TIME_*`."),
        ("// `[n × 2]` and `min_host`", "// `[n × 2]` and `min_host`"),
        ("// `{\"Fix\": 1,", "// `{\"Fix\": 1,"),
        ("  uint64_t reserved[4];", "  uint64_t reserved[4];"),
        ("#define TS_PIXEL_MONO8 17301505", "#define TS_PIXEL_MONO8 0x01080001"),
        ("#define TS_STATUS_OK 0", "#define TS_STATUS_OK 0"),
    ] {
        assert_eq!(c_line(rust, &names()), c);
    }
}
