//! How commands end: text for people or one JSON object, and the exit code.

use serde_json::{Value, json};
use std::io::Write;
use std::process::ExitCode;

/// What a command reports, in both forms.
pub(crate) struct Output {
    /// Text for people, with its line ends.
    pub(crate) text: String,
    /// The same for machines.
    pub(crate) json: Value,
}

/// How a command that did its work ends.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Ending {
    /// Exit code 0.
    Fine,
    /// Exit code 1: it was done and looked at, and something is not as it should be; the report says what.
    NotFine,
}

impl Ending {
    /// `Fine` if so.
    pub(crate) fn fine_if(fine: bool) -> Self {
        if fine { Ending::Fine } else { Ending::NotFine }
    }
}

/// Prints a command's outcome and gives its exit code. With `as_json`, stdout holds one JSON object and nothing else, also
/// for an error.
pub(crate) fn finish(as_json: bool, outcome: super::CommandResult) -> ExitCode {
    match outcome {
        Ok((output, ending)) => {
            let text = if as_json { format!("{:#}\n", output.json) } else { output.text };
            if let Err(e) = print(&text) {
                eprintln!("cannot print the result\n{e}\ngive a place to print to");
                return ExitCode::from(2);
            }
            ExitCode::from(u8::from(ending == Ending::NotFine))
        }
        Err(e) => {
            let text = e.to_string();
            let mut lines = text.lines();
            if as_json {
                let mut next = || lines.next().unwrap_or_default();
                let (thing, cause) = (next(), next());
                let mend = lines.collect::<Vec<_>>().join("\n");
                // Standard error tells the same if this fails.
                let _ = print(&format!("{:#}\n", json!({"error": {"thing": thing, "cause": cause, "mend": mend}})));
            }
            eprintln!("error: {}", text.replace('\n', "\n  "));
            ExitCode::from(2)
        }
    }
}

/// Prints; a reader that has gone away (`| head`) is not an error.
fn print(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// A number for JSON; what JSON cannot say is null.
pub(crate) fn number(v: f64) -> Value {
    serde_json::Number::from_f64(v).map_or(Value::Null, Value::Number)
}
