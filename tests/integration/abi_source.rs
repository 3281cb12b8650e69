//! Reads the source text of `plugin-api/src/abi`: names, types and order of every public struct, constant and alias.
//!
//! The text is the only place that knows what exists: `c_header` derives the C names from it, `abi_layout` finds out
//! what its own lists lack. It understands rustfmt's layout of plain items, which is all that the interface has.

use std::path::PathBuf;

/// One public item of the interface.
pub enum Item {
    Struct { name: String, frozen: bool, fields: Vec<Field> },
    Const { name: String, ty: String },
    Alias { name: String, ty: String },
}

/// One field of a struct, its type as it is written.
pub struct Field {
    pub name: String,
    pub ty: String,
}

impl Item {
    pub fn name(&self) -> &str {
        match self {
            Item::Struct { name, .. } | Item::Const { name, .. } | Item::Alias { name, .. } => name,
        }
    }

    /// The name in C: `ts_worker_config`, `TS_STATUS_OK`.
    pub fn c_name(&self) -> String {
        match self {
            Item::Struct { name, .. } | Item::Alias { name, .. } => format!("ts_{}", snake_case(name)),
            Item::Const { name, .. } => format!("TS_{name}"),
        }
    }
}

/// The folder of the interface's sources.
fn folder() -> PathBuf {
    super::harness::repository().join("plugin-api/src/abi")
}

/// The modules of the interface, in the order in which a stranger should meet them.
const READING_ORDER: [&str; 8] = ["basic", "entry", "frame", "tracker", "zlut", "camera", "stage", "finder"];

/// The source files, in reading order. Panics if `abi.rs` has another module.
pub fn files() -> Vec<PathBuf> {
    let text = module_text();
    let modules: Vec<&str> = text.lines().filter_map(|l| l.strip_prefix("mod ")?.strip_suffix(';')).collect();
    let unknown = modules.iter().find(|m| !READING_ORDER.contains(m));
    assert!(unknown.is_none(), "abi.rs has the module {unknown:?}; give it a place in READING_ORDER");
    READING_ORDER.iter().map(|name| folder().join(format!("{name}.rs"))).collect()
}

/// The text of `abi.rs`.
pub fn module_text() -> String {
    read(&folder().with_extension("rs"))
}

/// Every public item, in the order of the sources.
pub fn items() -> Vec<Item> {
    files().iter().flat_map(|file| items_of(&read(file))).collect()
}

/// `WorkerConfig` becomes `worker_config`.
pub fn snake_case(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    out
}

fn read(file: &std::path::Path) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|e| panic!("cannot read {}: {e}", file.display()))
}

fn items_of(text: &str) -> Vec<Item> {
    let mut items = Vec::new();
    let mut frozen = false;
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.starts_with("#[") {
            frozen |= line.contains("StableAbi");
        } else if let Some(rest) = line.strip_prefix("pub struct ") {
            let name = rest.strip_suffix(" {").unwrap_or_else(|| panic!("`{line}` does not open a plain struct"));
            let body: Vec<&str> = lines.by_ref().take_while(|l| *l != "}").collect();
            items.push(Item::Struct { name: name.into(), frozen, fields: fields(&body) });
        } else if let Some(rest) = line.strip_prefix("pub const ") {
            let (name, rest) = rest.split_once(": ").expect("a constant has a type");
            let (ty, _) = rest.split_once(" = ").expect("a constant has a value");
            items.push(Item::Const { name: name.into(), ty: ty.into() });
        } else if let Some(rest) = line.strip_prefix("pub type ") {
            let (name, ty) = rest.split_once(" = ").expect("an alias names a type");
            items.push(Item::Alias { name: name.into(), ty: ty.trim_end_matches(';').into() });
        } else if line.starts_with("pub ") {
            panic!("`{line}` is an item that the interface's tests do not know");
        }
        if !line.starts_with("#[") && !line.starts_with("///") {
            frozen = false;
        }
    }
    items
}

/// The fields of a struct's body: documentation dropped, each type on one line.
fn fields(body: &[&str]) -> Vec<Field> {
    let code: Vec<&str> = body.iter().map(|l| l.trim()).filter(|l| !l.starts_with("///")).collect();
    let mut fields = Vec::new();
    let mut depth = 0;
    let mut field = String::new();
    for c in code.join(" ").replace("->", "→").chars() {
        match c {
            '(' | '<' | '[' => depth += 1,
            ')' | '>' | ']' => depth -= 1,
            ',' if depth == 0 => {
                fields.push(one_field(&std::mem::take(&mut field)));
                continue;
            }
            _ => {}
        }
        field.push(c);
    }
    assert!(field.trim().is_empty(), "`{field}` stands after the last field");
    fields
}

fn one_field(text: &str) -> Field {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ").replace('→', "->");
    let text = text.replace("( ", "(").replace(", )", ")").replace("< ", "<").replace(", >", ">");
    let (name, ty) = text.strip_prefix("pub ").and_then(|t| t.split_once(": ")).expect("every field is public");
    Field { name: name.into(), ty: ty.into() }
}

#[test]
fn items_are_read_with_their_types_and_order() {
    let text = "/// Doc.\n#[repr(C)]\n#[cfg_attr(x, derive(abi_stable::StableAbi))]\npub struct OneThing {\n    /// A, b.\n    \
                pub a_px: [u64; 2],\n    pub f: Option<\n        unsafe extern \"C\" fn(a: *mut u8, b: i32) -> Status,\n    \
                >,\n}\npub const MAX: u32 = 1 << 3;\npub type Status = i32;\npub struct Table {\n}\n";
    let items = items_of(text);
    let names: Vec<String> = items.iter().map(Item::c_name).collect();
    assert_eq!(names, ["ts_one_thing", "TS_MAX", "ts_status", "ts_table"]);
    let Item::Struct { frozen: true, fields, .. } = &items[0] else { panic!("a frozen struct was expected") };
    assert_eq!(fields[0].ty, "[u64; 2]");
    assert_eq!(fields[1].ty, "Option<unsafe extern \"C\" fn(a: *mut u8, b: i32) -> Status>");
    assert!(matches!(&items[3], Item::Struct { frozen: false, .. }));
}
