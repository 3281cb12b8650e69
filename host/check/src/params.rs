//! Parameters at both ends of their range, the same for every kind that is made from parameters.

use crate::outcome::{Stop, Verdict, ensure};
use crate::subject::{Subject, is_refusal};
use tetherscope_loader::{ParamSet, ParamType, ParameterInfo, PluginError};

/// The texts of a parameter's ends: smallest and largest number, both switches, every word.
fn ends(p: &ParameterInfo) -> Vec<String> {
    let numbers = [p.min, p.max].into_iter().flatten().filter(|v| v.is_finite());
    match p.kind {
        ParamType::Int => numbers.map(|v| (v as i64).to_string()).collect(),
        ParamType::Float => numbers.map(|v| v.to_string()).collect(),
        ParamType::Bool => vec!["true".into(), "false".into()],
        ParamType::Choice => p.choices.clone(),
        ParamType::Text => Vec::new(),
    }
}

/// Makes the component with every parameter at each of its ends, one at a time. `make` makes it and works with it; it may
/// refuse with a reason, and nothing else may go wrong.
pub(crate) fn at_their_ends(
    subject: &Subject,
    mut make: impl FnMut(ParamSet) -> Result<Result<(), PluginError>, Stop>,
) -> Verdict {
    let mut tried = 0;
    for p in &subject.component.info().parameters {
        for text in ends(p) {
            tried += 1;
            let at = format!("{} = {text}", p.key);
            match make(subject.params_with(&p.key, &text)?) {
                Ok(Ok(())) => {}
                Ok(Err(e)) => ensure!(is_refusal(&e), "with {at}: {} failed: {}", e.function, e.message),
                Err(Stop::Failed(seen)) => return Err(Stop::Failed(format!("with {at}: {seen}"))),
                Err(other) => return Err(other),
            }
        }
    }
    if tried == 0 {
        return Err(Stop::Skipped("no parameter has a range or a choice".into()));
    }
    Ok(())
}
